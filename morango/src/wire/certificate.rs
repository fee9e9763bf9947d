//! `certificates/`: certificates, chains of them, and requests to be given one.
//!
//! A certificate travels with its members spelled out beside the signed text. A reader takes the signed text and its
//! signature and nothing else; the other members are for peers that look at them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::WireError;
use super::loose::{from_json, parse, to_json, to_text};
use crate::id::CertificateId;
use crate::identity::{Certificate, CertificateBody, CertificateRequest, PublicKey, UnverifiedCertificate};
use crate::limits;

/// The members of a certificate as peers write it.
#[derive(Serialize)]
struct Members<'a> {
    id: CertificateId,
    parent: Option<CertificateId>,
    profile: &'a str,
    scope_definition: &'a str,
    scope_version: i64,
    scope_params: &'a str,
    public_key: &'a str,
    serialized: &'a str,
    signature: &'a str,
    salt: Option<&'a str>,
}

impl<'a> Members<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        Self {
            id: certificate.id(),
            parent: certificate.parent_id(),
            profile: certificate.profile(),
            scope_definition: certificate.scope_definition_id(),
            scope_version: certificate.scope_version(),
            scope_params: certificate.scope_params(),
            public_key: certificate.public_key().as_str(),
            serialized: certificate.serialized(),
            signature: certificate.signature(),
            salt: certificate.salt(),
        }
    }

    fn of_unverified(certificate: &'a UnverifiedCertificate, body: &'a CertificateBody) -> Self {
        Self {
            id: body.id,
            parent: body.parent_id,
            profile: &body.profile,
            scope_definition: &body.scope_definition_id,
            scope_version: body.scope_version,
            scope_params: &body.scope_params,
            public_key: &body.public_key_string,
            serialized: &certificate.serialized,
            signature: &certificate.signature,
            salt: body.salt(),
        }
    }
}

/// What a reader takes of a certificate.
#[derive(Deserialize)]
struct Signed {
    serialized: String,
    signature: String,
}

impl From<Signed> for UnverifiedCertificate {
    fn from(signed: Signed) -> Self {
        Self { serialized: signed.serialized, signature: signed.signature }
    }
}

/// Writes one certificate, as in the answer to a request for it.
pub fn write_certificate(certificate: &Certificate) -> Vec<u8> {
    to_json(&Members::of(certificate))
}

/// Writes a list of certificates.
pub fn write_certificates(certificates: &[Certificate]) -> Vec<u8> {
    to_json(&certificates.iter().map(Members::of).collect::<Vec<_>>())
}

/// Reads one certificate, unverified.
///
/// # Errors
/// The body has no `serialized` or no `signature`.
pub fn read_certificate(body: &[u8]) -> Result<UnverifiedCertificate, WireError> {
    from_json::<Signed>("a certificate", body).map(Into::into)
}

/// Reads a list of certificates, unverified.
///
/// # Errors
/// One of them cannot be read, or there are more than [`limits::CERTIFICATES_LISTED_MAX`].
pub fn read_certificates(body: &[u8]) -> Result<Vec<UnverifiedCertificate>, WireError> {
    read_list("certificates in one list", body, limits::CERTIFICATES_LISTED_MAX)
}

fn read_list(what: &'static str, body: &[u8], max: usize) -> Result<Vec<UnverifiedCertificate>, WireError> {
    let list: Vec<&RawValue> =
        serde_json::from_slice(body).map_err(|problem| WireError::malformed("a list of certificates", &problem))?;
    if list.len() > max {
        return Err(WireError::TooMuch { what, max });
    }
    list.into_iter().map(|one| read_certificate(one.get().as_bytes())).collect()
}

/// Reads the chain that stands as a JSON text in a request for a sync session.
pub(super) fn read_chain(text: &str) -> Result<Vec<UnverifiedCertificate>, WireError> {
    if text.len() > limits::CHAIN_CERTIFICATES_MAX * limits::CERTIFICATE_BYTES_MAX {
        return Err(WireError::TooMuch { what: "certificates in a chain", max: limits::CHAIN_CERTIFICATES_MAX });
    }
    read_list("certificates in a chain", text.as_bytes(), limits::CHAIN_CERTIFICATES_MAX)
}

