//! Certificates of this peer: made, asked for, and looked up.

use super::{Engine, connection};
use crate::id::CertificateId;
use crate::identity::{Certificate, CertificateRequest, PrivateKey, UnverifiedCertificate};
use crate::port::{CertificateQuery, Credentials, Peer, StoredCertificate};
use crate::scope::{Scope, ScopeDefinition, ScopeDefinitions, ScopeParams};
use crate::transfer::certificates;
use crate::{Error, ErrorKind, Result, limits};

impl From<&Certificate> for CertificateId {
    fn from(certificate: &Certificate) -> Self {
        certificate.id()
    }
}

impl From<&CertificateId> for CertificateId {
    fn from(id: &CertificateId) -> Self {
        *id
    }
}

impl From<&StoredCertificate> for CertificateId {
    fn from(stored: &StoredCertificate) -> Self {
        stored.certificate.id()
    }
}

impl Engine {
    /// Makes a root certificate with a key of its own, and keeps both. Its id is the new primary partition.
    ///
    /// `extra` are the parameters of the scope definition beside the primary one. Making the key takes a moment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a scope definition that is not there, makes no roots, or lacks a parameter;
    /// [`ErrorKind::CertificateInvalid`] where its templates reach beyond the root's own id.
    pub fn create_root_certificate(
        &self,
        profile: &str,
        scope_definition: &str,
        extra: &[(&str, &str)],
    ) -> Result<Certificate> {
        let definition = self.definition(profile, scope_definition)?;
        let key = PrivateKey::generate()?;
        let certificate = Certificate::root(definition, &key, None, extra.iter().copied())?;
        let storage = self.storage();
        storage.save_certificates(std::slice::from_ref(&certificate), Some((&certificate.id(), &key)))?;
        tracing::info!(certificate = %certificate.id(), scope = scope_definition, "made a root certificate");
        Ok(certificate)
    }

    /// Asks a peer for a certificate below one of its own, with a key that is made and stays here.
    ///
    /// The peer's chain is verified first, and its answer; both are kept then, since with its signature the parent has proved its key.
    ///
    /// # Errors
    /// [`ErrorKind::CertificateUnknown`] where the peer does not hold the parent; [`ErrorKind::CertificateExceedsParent`],
    /// before anything is asked; [`ErrorKind::Unauthenticated`] and [`ErrorKind::Forbidden`] by the peer's judgement;
    /// [`ErrorKind::PeerAnswerUnexpected`] where it signed something else; and those of any call.
    pub fn request_certificate(
        &self,
        peer: &dyn Peer,
        parent: impl Into<CertificateId>,
        scope_definition: &str,
        params: &[(&str, &str)],
        credentials: &Credentials,
    ) -> Result<Certificate> {
        peer.announce(self.capabilities());
        let parent = parent.into();
        let mut chain = connection::fetch(peer, parent)?;
        let (parent, _) = certificates::verify_end(&self.home, chain.clone(), parent)?;
        let (definition, params, scope) = self.scope_below(&parent, scope_definition, params)?;
        let key = PrivateKey::generate()?;
        let request = CertificateRequest {
            profile: parent.profile().to_owned(),
            scope_definition_id: definition.id.clone(),
            scope_version: definition.version,
            scope_params: params.as_json().to_owned(),
            public_key: key.public_key().clone(),
        };
        let answer = peer.request_certificate(credentials, &parent.id(), &request)?;
        let certificate = answer.clone().verify(Some(&parent), &**self.registry())?;
        let is_asked = certificate.public_key() == key.public_key() && certificate.scope(&**self.registry())? == scope;
        if !is_asked {
            let message =
                format!("request a certificate from {}: it signed another one than was asked for", peer.location());
            return Err(Error::new(ErrorKind::PeerAnswerUnexpected, message));
        }
        chain.push(answer);
        certificates::keep_ours(&self.home, chain, (&certificate.id(), &key))?;
        tracing::info!(certificate = %certificate.id(), scope = scope_definition, "was granted a certificate");
        Ok(certificate)
    }

    /// The certificates whose private keys are here: those in whose name this peer can speak.
    ///
    /// # Errors
    /// The storage fails.
    pub fn certificates(&self) -> Result<Vec<StoredCertificate>> {
        self.storage().certificates(&CertificateQuery::Owned { profile: None })
    }

    /// The certificates below a root in whose name a peer can speak. Each was verified with its chain; those that do not
    /// hold are left out. None is kept: whoever shows a certificate need not have its key.
    ///
    /// # Errors
    /// The peer cannot be reached or refuses; the storage fails.
    pub fn remote_certificates(
        &self,
        peer: &dyn Peer,
        primary_partition: impl Into<CertificateId>,
    ) -> Result<Vec<Certificate>> {
        peer.announce(self.capabilities());
        let query = CertificateQuery::Below { primary_partition: primary_partition.into(), profile: None };
        let shown = peer.certificates(&query)?;
        let mut verified = Vec::with_capacity(shown.len().min(limits::CERTIFICATES_LISTED_MAX));
        for certificate in shown.into_iter().take(limits::CERTIFICATES_LISTED_MAX) {
            match self.verify_remote(peer, &certificate) {
                Ok(certificate) => verified.push(certificate),
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    tracing::warn!(error = %error.report(), "passing over a certificate of the peer");
                }
            }
        }
        Ok(verified)
    }

    fn verify_remote(&self, peer: &dyn Peer, shown: &UnverifiedCertificate) -> Result<Certificate> {
        let body = shown.body()?;
        let Some(parent) = body.parent_id else {
            return Ok(shown.clone().verify(None, &**self.registry())?);
        };
        // The parent that is here may be another than the one that the peer means.
        if let Some(parent) = self.storage().certificate(&parent)?
            && let Ok(certificate) = shown.clone().verify(Some(&parent.certificate), &**self.registry())
        {
            return Ok(certificate);
        }
        let chain = connection::fetch(peer, body.id)?;
        Ok(certificates::verify_end(&self.home, chain, body.id)?.0)
    }

    /// The scope of a certificate that is to be below another, checked before anybody is asked.
    pub(super) fn scope_below(
        &self,
        parent: &Certificate,
        scope_definition: &str,
        params: &[(&str, &str)],
    ) -> Result<(&ScopeDefinition, ScopeParams, Scope)> {
        let definition = self.definition(parent.profile(), scope_definition)?;
        let params = ScopeParams::new(params.iter().copied())?;
        let scope = definition.scope(&params)?;
        if scope.is_subset_of(&parent.scope(&**self.registry())?) {
            return Ok((definition, params, scope));
        }
        let message =
            format!("make a certificate {scope_definition:?}: its scope is wider than that of {}", parent.id());
        Err(Error::new(ErrorKind::CertificateExceedsParent, message)
            .with_hint("ask for a scope that lies within the parent's"))
    }

    fn definition(&self, profile: &str, id: &str) -> Result<&ScopeDefinition> {
        self.registry().definition(profile, id).ok_or_else(|| {
            let message = format!("find the scope definition {id:?} of the profile {profile:?}");
            Error::new(ErrorKind::InvalidInput, message).with_hint("define it with scope_definitions!")
        })
    }
}
