//! Chains of certificates, held against those that are in the store, and what two of them allow.

use std::cell::RefCell;

use super::context::Home;
use crate::id::CertificateId;
use crate::identity::{Certificate, UnverifiedCertificate, verify_chain};
use crate::port::CertificateQuery;
use crate::scope::{Filter, Reach};
use crate::session::{Direction, SyncSession};
use crate::{Error, ErrorKind, Result, limits};

/// Verifies a chain that ends with the certificate expected. Those of it that are new come back, and are not yet kept.
pub(crate) fn verify(
    home: &Home,
    chain: Vec<UnverifiedCertificate>,
    expected: CertificateId,
) -> Result<Vec<Certificate>> {
    let failure = RefCell::new(None);
    let known = |id: &CertificateId| match home.storage.certificate(id) {
        Ok(stored) => stored.map(|stored| stored.certificate),
        Err(error) => {
            failure.replace(Some(error));
            None
        }
    };
    let verified = verify_chain(chain, &known, &*home.registry, Some(expected));
    // A certificate that could not be looked up was taken for unknown: the storage's error is then the true one.
    match failure.into_inner() {
        Some(error) => Err(error),
        None => Ok(verified?),
    }
}

/// A certificate that is in the store.
pub(crate) fn known(home: &Home, id: &CertificateId) -> Result<Certificate> {
    let stored = home.storage.certificate(id)?.ok_or_else(|| {
        Error::new(ErrorKind::CertificateUnknown, format!("find the certificate {id}: it is not in this store"))
    })?;
    Ok(stored.certificate)
}

/// The root above a certificate; none where the chain is not all here.
pub(crate) fn root_of(home: &Home, certificate: &Certificate) -> Result<Option<CertificateId>> {
    let (mut id, mut parent) = (certificate.id(), certificate.parent_id());
    for _ in 0..limits::CHAIN_CERTIFICATES_MAX {
        let Some(above) = parent else { return Ok(Some(id)) };
        let Some(stored) = home.storage.certificate(&above)? else { return Ok(None) };
        (id, parent) = (above, stored.certificate.parent_id());
    }
    Ok(None)
}

/// What this peer may write in a profile with one certificate or another whose key is here: all that it saves anew and others take.
pub(crate) fn writable(home: &Home, profile: &str) -> Result<Reach> {
    let owned = home.storage.certificates(&CertificateQuery::Owned { profile: Some(profile.to_owned()) })?;
    let mut reach = Reach::Nothing;
    for stored in owned {
        match stored.certificate.scope(&*home.registry) {
            Ok(scope) => reach = reach.union(scope.write()),
            // What an unknown definition allows is not known either: nothing is given up for it.
            Err(_) => return Ok(Reach::everything()),
        }
    }
    Ok(reach)
}

/// The partition under which both certificates of a sync session lie, if they share one.
pub(crate) fn shared_root(home: &Home, session: &SyncSession) -> Result<Option<String>> {
    let root = |id| root_of(home, &known(home, id)?);
    let (client, server) = (root(&session.client_certificate)?, root(&session.server_certificate)?);
    Ok(client.filter(|client| server == Some(*client)).map(|root| root.to_string()))
}

/// Checks that both certificates of a sync session allow a transfer. Each direction needs leave to write where records come from, and
/// to read where they go to.
///
/// # Errors
/// [`ErrorKind::FilterOutsideScope`] where one of the two does not.
pub(crate) fn check_scopes(home: &Home, session: &SyncSession, direction: Direction, filter: &Filter) -> Result<()> {
    let client = home.scope_of(&session.client_certificate)?;
    let server = home.scope_of(&session.server_certificate)?;
    let (is_client_allowed, is_server_allowed) = match direction {
        Direction::Push => (client.allows_write(filter), server.allows_read(filter)),
        Direction::Pull => (client.allows_read(filter), server.allows_write(filter)),
    };
    for (whose, is_allowed) in [("client", is_client_allowed), ("server", is_server_allowed)] {
        if !is_allowed {
            let filter = crate::id::excerpt(&filter.to_string());
            let message = format!("{direction} under {filter:?}: the {whose}'s certificate does not allow it");
            return Err(Error::new(ErrorKind::FilterOutsideScope, message));
        }
    }
    Ok(())
}