/// Writes a chain as the JSON text of a request for a sync session.
///
/// It is sent with every sync, so it holds what existing peers read and nothing that follows from the signed text: that text, its
/// signature, and the id, which they compare.
pub(super) fn write_chain(chain: &[UnverifiedCertificate]) -> Result<String, WireError> {
    #[derive(Serialize)]
    struct Link<'a> {
        id: CertificateId,
        serialized: &'a str,
        signature: &'a str,
    }

    let links: Vec<Link<'_>> = chain
        .iter()
        .zip(bodies(chain)?)
        .map(|(certificate, body)| Link {
            id: body.id,
            serialized: &certificate.serialized,
            signature: &certificate.signature,
        })
        .collect();
    Ok(to_text(&links))
}

fn bodies(chain: &[UnverifiedCertificate]) -> Result<Vec<CertificateBody>, WireError> {
    let body = |certificate: &UnverifiedCertificate| {
        certificate.body().map_err(|problem| WireError::malformed("a certificate", &problem))
    };
    chain.iter().map(body).collect()
}

/// A request for a certificate as peers write it.
#[derive(Serialize, Deserialize)]
struct Request {
    parent: String,
    profile: String,
    scope_definition: String,
    scope_version: i64,
    scope_params: String,
    public_key: String,
}

/// Writes a request to be given a certificate below `parent`.
pub fn write_certificate_request(parent: &CertificateId, request: &CertificateRequest) -> Vec<u8> {
    to_json(&Request {
        parent: parent.to_string(),
        profile: request.profile.clone(),
        scope_definition: request.scope_definition_id.clone(),
        scope_version: request.scope_version,
        scope_params: request.scope_params.clone(),
        public_key: request.public_key.as_str().to_owned(),
    })
}

/// Reads a request to be given a certificate: below which one, and what for.
///
/// # Errors
/// A member is missing, or the key is none.
pub fn read_certificate_request(body: &[u8]) -> Result<(CertificateId, CertificateRequest), WireError> {
    const WHAT: &str = "a request for a certificate";
    let request: Request = from_json(WHAT, body)?;
    let parent = parse(WHAT, &request.parent)?;
    let public_key = PublicKey::parse(&request.public_key).map_err(|problem| WireError::malformed(WHAT, &problem))?;
    let asked = CertificateRequest {
        profile: request.profile,
        scope_definition_id: request.scope_definition,
        scope_version: request.scope_version,
        scope_params: request.scope_params,
        public_key,
    };
    Ok((parent, asked))
}

/// A key that a peer shares.
#[derive(Serialize, Deserialize)]
struct SharedKey {
    public_key: String,
}

/// Writes the key that a certificate must have which is pushed to us.
pub fn write_shared_key(key: &PublicKey) -> Vec<u8> {
    to_json(&[SharedKey { public_key: key.as_str().to_owned() }])
}

/// Reads the key that a certificate must have which is pushed to the peer: the first of its list.
///
/// # Errors
/// The body is no list of keys, or an empty one.
pub fn read_shared_key(body: &[u8]) -> Result<PublicKey, WireError> {
    const WHAT: &str = "the key that the peer shares";
    let keys: Vec<SharedKey> = serde_json::from_slice(body).map_err(|problem| WireError::malformed(WHAT, &problem))?;
    let first = keys.first().ok_or_else(|| WireError::malformed(WHAT, &"there is none"))?;
    PublicKey::parse(&first.public_key).map_err(|problem| WireError::malformed(WHAT, &problem))
}

/// Writes a chain to be pushed: its JSON text, as one JSON string.
///
/// # Errors
/// A certificate of the chain is not one.
pub fn write_pushed_chain(chain: &[UnverifiedCertificate]) -> Result<Vec<u8>, WireError> {
    let bodies = bodies(chain)?;
    let members: Vec<Members<'_>> =
        chain.iter().zip(&bodies).map(|(certificate, body)| Members::of_unverified(certificate, body)).collect();
    Ok(to_json(&to_text(&members)))
}

/// Reads a chain that was pushed.
///
/// # Errors
/// The body is no JSON string, the text in it no list of certificates, or the chain is too long.
pub fn read_pushed_chain(body: &[u8]) -> Result<Vec<UnverifiedCertificate>, WireError> {
    let text: String =
        serde_json::from_slice(body).map_err(|problem| WireError::malformed("a pushed chain", &problem))?;
    read_chain(&text)
}
