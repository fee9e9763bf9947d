//! Every body but chunks: whatever bytes come, a reader panics at none of them, and what it read is written and read back alike.

#![no_main]

use std::fmt::Debug;
use std::sync::Arc;

use chrono::DateTime;
use libfuzzer_sys::fuzz_target;
use morango::counter::KeptFsic;
use morango::id::{CertificateId, NonceId, SyncSessionId};
use morango::identity::{Nonce, UnverifiedCertificate};
use morango::limits;
use morango::port::RemoteTransfer;
use morango::session::{Capabilities, Capability, Direction, Side, Stage, StageStatus, SyncSession, TransferSession};
use morango::wire::{self, Call, Telling, WireError};

fuzz_target!(|body: &[u8]| {
    info_and_nonces(body);
    certificates(body);
    sync_sessions(body);
    transfer_sessions(body);
    an_answered_transfer_session(body);
    problems(body);
    gzip(body);
});

/// What a reader made of a body, where it could read it. Why it could not is told in few words.
fn read<T>(outcome: Result<T, WireError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(error.to_string().chars().count() < 400, "{error}");
            None
        }
    }
}

/// Asserts that what was written is read as what it was.
fn comes_back<T: Debug + PartialEq>(value: &T, written: &[u8], reader: impl Fn(&[u8]) -> Result<T, WireError>) {
    match reader(written) {
        Ok(again) => assert_eq!(&again, value),
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(written)),
    }
}

fn info_and_nonces(body: &[u8]) {
    if let Some(info) = read(wire::read_info(body)) {
        comes_back(&info, &wire::write_info(&info, &serde_json::Map::new()), wire::read_info);
    }
    if let Some(text) = read(wire::read_nonce(body))
        && let Ok(id) = text.parse::<NonceId>()
    {
        let nonce = Nonce { id, issued_at: DateTime::UNIX_EPOCH, ip: text.clone() };
        comes_back(&text, &wire::write_nonce(&nonce), wire::read_nonce);
    }
}

fn certificates(body: &[u8]) {
    read(wire::read_certificate(body));
    if let Some(certificates) = read(wire::read_certificates(body)) {
        assert!(certificates.len() <= limits::CERTIFICATES_LISTED_MAX);
    }
    if let Some(chain) = read(wire::read_pushed_chain(body)) {
        assert!(chain.len() <= limits::CHAIN_CERTIFICATES_MAX);
        match wire::write_pushed_chain(&chain) {
            Ok(written) => comes_back(&chain, &written, wire::read_pushed_chain),
            Err(_) => assert!(chain.iter().any(|certificate| certificate.body().is_err())),
        }
    }
    if let Some((parent, request)) = read(wire::read_certificate_request(body)) {
        let written = wire::write_certificate_request(&parent, &request);
        comes_back(&(parent, request), &written, wire::read_certificate_request);
    }
    if let Some(key) = read(wire::read_shared_key(body)) {
        comes_back(&key, &wire::write_shared_key(&key), wire::read_shared_key);
    }
}

fn sync_sessions(body: &[u8]) {
    if let Some(request) = read(wire::read_sync_session_request(body)) {
        let is_readable = |certificate: &UnverifiedCertificate| certificate.body().is_ok();
        match wire::write_sync_session_request(&request) {
            Ok(written) => comes_back(&request, &written, wire::read_sync_session_request),
            Err(_) => assert!(!request.certificate_chain.iter().all(is_readable)),
        }
    }
    if let Some(answer) = read(wire::read_sync_session_answer(body)) {
        comes_back(&answer, &wire::write_sync_session_answer(&answer), wire::read_sync_session_answer);
    }
}

