//! Who is let in: a sync session is opened for whoever shows all of their papers, and for nobody else.
//!
//! The laptop is asked by hand, with requests of which one part is wrong.

use morango::id::{NonceId, SyncSessionId};
use morango::identity::UnverifiedCertificate;
use morango::port::Storage;
use morango::session::{Side, SyncSession};

use super::resume::HandClock;
use super::*;

/// One part of a request made wrong.
type Forgery = fn(&mut SyncSessionRequest);

/// Signs a request with the key of the certificate that it is made for, which is in this storage.
fn sign(request: &mut SyncSessionRequest, storage: &dyn Storage) {
    let key = storage.private_key(&request.client_certificate).expect("the storage works").expect("its key");
    request.signature = key.sign(&format!("{}:{}", request.nonce, request.id)).expect("a sound key signs");
}

impl Pair {
    fn ask(&self, request: &SyncSessionRequest) -> Result<SyncSessionId> {
        self.responder.create_sync_session(&Caller::default(), request).map(|_| request.id)
    }
}

#[test]
fn whoever_lacks_one_of_their_papers_is_not_let_in_and_uses_up_no_nonce() {
    let pair = Pair::new();
    let good = pair.sync_session_request();
    let forgeries: [(Forgery, ErrorKind); 7] = [
        (|request| request.profile = "other".to_owned(), ErrorKind::CertificateInvalid),
        (|request| request.certificate_chain.clear(), ErrorKind::CertificateInvalid),
        (|request| request.id = SyncSessionId::random(), ErrorKind::SignatureInvalid),
        (|request| request.nonce = NonceId::random().to_string(), ErrorKind::SignatureInvalid),
        (|request| request.instance = "no JSON".to_owned(), ErrorKind::MessageMalformed),
        (|request| request.instance = as_long_as(limits::INSTANCE_BYTES_MAX + 1), ErrorKind::LimitExceeded),
        (
            |request| {
                let last = request.certificate_chain[0].clone();
                request.certificate_chain = vec![last; limits::CHAIN_CERTIFICATES_MAX + 1];
            },
            ErrorKind::LimitExceeded,
        ),
    ];
    for (forge, kind) in forgeries {
        let mut request = good.clone();
        forge(&mut request);
        assert_eq!(pair.ask(&request).expect_err("it is refused").kind(), kind);
    }
    assert!(pair.laptop.open_sync_sessions().is_empty());
    let whole = SyncSessionRequest { instance: as_long_as(limits::INSTANCE_BYTES_MAX), ..good };
    pair.ask(&whole).expect("everything is there, and the nonce is still good");
}

/// What a client says of its instance, in so many bytes.
fn as_long_as(bytes: usize) -> String {
    format!("{{{}}}", " ".repeat(bytes - 2))
}

#[test]
fn a_nonce_is_taken_once_and_within_its_minute() {
    let clock = HandClock::default();
    let laptop_clock = clock.clone();
    let pair = Pair::built("whole-notebook", move |laptop| laptop.clock(laptop_clock), |phone| phone);
    for (seconds, expected) in
        [(-1, Some("1 seconds after this moment")), (0, None), (59, None), (60, Some("60 seconds ago"))]
    {
        let request = pair.sync_session_request();
        clock.jump(seconds);
        let answer = pair.ask(&request);
        clock.jump(-seconds);
        match expected {
            None => assert_eq!(answer.expect("it is fresh"), request.id),
            Some(words) => {
                let error = answer.expect_err("it is not fresh");
                assert_eq!(error.kind(), ErrorKind::NonceInvalid);
                assert!(error.to_string().contains(words), "{error}");
            }
        }
        assert_eq!(pair.ask(&request).expect_err("it was used").kind(), ErrorKind::NonceInvalid, "{seconds} s");
    }
    for nonce in [NonceId::random().to_string(), "no nonce".to_owned()] {
        let mut request = SyncSessionRequest { nonce, ..pair.sync_session_request() };
        sign(&mut request, &pair.phone);
        assert_eq!(pair.ask(&request).expect_err("it is nobody's").kind(), ErrorKind::NonceInvalid);
    }
}

/// Anybody can make a root; what lies below it has nothing in common with what lies below ours.
#[test]
fn who_comes_with_a_root_of_their_own_is_not_let_in_and_nothing_of_theirs_is_kept() {
    let pair = Pair::new();
    let storage = Memory::default();
    let root = engine(&storage).create_root_certificate(PROFILE, "whole-notebook", &[]).expect("a root");
    let mut request = SyncSessionRequest {
        client_certificate: root.id(),
        certificate_chain: vec![UnverifiedCertificate::from(&root)],
        ..pair.sync_session_request()
    };
    sign(&mut request, &storage);
    assert_eq!(pair.ask(&request).expect_err("another's root").kind(), ErrorKind::CertificateInvalid);
    assert_eq!(pair.laptop.certificate(&root.id()).expect("the storage works"), None);
}

/// A certificate of the phone's making, of which the laptop has never heard.
#[test]
fn a_tablet_that_the_phone_let_in_is_let_in_by_the_laptop_too() {
    let pair = Pair::new();
    let (tablet, owner) = (Memory::default(), pair.owner().to_string());
    let phone = LocalPeer::new(pair.engine.responder(Ada));
    let (params, credentials) = ([("owner_id", owner.as_str())], Credentials::new("ada", "secret"));
    let asking = engine(&tablet);
    let granted = asking.request_certificate(&phone, &pair.certificate, "whole-notebook", &params, &credentials);
    let granted = granted.expect("Ada may have it");
    pair.laptop.save(&pair.notes(), "1", "milk");
    tablet.save(&pair.notes(), "2", "bread");
    let report = asking.sync(&pair.peer(), &granted, SyncOptions::both_ways()).expect("the chain holds");
    assert_eq!(report.records_transferred(), 2);
    assert_eq!(tablet.rows(), pair.laptop.rows());
}

#[test]
fn a_session_that_is_closed_or_in_which_this_peer_asks_is_none_to_a_caller() {
    let pair = Pair::new();
    let request = pair.sync_session_request();
    let id = pair.ask(&request).expect("a sync session");
    let session = pair.responder.sync_session(&id).expect("it is open");
    let theirs = SyncSession { side: Side::Client, ..session };
    pair.phone.create_sync_session(&theirs).expect("the phone keeps its side of it");
    let asked_by_us = pair.engine.responder(Ada).sync_session(&id).expect_err("the phone is no server in it");
    pair.responder.close_sync_session(&id).expect("it was open");
    let closed = pair.responder.sync_session(&id).expect_err("it is closed");
    assert_eq!([asked_by_us.kind(), closed.kind()], [ErrorKind::SessionUnknown; 2]);
}

#[test]
fn what_a_caller_says_of_its_way_here_is_noted_and_cut_where_it_is_endless() {
    let pair = Pair::new();
    let mut request = pair.sync_session_request();
    request.server_ip = "é".repeat(limits::IP_CHARS_MAX + 1);
    request.connection_path = "http://laptop/".to_owned();
    let caller = Caller { ip: "192.0.2.7".to_owned(), ..Caller::default() };
    pair.responder.create_sync_session(&caller, &request).expect("a sync session");
    let session = pair.responder.sync_session(&request.id).expect("it is open");
    assert_eq!((session.client_ip.as_str(), session.connection_path.as_str()), ("192.0.2.7", "http://laptop/"));
    assert_eq!(session.server_ip, "é".repeat(limits::IP_CHARS_MAX));
}
