//! Certificate pushing: others may give this peer certificates, to speak in the name of.
//!
//! Whoever pushes signs a certificate for our shared key, with a nonce of ours as its salt: so it is made for us, now, and
//! counts once. What it allows lies within what its parent allows, which the pusher holds the key of. Off unless the
//! application allows it.

use super::Responder;
use crate::identity::{Certificate, PrivateKey, PublicKey, UnverifiedCertificate};
use crate::session::Capability;
use crate::transfer::certificates;
use crate::{Error, ErrorKind, Result};

impl Responder {
    /// The key that others put into certificates for this peer. It is made when it is first asked for, and stays the same.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where pushing is not allowed; the storage fails.
    pub fn shared_public_key(&self) -> Result<PublicKey> {
        Ok(self.shared_key()?.public_key().clone())
    }

    /// Keeps a chain whose last certificate was made for this peer, and from then on speaks in its name.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where pushing is not allowed; [`ErrorKind::PrivateKeyMissing`] for a certificate with another key
    /// than our shared one; [`ErrorKind::CertificateInvalid`] and its like for a chain that does not hold;
    /// [`ErrorKind::NonceInvalid`] for a salt that is no nonce of ours, or was used before.
    pub fn keep_pushed_chain(&self, chain: Vec<UnverifiedCertificate>) -> Result<Certificate> {
        let key = self.shared_key()?;
        let last = chain.last().ok_or_else(|| {
            Error::new(ErrorKind::CertificateInvalid, "take a pushed certificate: its chain is empty")
        })?;
        let (id, salt) = {
            let body = last.body()?;
            if PublicKey::parse(&body.public_key_string)? != *key.public_key() {
                let message =
                    "take a pushed certificate: it was made for another key than the one that this peer shares";
                return Err(Error::new(ErrorKind::PrivateKeyMissing, message)
                    .with_hint("ask for the shared key again, and make the certificate for that one"));
            }
            (body.id, body.salt().unwrap_or_default().to_owned())
        };
        certificates::verify(&self.home, chain.clone(), id)?;
        // Taken last, so that nobody uses up a nonce who could not push; a certificate that is here already used it up before.
        self.take_nonce(&salt)?;
        certificates::keep_ours(&self.home, chain, (&id, &key))?;
        let pushed = certificates::known(&self.home, &id)?;
        tracing::info!(certificate = %id, scope = pushed.scope_definition_id(), "was given a certificate");
        Ok(pushed)
    }

    fn shared_key(&self) -> Result<PrivateKey> {
        if !self.home.capabilities.has(Capability::AllowCertificatePushing) {
            return Err(Error::forbidden("push a certificate: this peer does not allow certificate pushing"));
        }
        let storage = &self.home.storage;
        match storage.shared_key()? {
            Some(key) => Ok(key),
            None => storage.keep_shared_key(&PrivateKey::generate()?),
        }
    }
}
