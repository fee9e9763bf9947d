//! Certificates, private keys and nonces.

use chrono::{DateTime, Utc};
use morango::id::CertificateId;
use morango::identity::{Certificate, Nonce, PrivateKey};
use morango::port::{CertificateQuery, StoredCertificate};
use morango::{Error, ErrorKind, Result, limits};

use crate::state::State;

impl State {
    /// Those already here stay, except one whose key is not here: the last takes its place.
    pub(crate) fn save_certificates(
        &mut self,
        certificates: &[Certificate],
        key: Option<(&CertificateId, &PrivateKey)>,
    ) -> Result<()> {
        for certificate in certificates {
            self.certificates.entry(certificate.id()).or_insert_with(|| certificate.clone());
        }
        if let Some(last) = certificates.last()
            && !self.keys.contains_key(&last.id())
        {
            self.certificates.insert(last.id(), last.clone());
        }
        let Some((id, key)) = key else { return Ok(()) };
        let refused = |why: &str| {
            let message = format!("save the private key of the certificate {id}: {why}");
            Err(Error::new(ErrorKind::InvalidInput, message))
        };
        match self.certificates.get(id) {
            None => refused("the certificate is not here"),
            Some(certificate) if certificate.public_key() != key.public_key() => {
                refused("it is the key of another one")
            }
            Some(_) => {
                self.keys.entry(*id).or_insert_with(|| key.clone());
                Ok(())
            }
        }
    }

    pub(crate) fn certificate(&self, id: &CertificateId) -> Option<StoredCertificate> {
        let certificate = self.certificates.get(id)?.clone();
        Some(StoredCertificate { certificate, has_private_key: self.keys.contains_key(id) })
    }

    /// What we can speak for, in the order of the ids; or a chain, root first.
    pub(crate) fn certificates(&self, query: &CertificateQuery) -> Result<Vec<StoredCertificate>> {
        let is_of = |certificate: &Certificate, profile: &Option<String>| {
            profile.as_ref().is_none_or(|profile| certificate.profile() == profile)
        };
        let owned =
            || self.certificates.keys().filter(|id| self.keys.contains_key(id)).filter_map(|id| self.certificate(id));
        let most = limits::CERTIFICATES_LISTED_MAX;
        match query {
            CertificateQuery::Owned { profile } => {
                Ok(owned().filter(|found| is_of(&found.certificate, profile)).take(most).collect())
            }
            CertificateQuery::Below { primary_partition, profile } => {
                let is_below = |found: &StoredCertificate| {
                    self.chain(found.certificate.id()).iter().any(|above| above.certificate.id() == *primary_partition)
                };
                let found = owned().filter(|found| is_of(&found.certificate, profile));
                Ok(found.filter(is_below).take(most).collect())
            }
            CertificateQuery::AncestorsOf { id, profile } => {
                let mut chain = self.chain(*id);
                let is_answered = chain.first().is_some_and(|last| last.has_private_key)
                    && chain.iter().all(|link| is_of(&link.certificate, profile));
                if !is_answered {
                    return Ok(Vec::new());
                }
                if chain.len() > limits::CHAIN_CERTIFICATES_MAX {
                    let message = format!("follow the chain of a certificate: it has {} links", chain.len());
                    return Err(Error::new(ErrorKind::LimitExceeded, message));
                }
                chain.reverse();
                Ok(chain)
            }
        }
    }

    /// A certificate and those above it. A circle is gone round once.
    fn chain(&self, from: CertificateId) -> Vec<StoredCertificate> {
        let mut chain: Vec<StoredCertificate> = Vec::new();
        let mut next = Some(from);
        while let Some(found) = next.and_then(|id| self.certificate(&id)) {
            if chain.iter().any(|link| link.certificate.id() == found.certificate.id()) {
                break;
            }
            next = found.certificate.parent_id();
            chain.push(found);
        }
        chain
    }

    /// Keeps a new nonce, and no more than the newest of those that are not stale.
    pub(crate) fn issue_nonce(&mut self, nonce: &Nonce, stale_before: DateTime<Utc>) {
        self.nonces.retain(|_, kept| kept.issued_at >= stale_before);
        self.nonces.insert(nonce.id, nonce.clone());
        if self.nonces.len() > limits::NONCES_OUTSTANDING_MAX {
            let oldest = self.nonces.values().min_by_key(|kept| (kept.issued_at, kept.id)).map(|kept| kept.id);
            oldest.and_then(|id| self.nonces.remove(&id));
        }
    }
}
