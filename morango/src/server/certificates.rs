//! `certificates/`: those that we hold, and new ones.

use super::answer::Answer;
use super::asked::Asked;
use super::auth;
use crate::port::CertificateQuery;
use crate::transfer::Responder;
use crate::{Result, wire};

pub(super) fn list(responder: &Responder, asked: &Asked) -> Result<Answer> {
    match query_of(asked)? {
        Some(query) => Ok(Answer::ok(wire::write_certificates(&responder.certificates(&query)?))),
        None => Ok(Answer::ok(wire::write_certificates(&[]))),
    }
}

/// Which certificates are asked for; `None` where the id is none, of which there are none.
fn query_of(asked: &Asked) -> Result<Option<CertificateQuery>> {
    let pairs = asked.query()?;
    let value = |name: &str| pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let profile = value("profile");
    if let Some(id) = value("primary_partition") {
        return Ok(id.parse().ok().map(|primary_partition| CertificateQuery::Below { primary_partition, profile }));
    }
    if let Some(id) = value("ancestors_of") {
        return Ok(id.parse().ok().map(|id| CertificateQuery::AncestorsOf { id, profile }));
    }
    Ok(Some(CertificateQuery::Owned { profile }))
}

pub(super) fn create(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let credentials = auth::credentials(&asked.headers)?;
    let (parent, request) = wire::read_certificate_request(&asked.body()?)?;
    let certificate = responder.sign_certificate(credentials.as_ref(), &parent, &request)?;
    Ok(Answer::created(wire::write_certificate(&certificate)))
}
