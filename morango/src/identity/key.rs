//! Private keys: made, read, written, and used to sign.
//!
//! One of the two files of this room that are not pure: a new key needs random numbers, which come from the system through `ring`.
//! `ring` signs; making the key is what it lacks, and the one thing that the `rsa` crate does here.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::{self, CryptoRng, RngCore};
use zeroize::Zeroizing;

use super::{IdentityError, PublicKey, pem};

/// Bits of a new key.
const MODULUS_BITS: usize = 2048;

/// An RSA private key, with which a certificate's owner signs.
///
/// Its text is wiped from memory when the last copy is dropped. Nothing of it is in `Debug`.
///
/// # Source
/// Protocol, chapter 3.
#[derive(Clone)]
pub struct PrivateKey(Arc<Inner>);

struct Inner {
    pair: RsaKeyPair,
    public: PublicKey,
    pkcs1_der: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    /// A new key of 2048 bits with the exponent 65537.
    ///
    /// This takes a good part of a second on small devices.
    ///
    /// # Errors
    /// [`IdentityError::KeyGeneration`] where the system gives no random numbers.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut random = SystemRandomNumbers(SystemRandom::new());
        // What asks for numbers without an answer to failure is asked only once they are known to come.
        random.0.fill(&mut [0; 1]).map_err(|_| IdentityError::KeyGeneration)?;
        let key = rsa::RsaPrivateKey::new(&mut random, MODULUS_BITS).map_err(|_| IdentityError::KeyGeneration)?;
        let document = key.to_pkcs1_der().map_err(|_| IdentityError::KeyGeneration)?;
        Self::from_pkcs1_der(document.as_bytes())
    }

    /// Reads the DER of a PKCS#1 `RSAPrivateKey`, and tries the key out.
    ///
    /// # Errors
    /// [`IdentityError::KeyMalformed`] for anything else, for a key of fewer than 2048 bits, and for one whose numbers do not fit.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, IdentityError> {
        let key = Self::read(der)?;
        key.sign("").map_err(|_| IdentityError::KeyMalformed { problem: "it does not sign" })?;
        Ok(key)
    }

    /// Reads a key without trying it out: signing costs more than all else of it.
    fn read(der: &[u8]) -> Result<Self, IdentityError> {
        let malformed = |problem| IdentityError::KeyMalformed { problem };
        let pair = RsaKeyPair::from_der(der).map_err(|_| malformed("it is not a sound PKCS#1 private key"))?;
        let public = PublicKey::from_pkcs1_der(pair.public_key().as_ref())?;
        Ok(Self(Arc::new(Inner { pair, public, pkcs1_der: Zeroizing::new(der.to_vec()) })))
    }

    /// Reads a PKCS#1 key in PEM, as [`to_pkcs1_pem`](Self::to_pkcs1_pem) and Python peers write it.
    ///
    /// # Errors
    /// As [`from_pkcs1_der`](Self::from_pkcs1_der).
    pub fn from_pkcs1_pem(text: &str) -> Result<Self, IdentityError> {
        Self::from_pkcs1_der(&der_of(text)?)
    }

    /// A key that was tried out before it was stored, in the PEM of [`to_pkcs1_pem`](Self::to_pkcs1_pem). This checks that it can be
    /// read, and leaves it to [`sign`](Self::sign) to find out that it was damaged since.
    ///
    /// # Errors
    /// [`IdentityError::KeyMalformed`] where the stored text is damaged.
    pub fn from_store(text: &str) -> Result<Self, IdentityError> {
        Self::read(&der_of(text)?)
    }

    /// The key as PKCS#1 in PEM: it begins `-----BEGIN RSA PRIVATE KEY-----`.
    pub fn to_pkcs1_pem(&self) -> Zeroizing<String> {
        pem::encode("RSA PRIVATE KEY", &self.0.pkcs1_der)
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    /// The signature of a text: PKCS#1 v1.5 over SHA-256, in standard base64 on one line.
    ///
    /// # Errors
    /// [`IdentityError::KeyUnsound`] where the numbers of the key do not fit each other, so that nobody could verify what it signs.
    pub fn sign(&self, text: &str) -> Result<String, IdentityError> {
        let mut signature = vec![0; self.0.pair.public().modulus_len()];
        let random = SystemRandom::new();
        self.0
            .pair
            .sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .map_err(|_| IdentityError::KeyUnsound)?;
        Ok(STANDARD.encode(signature))
    }
}

fn der_of(text: &str) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    pem::decode(text).ok_or(IdentityError::KeyMalformed { problem: "the text is not PEM" })
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey(of {:?})", self.0.public)
    }
}

/// The system's random numbers in the form in which the `rsa` crate asks for them.
struct SystemRandomNumbers(SystemRandom);

impl CryptoRng for SystemRandomNumbers {}

impl RngCore for SystemRandomNumbers {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.try_fill_bytes(bytes).expect("a system that gave random numbers goes on giving them");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(bytes).map_err(|_| rand_core::Error::new("the system gives no random numbers"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_random_numbers_of_the_system_come_in_every_size() {
        let mut random = SystemRandomNumbers(SystemRandom::new());
        let short: HashSet<u32> = (0..8).map(|_| random.next_u32()).collect();
        let long: HashSet<u64> = (0..8).map(|_| random.next_u64()).collect();
        assert!(short.len() > 1 && long.len() > 1, "eight that are all the same are no random numbers");
        let mut bytes = [0; 32];
        random.fill_bytes(&mut bytes);
        assert_ne!(bytes, [0; 32]);
    }
}
