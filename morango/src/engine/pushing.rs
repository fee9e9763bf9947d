//! Pushing a certificate: we sign one for a peer, so that it can speak in its name.

use super::Engine;
use crate::id::CertificateId;
use crate::identity::{Certificate, CertificateRequest, UnverifiedCertificate};
use crate::port::{CertificateQuery, Peer};
use crate::session::Capability;
use crate::transfer::certificates;
use crate::{Error, ErrorKind, Result};

impl Engine {
    /// Gives a peer a certificate below one of ours, with the key that it shares for this: from then on it can sync with
    /// everybody who has a certificate of the same root. It must allow that
    /// ([`EngineBuilder::allow_certificate_pushing`](super::EngineBuilder::allow_certificate_pushing)).
    ///
    /// ```no_run
    /// # fn give(engine: &morango::engine::Engine, school: &morango::identity::Certificate) -> morango::Result<()> {
    /// let cloud = morango::client::HttpPeer::new("https://cloud.example/")?;
    /// let dataset_id = school.id().to_string();
    /// engine.push_certificate(&cloud, school, "full-facility", &[("dataset_id", &dataset_id)])?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::PeerRefused`] where the peer does not allow it, before anything else is asked;
    /// [`ErrorKind::CertificateUnknown`] and [`ErrorKind::PrivateKeyMissing`] for a parent in whose name we cannot sign;
    /// [`ErrorKind::CertificateExceedsParent`] for a scope wider than the parent's; and those of any call.
    pub fn push_certificate(
        &self,
        peer: &dyn Peer,
        parent: impl Into<CertificateId>,
        scope_definition: &str,
        params: &[(&str, &str)],
    ) -> Result<Certificate> {
        peer.announce(self.capabilities());
        if !peer.info()?.capabilities.has(Capability::AllowCertificatePushing) {
            let message = format!("push a certificate to {}: it does not allow that", peer.location());
            return Err(Error::new(ErrorKind::PeerRefused, message).with_hint(
                "let whoever runs the peer allow certificate pushing, or request a certificate from there",
            ));
        }
        let parent = certificates::known(&self.home, &parent.into())?;
        let storage = self.storage();
        let key = storage.private_key(&parent.id())?.ok_or_else(|| {
            let message = format!("sign in the name of the certificate {}: its private key is not here", parent.id());
            Error::new(ErrorKind::PrivateKeyMissing, message)
        })?;
        let (definition, scope_params, _) = self.scope_below(&parent, scope_definition, params)?;
        let request = CertificateRequest {
            profile: parent.profile().to_owned(),
            scope_definition_id: definition.id.clone(),
            scope_version: definition.version,
            scope_params: scope_params.as_json().to_owned(),
            public_key: peer.shared_public_key()?,
        };
        let pushed = parent.sign_child(&key, &request, Some(&peer.nonce()?), &**self.registry())?;
        let above = CertificateQuery::AncestorsOf { id: parent.id(), profile: None };
        let mut chain: Vec<UnverifiedCertificate> =
            storage.certificates(&above)?.iter().map(|stored| (&stored.certificate).into()).collect();
        chain.push((&pushed).into());
        peer.push_certificate_chain(&chain)?;
        // The peer chose key and salt, and with them the id: it has not proved that it is not another's.
        if storage.certificate(&pushed.id())?.is_none() {
            storage.save_certificates(std::slice::from_ref(&pushed), None)?;
        }
        tracing::info!(certificate = %pushed.id(), scope = scope_definition, peer = peer.location(), "pushed a certificate");
        Ok(pushed)
    }
}
