//! A client among servers that misbehave: each of them is a few bytes behind a TCP port.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{HttpPeer, RetryPolicy};
use crate::id::{SyncSessionId, TransferSessionId};
use crate::port::{CertificateQuery, Clock, Peer, ProceedRequest, Traffic};
use crate::session::Capabilities;
use crate::{ErrorKind, limits, wire};

/// A server that gives its answers in turn, the last one for ever, one connection each. It keeps what it was asked.
struct Oddity {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Oddity {
    /// A server of whole answers, as they go over the line.
    fn answering(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let answers: Vec<Vec<u8>> = answers.into_iter().collect();
        let mut turn = 0;
        Self::doing(move |mut stream| {
            let answer = &answers[turn.min(answers.len() - 1)];
            turn += 1;
            // A client that has seen enough hangs up.
            let _ = stream.write_all(answer);
        })
    }

    fn doing(mut answer: impl FnMut(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}/", listener.local_addr().expect("it listens"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                notes.lock().expect("no holder panics").push(read_request(&mut stream));
                answer(stream);
            }
        });
        Self { address, asked }
    }

    fn peer(&self) -> HttpPeer {
        HttpPeer::builder(&self.address)
            .retry(RetryPolicy::NONE)
            .compression_level(1)
            .timeouts(Duration::from_secs(5), Duration::from_secs(5))
            .build()
            .expect("a good address")
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }
}

/// A request with its body, as text.
fn read_request(stream: &mut TcpStream) -> String {
    let (mut request, mut byte) = (Vec::new(), [0]);
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("the body that was announced");
    head + &String::from_utf8_lossy(&body)
}

fn whole(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut answer =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len())
            .into_bytes();
    answer.extend_from_slice(body);
    answer
}

const INFO: &str =
    r#"{"instance_id": "1", "capabilities": ["GZIP_BUFFER_POST", "FSIC_V2_FORMAT", "ASYNC_OPERATIONS"]}"#;

fn all_owned() -> CertificateQuery {
    CertificateQuery::Owned { profile: Some("note book".to_owned()) }
}

#[test]
fn html_wrong_json_and_wrong_statuses_are_answers_of_no_peer() {
    for answer in [
        whole("200 OK", "Content-Type: text/html\r\n", "<html><title>Welcome to the Wi-Fi</title></html>"),
        whole("200 OK", "", "[1, 2"),
        whole("200 OK", "", r#"{"name": "another service"}"#),
        whole("204 No Content", "", ""),
        whole("404 Not Found", "", "<html>Nothing</html>"),
        whole("200 OK", "Content-Encoding: br\r\n", INFO),
        whole("200 OK", "Content-Encoding: gzip\r\n", INFO),
    ] {
        let error = Oddity::answering([answer.clone()]).peer().info().expect_err("no peer");
        assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected, "{}", String::from_utf8_lossy(&answer));
        assert!(!error.is_retryable() && error.report().len() < 1_000, "{}", error.report());
    }
}

#[test]
fn what_the_peer_calls_a_certificate_or_a_session_must_be_one() {
    let peer = Oddity::answering([whole("200 OK", "", "{}")]).peer();
    assert_eq!(peer.certificates(&all_owned()).expect_err("none").kind(), ErrorKind::PeerAnswerUnexpected);
    let error = peer.transfer_session(&TransferSessionId::random()).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected);
}

#[test]
fn a_redirect_is_not_followed_and_is_named() {
    let elsewhere = Oddity::answering([whole("200 OK", "", INFO)]);
    let answer = whole("302 Found", &format!("Location: {}login\r\n", elsewhere.address), "");
    let error = Oddity::answering([answer]).peer().info().expect_err("a redirect");
    assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected);
    assert!(error.report().contains("/login"), "{}", error.report());
    assert!(elsewhere.asked().is_empty(), "nobody went there");
}

#[test]
fn an_endless_body_and_a_bomb_cost_a_bounded_amount_of_memory() {
    let endless = Oddity::doing(|mut stream| {
        let piece = vec![b'['; 100_000];
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&piece).is_ok() {}
    });
    let peer = endless.peer();
    assert_eq!(peer.info().expect_err("no end").kind(), ErrorKind::LimitExceeded);
    assert!(peer.traffic().bytes_received < 2 * limits::SMALL_BODY_BYTES_MAX as u64);

    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n[", 1_u64 << 40);
    let announced = Oddity::answering([announced.into_bytes()]).peer().info().expect_err("too long");
    assert_eq!(announced.kind(), ErrorKind::LimitExceeded);

    let bomb = wire::compress(&vec![b' '; limits::SMALL_BODY_BYTES_MAX + 1], 9);
    let bomb = Oddity::answering([whole("200 OK", "Content-Encoding: gzip\r\n", bomb)]).peer().info();
    assert_eq!(bomb.expect_err("a bomb").kind(), ErrorKind::LimitExceeded);
}

