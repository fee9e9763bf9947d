//! `certificates/`: those that we hold, and new ones. `publickey/` and `certificatechain/`: those that others give us.

use axum::http::Uri;

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
    let certificate = responder.sign_certificate(&asked.caller, credentials.as_ref(), &parent, &request)?;
    Ok(Answer::created(wire::write_certificate(&certificate)))
}

/// The key that a certificate must have which is pushed to us.
pub(super) fn share_key(responder: &Responder, _: &Asked) -> Result<Answer> {
    Ok(Answer::ok(wire::write_shared_key(&responder.shared_public_key()?)))
}

/// Where pushing is not allowed nothing is read.
pub(super) fn look_up_pushing(responder: &Responder, _: &Uri) -> Result<()> {
    responder.shared_public_key().map(drop)
}

pub(super) fn take_pushed(responder: &Responder, asked: &Asked) -> Result<Answer> {
    responder.shared_public_key()?;
    responder.keep_pushed_chain(wire::read_pushed_chain(&asked.body()?)?)?;
    Ok(Answer::created(Vec::new()))
}
