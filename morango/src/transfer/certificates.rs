//! Chains of certificates, held against those that are in the store, and what two of them allow.

use std::cell::RefCell;

use super::context::Home;
use crate::id::CertificateId;
use crate::identity::{Certificate, PrivateKey, UnverifiedCertificate, verify_chain};
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

/// The end of a chain, verified, and those of the chain that are new, which are not yet kept.
pub(crate) fn verify_end(
    home: &Home,
    chain: Vec<UnverifiedCertificate>,
    expected: CertificateId,
) -> Result<(Certificate, Vec<Certificate>)> {
    let new = verify(home, chain, expected)?;
    let end = match new.last() {
        Some(last) => last.clone(),
        None => known(home, &expected)?,
    };
    Ok((end, new))
}

/// Keeps a chain whose end has just proved its key. `new` are those of it that are new here, as [`verify`] gave them back.
///
/// Of two certificates with one key the one that its owner shows counts, so the end takes the place of another of its id. Those above
/// it proved nothing, and stand back where another of their id is here.
pub(crate) fn keep(home: &Home, new: &[Certificate]) -> Result<()> {
    match new.last() {
        Some(end) if may_take_its_place(home, end, new)? => home.storage.save_certificates(new, None),
        _ => Ok(()),
    }
}

/// Keeps a chain whose end was made for us, with its key. Its parent has proved its own key by signing ours.
///
/// We show our chain as it is kept, so it has to hold as it is kept: where a certificate of another text stands in its way, the one
/// shown takes its place.
///
/// # Errors
/// Those of [`verify`], and [`ErrorKind::CertificateInvalid`] where the one in the way cannot go without breaking another chain of ours.
pub(crate) fn keep_ours(
    home: &Home,
    chain: Vec<UnverifiedCertificate>,
    own: (&CertificateId, &PrivateKey),
) -> Result<()> {
    let mut new = verify(home, chain.clone(), *own.0)?;
    if let Some(end) = new.last()
        && !holds(home, end, &new)?
    {
        new = verify_chain(chain, &|_| None, &*home.registry, Some(*own.0))?;
        for length in 1..new.len() {
            keep(home, &new[..length])?;
        }
        if !holds(home, &new[new.len() - 1], &new)? {
            let message = format!("keep the certificate {}: one above it is another than the one kept here", own.0);
            return Err(Error::new(ErrorKind::CertificateInvalid, message));
        }
    }
    home.storage.save_certificates(&new, Some(own))
}

/// Whether a certificate may be kept even where another of its id is: no chain of ours may be broken by it, and no circle closed.
fn may_take_its_place(home: &Home, certificate: &Certificate, shown: &[Certificate]) -> Result<bool> {
    let id = certificate.id();
    let Some(stored) = home.storage.certificate(&id)? else { return Ok(true) };
    if stored.certificate.serialized() == certificate.serialized() {
        return Ok(true);
    }
    let above = as_kept(home, certificate, shown)?;
    let is_whole = above.first().is_some_and(|top| top.parent_id().is_none());
    if stored.has_private_key || !is_whole {
        return Ok(false);
    }
    for own in home.storage.certificates(&CertificateQuery::Below { primary_partition: id, profile: None })? {
        let own = own.certificate.id();
        let chain = home.storage.certificates(&CertificateQuery::AncestorsOf { id: own, profile: None })?;
        let below = chain.iter().map(|link| &link.certificate).skip_while(|link| link.id() != id).skip(1);
        let chain = above.iter().chain(below).map(UnverifiedCertificate::from).collect();
        if verify_chain(chain, &|_| None, &*home.registry, Some(own)).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a certificate's chain holds as it will be kept.
fn holds(home: &Home, certificate: &Certificate, shown: &[Certificate]) -> Result<bool> {
    let chain = as_kept(home, certificate, shown)?.iter().map(UnverifiedCertificate::from).collect();
    Ok(verify_chain(chain, &|_| None, &*home.registry, None).is_ok())
}

/// The chain of a certificate as it will be kept, root first: above it stand those that are here, and those shown that are not. It has
/// no root where it is a circle or too long.
fn as_kept(home: &Home, certificate: &Certificate, shown: &[Certificate]) -> Result<Vec<Certificate>> {
    let mut chain = vec![certificate.clone()];
    while chain.len() < limits::CHAIN_CERTIFICATES_MAX
        && let Some(parent) = chain[chain.len() - 1].parent_id().filter(|parent| *parent != certificate.id())
    {
        let stored = home.storage.certificate(&parent)?.map(|stored| stored.certificate);
        let Some(parent) = stored.or_else(|| shown.iter().find(|shown| shown.id() == parent).cloned()) else { break };
        chain.push(parent);
    }
    chain.reverse();
    Ok(chain)
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
