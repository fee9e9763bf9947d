//! Chains of certificates: from a root, or from one that is known, down to the one that is presented.

use std::collections::HashSet;

use super::{Certificate, IdentityError, UnverifiedCertificate};
use crate::id::CertificateId;
use crate::limits;
use crate::scope::ScopeDefinitions;

/// Verifies a chain, root first, and gives back those of its certificates that are new, from the top down.
///
/// The walk begins at the end and goes up until it meets a certificate that is known by its text: what was verified before it was
/// stored is not verified again, and what the chain says of those above it is not even read.
///
/// An id says nothing of parent and scope, so anybody can sign another certificate of the same id below their own. Where the known one
/// has another text than the one shown, nothing that is known counts any more: the chain is verified from its own root down, and comes
/// back whole.
///
/// # Errors
/// [`IdentityError::Chain`] for an empty or overlong chain, for one whose end is not the expected certificate, that does not begin with
/// a root, that misses a link or holds a certificate twice; and the errors of [`UnverifiedCertificate::verify`].
///
/// # Source
/// Protocol, chapter 3.
pub fn verify_chain(
    chain: Vec<UnverifiedCertificate>,
    known: &dyn Fn(&CertificateId) -> Option<Certificate>,
    definitions: &dyn ScopeDefinitions,
    expected_last: Option<CertificateId>,
) -> Result<Vec<Certificate>, IdentityError> {
    let broken = |problem| IdentityError::Chain { problem };
    if chain.is_empty() {
        return Err(broken("it is empty"));
    }
    if chain.len() > limits::CHAIN_CERTIFICATES_MAX {
        return Err(IdentityError::TooLong { what: "chain", max: limits::CHAIN_CERTIFICATES_MAX });
    }
    let (new, mut parent) = walk_up(chain, known, expected_last)?;
    let mut verified: Vec<Certificate> = Vec::with_capacity(new.len());
    for certificate in new.into_iter().rev() {
        parent = Some(certificate.verify(parent.as_ref(), definitions)?);
        verified.extend(parent.clone());
    }
    Ok(verified)
}

/// The certificates that are new, from the end up, and the known one above them, if there is one.
fn walk_up(
    chain: Vec<UnverifiedCertificate>,
    known: &dyn Fn(&CertificateId) -> Option<Certificate>,
    expected_last: Option<CertificateId>,
) -> Result<(Vec<UnverifiedCertificate>, Option<Certificate>), IdentityError> {
    let broken = |problem| IdentityError::Chain { problem };
    let mut new = Vec::with_capacity(chain.len());
    let mut seen = HashSet::new();
    let mut expected = expected_last;
    let (mut is_end, mut is_disputed) = (true, false);
    for certificate in chain.into_iter().rev() {
        let body = certificate.body()?;
        if !is_end && expected.is_none() {
            return Err(broken("a root is not at its beginning"));
        }
        if expected.is_some_and(|expected| expected != body.id) {
            let problem = if is_end { "it does not end with the certificate expected" } else { "a link is missing" };
            return Err(broken(problem));
        }
        if !seen.insert(body.id) {
            return Err(broken("it holds a certificate twice"));
        }
        if !is_disputed && let Some(known) = known(&body.id) {
            if known.serialized() == certificate.serialized {
                return Ok((new, Some(known)));
            }
            is_disputed = true;
        }
        expected = body.parent_id;
        is_end = false;
        new.push(certificate);
    }
    if expected.is_some() {
        return Err(broken("it does not begin with a root"));
    }
    Ok((new, None))
}
