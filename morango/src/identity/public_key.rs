//! Public keys: RSA keys in the one spelling by which certificates are hashed, and the check of signatures.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rsa::pkcs1::der::Decode as _;
use rsa::pkcs1::{ALGORITHM_OID, RsaPublicKey};
use rsa::pkcs8::spki::SubjectPublicKeyInfoRef;

use super::IdentityError;
use super::pem;

/// Bits of the smallest and of the largest key whose signatures are checked.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Characters of the longest text that is read as a key. A key of 8192 bits has some 1,500.
const KEY_TEXT_BYTES_MAX: usize = 8 * 1024;

/// An RSA public key.
///
/// *Shape*: base64 of the DER of a PKCS#1 `RSAPublicKey`, on one line and without a header; it begins `MIIBCgKCAQEA`.
///
/// # Source
/// Protocol, chapter 3.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    text: String,
    der: Vec<u8>,
}

impl PublicKey {
    /// Reads a key: PKCS#1 or `SubjectPublicKeyInfo`, in bare base64 or with PEM headers.
    ///
    /// # Errors
    /// [`IdentityError::KeyMalformed`] for anything else, and for a key of fewer than 2048 or more than 8192 bits.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        let malformed = |problem| IdentityError::KeyMalformed { problem };
        if text.len() > KEY_TEXT_BYTES_MAX {
            return Err(malformed("the text is too long"));
        }
        let der = pem::decode(text).ok_or(malformed("the text is not base64"))?;
        match SubjectPublicKeyInfoRef::from_der(&der) {
            Ok(info) if info.algorithm.oid == ALGORITHM_OID => {
                let key =
                    info.subject_public_key.as_bytes().ok_or(malformed("the key is not a whole number of bytes"))?;
                Self::from_pkcs1_der(key)
            }
            Ok(_) => Err(malformed("it is a key of another kind")),
            Err(_) => Self::from_pkcs1_der(&der),
        }
    }

    /// Reads the DER of a PKCS#1 `RSAPublicKey`.
    pub(super) fn from_pkcs1_der(der: &[u8]) -> Result<Self, IdentityError> {
        let malformed = |problem| IdentityError::KeyMalformed { problem };
        let key = RsaPublicKey::from_der(der).map_err(|_| malformed("it is not a PKCS#1 public key"))?;
        let modulus = key.modulus.as_bytes();
        let unused_bits = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        if !MODULUS_BITS.contains(&(modulus.len() * 8 - unused_bits)) {
            return Err(malformed("it must have between 2048 and 8192 bits"));
        }
        Ok(Self { text: STANDARD.encode(der), der: der.to_vec() })
    }

    /// The key in the one spelling that is hashed into certificate ids and sent to peers.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this key's owner signed the text.
    ///
    /// *Shape of the signature*: standard base64; line breaks in it do not matter. PKCS#1 v1.5 over SHA-256.
    pub fn verify(&self, text: &str, signature: &str) -> bool {
        let Some(signature) = pem::decode(signature) else {
            return false;
        };
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.der);
        key.verify(text.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

impl fmt::Debug for PublicKey {
    /// The end of the key, which tells keys apart; the beginning is the same for all.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.text.len().saturating_sub(24);
        write!(formatter, "PublicKey(…{})", &self.text[start..])
    }
}