#[test]
fn a_connection_that_is_refused_or_breaks_off_may_be_tried_again() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}/", listener.local_addr().expect("it listens"))
    };
    let peer = HttpPeer::builder(&nobody).retry(RetryPolicy::NONE).build().expect("a good address");
    let error = peer.info().expect_err("nobody is there");
    assert!(error.kind() == ErrorKind::Connection && error.is_retryable(), "{}", error.report());

    let mut cut = whole("200 OK", "", INFO);
    cut.truncate(cut.len() - 5);
    for answer in [cut, b"HTTP/1.1 200 OK\r\nContent-".to_vec(), Vec::new()] {
        let error = Oddity::answering([answer]).peer().info().expect_err("it breaks off");
        assert!(error.kind() == ErrorKind::Connection && error.is_retryable(), "{}", error.report());
    }
}

#[test]
fn a_peer_that_never_answers_is_given_up() {
    let silent = Oddity::doing({
        let mut kept = Vec::new();
        move |stream| kept.push(stream)
    });
    let peer = HttpPeer::builder(&silent.address)
        .timeouts(Duration::from_secs(1), Duration::from_millis(50))
        .build()
        .expect("a good address");
    assert_eq!(peer.info().expect_err("silence").kind(), ErrorKind::Timeout);
    assert_eq!(silent.asked().len(), 1, "asking again would not help");
}

/// A clock whose pauses take no time.
#[derive(Default)]
struct NoPauses;

impl Clock for NoPauses {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn pause(&self, _: Duration) {}
}

#[test]
fn calls_are_repeated_where_that_is_safe_and_only_there() {
    let busy = || whole("503 Service Unavailable", "", r#"{"detail": "busy", "code": "storage-busy"}"#);
    let patient =
        |server: &Oddity| HttpPeer::builder(&server.address).clock(Arc::new(NoPauses)).build().expect("a good address");
    let server = Oddity::answering([busy(), Vec::new(), whole("200 OK", "", INFO)]);
    patient(&server).info().expect("the third try goes well");
    assert_eq!(server.asked().len(), 3);

    let server = Oddity::answering([whole("200 OK", "", INFO), busy()]);
    let peer = patient(&server);
    peer.info().expect("good");
    peer.nonce().expect_err("busy for ever");
    assert_eq!(server.asked().len(), 2 + usize::try_from(limits::CALL_RETRIES_MAX).expect("a small number"));

    let server = Oddity::answering([whole("200 OK", "", INFO), busy()]);
    let peer = patient(&server);
    peer.info().expect("good");
    let request = crate::port::SyncSessionRequest {
        id: SyncSessionId::random(),
        server_certificate: crate::id::CertificateId::random(),
        client_certificate: crate::id::CertificateId::random(),
        profile: "notebook".to_owned(),
        certificate_chain: Vec::new(),
        connection_path: String::new(),
        instance: "{}".to_owned(),
        nonce: "1".to_owned(),
        client_ip: String::new(),
        server_ip: String::new(),
        signature: String::new(),
    };
    peer.create_sync_session(&request).expect_err("its nonce is used up");
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn closing_what_is_closed_is_no_error() {
    let gone = whole("404 Not Found", "", r#"{"detail": "No TransferSession matches the given query."}"#);
    let peer = Oddity::answering([gone]).peer();
    peer.close_transfer_session(&TransferSessionId::random()).expect("it is closed");
    peer.close_sync_session(&SyncSessionId::random()).expect("it is closed");
    let error = peer.transfer_session(&TransferSessionId::random()).expect_err("but not known");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown);
}

#[test]
fn requests_say_what_we_can_and_are_counted_as_they_go_over_the_line() {
    let chunk = br#"{"count": 0, "next": null, "previous": null, "results": []}"#;
    let chunk = wire::compress(chunk, 6);
    let gzipped = whole("200 OK", "Content-Encoding: gzip\r\n", &chunk);
    let server = Oddity::answering([
        whole("200 OK", "", INFO),
        gzipped,
        whole("201 Created", "", ""),
        whole("200 OK", "", "[]"),
    ]);
    let peer = server.peer();
    peer.announce(&Capabilities::from_names(["GZIP_BUFFER_POST"]));
    let id = TransferSessionId::random();
    peer.info().expect("good");
    peer.info().expect("remembered");
    let before = peer.traffic();
    assert_eq!(peer.fetch_chunk(&id, 1_000, 500).expect("a page").len(), 0);
    let expected = Traffic { requests: 1, bytes_sent: 0, bytes_received: chunk.len() as u64 };
    assert_eq!(peer.traffic() - before, expected);
    peer.send_chunk(&id, 0, &[]).expect("taken");
    assert!(peer.traffic().bytes_sent > 0);
    peer.certificates(&all_owned()).expect("none");

    let asked = server.asked();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|request| request.contains("x-morango-capabilities: gzip_buffer_post\r\n")));
    let fetch = format!("get /api/morango/v1/buffers/?limit=500&offset=1000&transfer_session_id={id} http/1.1");
    assert!(asked[1].starts_with(&fetch), "{}", asked[1]);
    assert!(asked[1].contains("accept-encoding: gzip"));
    assert!(
        asked[2].starts_with("post /api/morango/v1/buffers/?offset=0 ")
            && asked[2].contains("content-type: application/gzip")
    );
    assert!(asked[3].starts_with("get /api/morango/v1/certificates/?profile=note+book "), "{}", asked[3]);
}