fn transfer_sessions(body: &[u8]) {
    let ours = Capabilities::ours();
    let flat = Capabilities::ours().without(Capability::FsicV2Format);
    let sync_session = read(wire::read_sync_session_of(body));
    if let Some(request) = read(wire::read_transfer_session_request(body)) {
        assert_eq!(sync_session, Some(request.sync_session));
        let written = wire::write_transfer_session_request(&request, &ours);
        comes_back(&request, &written, wire::read_transfer_session_request);
        let written = wire::write_transfer_session_request(&request, &flat);
        let told = wire::read_transfer_session_request(&written).expect("the other form is read as well");
        assert_eq!(told.filter.prefixes(), request.filter.prefixes());
        // In one map for all partitions nothing is said that is not true of each.
        let claims = told.client_fsic.iter().flat_map(|told| told.super_.values().flatten());
        for (instance, counter) in claims {
            let mut partitions = request.client_fsic.iter().flat_map(|fsic| fsic.sub.values());
            assert!(partitions.all(|counters| counters.get(instance).is_some_and(|has| has >= counter)));
        }
    }
    if let Some(request) = read(wire::read_proceed(body)) {
        comes_back(&request, &wire::write_proceed(&request, &ours), wire::read_proceed);
        read(wire::read_proceed(&wire::write_proceed(&request, &flat))).expect("the other form is read as well");
    }
}

/// What a server is told to answer is what a client reads.
fn an_answered_transfer_session(body: &[u8]) {
    let Some(remote) = read(wire::read_transfer_session(body)) else { return };
    let session = session_of(&remote);
    for telling in [Telling::Everything, Telling::Counters, Telling::Standing] {
        let written = wire::write_transfer_session(&session, &Capabilities::ours(), telling);
        let written = written.expect("its counters are whole");
        let has_counters = telling != Telling::Standing && session.stage > Stage::Initializing;
        let expected = RemoteTransfer {
            stage: Some(session.stage),
            status: Some(session.status),
            server_fsic: remote.server_fsic.clone().filter(|_| has_counters),
            ..remote.clone()
        };
        comes_back(&expected, &written, wire::read_transfer_session);
        assert_eq!(Telling::of(telling.as_str().unwrap_or_default()), telling);
    }
}

fn session_of(remote: &RemoteTransfer) -> TransferSession {
    // A session that tells no counters has not serialized yet.
    let stage = match (&remote.server_fsic, remote.stage) {
        (None, _) => Stage::Initializing,
        (Some(_), stage) => stage.unwrap_or(Stage::Queuing),
    };
    let certificate = CertificateId::hash_of("a certificate");
    let (id, began) = (SyncSessionId::hash_of("a sync session"), DateTime::UNIX_EPOCH);
    let sync = SyncSession::begin(id, Side::Server, "school", (certificate, certificate), began);
    TransferSession {
        stage,
        status: remote.status.unwrap_or(StageStatus::Completed),
        records_total: remote.records_total,
        records_transferred: remote.records_transferred,
        server_fsic: remote.server_fsic.as_ref().map(|fsic| KeptFsic::from(Arc::clone(fsic))).unwrap_or_default(),
        ..TransferSession::begin(&sync, remote.id, Direction::Pull, remote.filter.clone(), began)
    }
}

fn problems(body: &[u8]) {
    let excerpt = wire::excerpt_of_answer(body);
    assert!(excerpt.len() <= limits::QUOTED_ANSWER_BYTES_MAX && !excerpt.contains(char::is_control), "{excerpt:?}");
    for (call, status) in [
        (Call::RequestCertificate, 400),
        (Call::PushCertificates, 403),
        (Call::CreateSyncSession, 400),
        (Call::CreateTransferSession, 403),
        (Call::SendChunk, 500),
        (Call::FetchChunk, 404),
    ] {
        let error = wire::error_of_answer(call, status, body);
        let text = error.to_string();
        // A character that cannot be shown is quoted in some ten.
        assert!(text.len() < 200 + 10 * limits::QUOTED_ANSWER_BYTES_MAX, "{} bytes", text.len());
        assert!(!text.contains(char::is_control), "{text:?}");
        let told: wire::Problem = serde_json::from_slice(&wire::problem_body(&error)).expect("what we wrote");
        assert_eq!(told.code, error.kind().code());
    }
}

fn gzip(body: &[u8]) {
    const BYTES_MAX: usize = 100_000;
    if let Some(unpacked) = read(wire::decompress(body, BYTES_MAX)) {
        assert!(unpacked.len() <= BYTES_MAX);
        let again = wire::compress(&unpacked, 1);
        assert_eq!(wire::decompress(&again, unpacked.len()).expect("our own gzip"), unpacked);
    }
    if body.len() < 1_000 {
        let packed = wire::compress(body, 1);
        assert_eq!(wire::decompress(&packed, body.len()).expect("our own gzip"), body);
        assert!(body.is_empty() || wire::decompress(&packed, body.len() - 1).is_err());
    }
}
