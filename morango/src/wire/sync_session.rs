//! `syncsessions/`: two peers show each other a certificate.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::WireError;
use super::certificate::{read_chain, write_chain};
use super::loose::{from_json, or_default, parse, to_json};
use crate::id::{CertificateId, SyncSessionId};
use crate::port::{SyncSessionAnswer, SyncSessionRequest};
use crate::session::SyncSession;

/// A time as peers write it: ISO 8601, microseconds, `Z`.
pub(super) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[derive(Serialize, Deserialize)]
struct Request {
    id: String,
    server_certificate_id: String,
    client_certificate_id: String,
    #[serde(default, deserialize_with = "or_default")]
    profile: String,
    certificate_chain: String,
    #[serde(default, deserialize_with = "or_default")]
    connection_path: String,
    #[serde(default, deserialize_with = "or_default")]
    instance: String,
    nonce: String,
    #[serde(default, deserialize_with = "or_default")]
    client_ip: String,
    #[serde(default, deserialize_with = "or_default")]
    server_ip: String,
    signature: String,
}

/// Writes a request for a sync session.
///
/// # Errors
/// A certificate of the chain is not one.
pub fn write_sync_session_request(request: &SyncSessionRequest) -> Result<Vec<u8>, WireError> {
    Ok(to_json(&Request {
        id: request.id.to_string(),
        server_certificate_id: request.server_certificate.to_string(),
        client_certificate_id: request.client_certificate.to_string(),
        profile: request.profile.clone(),
        certificate_chain: write_chain(&request.certificate_chain)?,
        connection_path: request.connection_path.clone(),
        instance: request.instance.clone(),
        nonce: request.nonce.clone(),
        client_ip: request.client_ip.clone(),
        server_ip: request.server_ip.clone(),
        signature: request.signature.clone(),
    }))
}

/// Reads a request for a sync session. What is there for people only may be missing.
///
/// # Errors
/// An id, the chain, the nonce or the signature is missing or malformed, or the chain is too long.
pub fn read_sync_session_request(body: &[u8]) -> Result<SyncSessionRequest, WireError> {
    const WHAT: &str = "a request for a sync session";
    let request: Request = from_json(WHAT, body)?;
    Ok(SyncSessionRequest {
        id: parse(WHAT, &request.id)?,
        server_certificate: parse(WHAT, &request.server_certificate_id)?,
        client_certificate: parse(WHAT, &request.client_certificate_id)?,
        profile: request.profile,
        certificate_chain: read_chain(&request.certificate_chain)?,
        connection_path: request.connection_path,
        instance: request.instance,
        nonce: request.nonce,
        client_ip: request.client_ip,
        server_ip: request.server_ip,
        signature: request.signature,
    })
}

#[derive(Serialize, Deserialize)]
struct Answer {
    signature: String,
    #[serde(default, deserialize_with = "or_default")]
    server_instance: String,
}

/// Writes the answer to a request for a sync session.
pub fn write_sync_session_answer(answer: &SyncSessionAnswer) -> Vec<u8> {
    to_json(&Answer { signature: answer.signature.clone(), server_instance: answer.server_instance.clone() })
}

/// Reads the answer to a request for a sync session.
///
/// # Errors
/// It has no signature.
pub fn read_sync_session_answer(body: &[u8]) -> Result<SyncSessionAnswer, WireError> {
    let answer: Answer = from_json("the answer to a request for a sync session", body)?;
    Ok(SyncSessionAnswer { signature: answer.signature, server_instance: answer.server_instance })
}

/// Writes a sync session, as for a client that asks whether it is still open.
pub fn write_sync_session(session: &SyncSession) -> Vec<u8> {
    #[derive(Serialize)]
    struct Members<'a> {
        id: SyncSessionId,
        start_timestamp: String,
        last_activity_timestamp: String,
        active: bool,
        client_certificate: CertificateId,
        server_certificate: CertificateId,
        profile: &'a str,
        connection_kind: &'static str,
        connection_path: &'a str,
        client_ip: &'a str,
        server_ip: &'a str,
        client_instance: &'a str,
        server_instance: &'a str,
    }

    to_json(&Members {
        id: session.id,
        start_timestamp: timestamp(session.started_at),
        last_activity_timestamp: timestamp(session.last_activity_at),
        active: session.is_active,
        client_certificate: session.client_certificate,
        server_certificate: session.server_certificate,
        profile: &session.profile,
        connection_kind: "network",
        connection_path: &session.connection_path,
        client_ip: &session.client_ip,
        server_ip: &session.server_ip,
        client_instance: &session.client_instance_json,
        server_instance: &session.server_instance_json,
    })
}