#[test]
fn a_peer_without_gzip_is_sent_plain_json_and_one_without_version_2_no_such_counters() {
    let id = TransferSessionId::random();
    let session = format!(r#"{{"id": "{id}", "filter": ""}}"#);
    let server = Oddity::answering([
        whole("200 OK", "", r#"{"instance_id": "1", "capabilities": []}"#),
        whole("201 Created", "", ""),
        whole("200 OK", "", session),
    ]);
    let peer = server.peer();
    peer.send_chunk(&id, 0, &[]).expect("taken");
    let request = ProceedRequest { client_fsic: Some(std::sync::Arc::default()), ..ProceedRequest::default() };
    peer.proceed(&id, &request).expect("a session");
    let asked = server.asked();
    assert!(asked[1].contains("content-type: application/json") && asked[1].ends_with("\r\n\r\n[]"), "{}", asked[1]);
    assert!(asked[2].ends_with(r#"{"client_fsic":"{}"}"#), "{}", asked[2]);
}

#[test]
fn a_peer_may_be_made_and_dropped_inside_an_async_program() {
    let server = Oddity::answering([whole("200 OK", "", INFO)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let peer = Arc::new(server.peer());
        let caller = Arc::clone(&peer);
        tokio::task::spawn_blocking(move || caller.info()).await.expect("no panic").expect("good");
        drop(peer);
    });
}

/// A certificate that signed itself, for `127.0.0.1` and a hundred years, and its key: made for these tests, and used nowhere else.
const SELF_SIGNED: &str = include_str!("tests/self_signed.pem");

/// A server behind TLS, and how often somebody came to it.
fn behind_tls() -> (String, Arc<Mutex<usize>>) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let certificate = CertificateDer::from_pem_slice(SELF_SIGNED.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(SELF_SIGNED.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("https://{}/", listener.local_addr().expect("it listens"));
    let came = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&came);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            *counted.lock().expect("no holder panics") += 1;
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let mut stream = rustls::StreamOwned::new(connection, stream.expect("a connection"));
            let mut asked = [0; 4096];
            // A client that trusts nobody hangs up.
            if stream.read(&mut asked).is_ok_and(|read| read > 0) {
                let _ = stream
                    .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = stream.flush();
            }
        }
    });
    (address, came)
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_and_not_tried_again() {
    let (address, came) = behind_tls();
    let builder = || HttpPeer::builder(&address).timeouts(Duration::from_secs(5), Duration::from_secs(5));
    let another_authority = include_str!("tests/another_authority.pem");
    for peer in [builder(), builder().trust_only(another_authority)] {
        *came.lock().expect("no holder panics") = 0;
        let error = peer.build().expect("a good address").info().expect_err("nobody vouches for it");
        assert_eq!(error.kind(), ErrorKind::PeerUntrusted, "{}", error.report());
        assert!(!error.is_retryable() && error.hint().is_some_and(|hint| hint.contains("trust_only")), "{error:?}");
        assert_eq!(*came.lock().expect("no holder panics"), 1, "it is refused again however often it is tried");
    }
    let trusting = builder().trust_only(SELF_SIGNED).retry(RetryPolicy::NONE).build().expect("a good address");
    let error = trusting.info().expect_err("the server is busy");
    assert_eq!(error.kind(), ErrorKind::PeerRefused, "{}", error.report());
}
