//! Stories of two engines that meet over HTTP, and of callers that are no peers.

#![cfg(all(feature = "client", feature = "server"))]

#[expect(dead_code, reason = "the stories without a line need more of it")]
#[path = "engine/memory.rs"]
mod memory;

use std::io::{Read, Write};
use std::net::TcpStream;

use morango::client::HttpPeer;
use morango::identity::SystemFacts;
use morango::model::Registry;
use morango::port::{CertificateQuery, Peer, TransferSessionRequest};
use morango::prelude::*;
use morango::scope::ScopeDefinitionSource;
use morango::server::Server;
use morango::{Result, wire};

use memory::{Memory, PROFILE};

const WHOLE: ScopeDefinitionSource = ScopeDefinitionSource {
    profile: PROFILE,
    id: "whole-notebook",
    version: 1,
    primary: Some("owner_id"),
    description: "Everything of ${owner_id}",
    read: &[],
    write: &[],
    read_write: &["${owner_id}"],
};

/// The application's users: only Ada.
struct Ada;

impl Accounts for Ada {
    fn authorize(&self, credentials: &Credentials, _request: &GrantRequest<'_>) -> Result<()> {
        match (credentials.user.as_str(), credentials.password.as_str()) {
            ("ada", "secret") => Ok(()),
            ("ada", _) => Err(Error::unauthenticated("log in: the password is wrong")),
            _ => Err(Error::forbidden("grant a certificate: only Ada may have one")),
        }
    }
}

fn engine(memory: &Memory) -> Engine {
    let registry = Registry::builder().scope(&WHOLE).build().expect("a good definition");
    let facts = SystemFacts { hostname: "test".to_owned(), ..SystemFacts::default() };
    Engine::builder(memory.clone()).registry(registry).system_facts(facts).build().expect("an engine")
}

/// A laptop that owns a notebook and can be called, and a phone.
struct Pair {
    laptop: Memory,
    phone: Memory,
    engine: Engine,
    root: Certificate,
    server: Server,
}

impl Pair {
    fn new() -> Self {
        let (laptop, phone) = (Memory::default(), Memory::default());
        let (called, engine) = (engine(&laptop), engine(&phone));
        let root = called.create_root_certificate(PROFILE, "whole-notebook", &[]).expect("a root");
        let server = Server::bind(called.router(Ada), "127.0.0.1:0").expect("a free port");
        Self { laptop, phone, engine, root, server }
    }

    fn peer(&self) -> HttpPeer {
        HttpPeer::builder(&self.server.url()).compression_level(1).build().expect("a good address")
    }

    fn request(&self, user: &str, password: &str) -> Result<Certificate> {
        let owner = self.root.id().to_string();
        let credentials = Credentials::new(user, password);
        let params = [("owner_id", owner.as_str())];
        self.engine.request_certificate(&self.peer(), &self.root, "whole-notebook", &params, &credentials)
    }

    fn notes(&self) -> String {
        format!("{}:notes", self.root.id())
    }

    /// An answer to a request as it goes over the line: its head and its body.
    fn ask(&self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.server.address()).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: there\r\nConnection: close\r\n\r\n"))
    }
}

#[test]
fn two_peers_converge_over_http_and_leave_nothing_behind() {
    let pair = Pair::new();
    let certificate = pair.request("ada", "secret").expect("Ada may have it");
    let text = "something that is long enough to be worth compressing ".repeat(20);
    for number in 0..30 {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), &format!("{text}{number} Grüße"));
        pair.phone.save(&pair.notes(), &format!("p{number}"), &text);
    }
    let peer = pair.peer();
    let report = pair.engine.sync(&peer, &certificate, SyncOptions::both_ways().chunk_size(7)).expect("a good sync");
    assert!(report.is_clean() && report.records_transferred() == 60, "{report}");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
    let sent = peer.traffic().bytes_sent;
    assert!(sent < 30 * text.len() as u64, "chunks are compressed both ways: {sent} bytes sent");

    let again = pair.engine.sync(&peer, &certificate, SyncOptions::both_ways()).expect("nothing new");
    assert_eq!(again.records_transferred(), 0, "{again}");
}

#[test]
fn credentials_decide_who_is_given_a_certificate() {
    let pair = Pair::new();
    let kind = |user, password| pair.request(user, password).expect_err("refused").kind();
    assert_eq!(kind("ada", "guess"), ErrorKind::Unauthenticated);
    assert_eq!(kind("bob", "secret"), ErrorKind::Forbidden);

    let key = morango::identity::PrivateKey::generate().expect("a key");
    let request = morango::identity::CertificateRequest {
        profile: PROFILE.to_owned(),
        scope_definition_id: "whole-notebook".to_owned(),
        scope_version: 1,
        scope_params: format!(r#"{{"owner_id": "{}"}}"#, pair.root.id()),
        public_key: key.public_key().clone(),
    };
    let body = String::from_utf8(wire::write_certificate_request(&pair.root.id(), &request)).expect("text");
    let (head, body) = pair.ask(&format!(
        "POST /api/morango/v1/certificates/ HTTP/1.1\r\nHost: there\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert!(head.starts_with("http/1.1 401 ") && head.contains("www-authenticate: basic realm=\"api\""), "{head}");
    assert!(body.contains(r#""code":"unauthenticated""#), "{body}");
}

#[test]
fn what_nobody_knows_is_refused_with_a_code() {
    let pair = Pair::new();
    let peer = pair.peer();
    assert_eq!(
        peer.transfer_session(&morango::id::TransferSessionId::random()).expect_err("none").kind(),
        ErrorKind::SessionUnknown
    );
    let fetched = peer.fetch_chunk(&morango::id::TransferSessionId::random(), 0, 10);
    assert_eq!(fetched.expect_err("none").kind(), ErrorKind::SessionUnknown);
    let request = TransferSessionRequest {
        id: morango::id::TransferSessionId::random(),
        sync_session: morango::id::SyncSessionId::random(),
        direction: Direction::Pull,
        filter: Filter::everything(),
        client_fsic: None,
        records_total: None,
    };
    assert_eq!(peer.create_transfer_session(&request).expect_err("none").kind(), ErrorKind::SessionUnknown);
    peer.close_sync_session(&morango::id::SyncSessionId::random()).expect("what is not there is closed");
    let query = CertificateQuery::AncestorsOf { id: CertificateId::hash_of("nobody's"), profile: None };
    assert_eq!(peer.certificates(&query).expect("an empty list"), []);
}

#[test]
fn a_caller_that_is_no_peer_gets_json_and_a_status() {
    let pair = Pair::new();
    for (path, status, code) in [
        ("/api/morango/v1/morangoinfo/1/", "200", "\"capabilities\":["),
        ("/api/morango/v1/certificates/?ancestors_of=none", "200", "[]"),
        ("/api/morango/v1/publickey/", "403", "\"code\":\"forbidden\""),
        ("/api/morango/v1/nonces/", "405", "\"code\":\"method-not-allowed\""),
        ("/api/morango/v1/syncsessions/0/", "404", "\"code\":\"session-unknown\""),
        ("/api/morango/v1/buffers/", "400", "\"code\":\"invalid-input\""),
        ("/api/morango/v1/other/", "404", "\"code\":\"not-found\""),
        ("/api/morango/v1/", "404", "\"code\":\"not-found\""),
    ] {
        let (head, body) = pair.get(path);
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{path}: {head}");
        assert!(head.contains("content-type: application/json") && body.contains(code), "{path}: {body}");
    }
    let (head, _) =
        pair.ask("PUT /api/morango/v1/transfersessions/0/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("http/1.1 405 "), "{head}");
    let huge = "POST /api/morango/v1/syncsessions/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n";
    assert!(pair.ask(huge).0.starts_with("http/1.1 413 "));
    let broken =
        "POST /api/morango/v1/syncsessions/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{";
    assert!(pair.ask(broken).0.starts_with("http/1.1 400 "));
}

#[test]
fn the_router_lives_in_an_applications_own() {
    let memory = Memory::default();
    let app = axum::Router::new()
        .route("/", axum::routing::get(async || "the application"))
        .merge(engine(&memory).router(NoAccounts))
        .fallback(async || "and its own fallback");
    let server = Server::bind(axum::Router::new().nest("/below", app.clone()), "127.0.0.1:0").expect("a free port");
    let peer = HttpPeer::new(&format!("{}below", server.url())).expect("a good address");
    peer.nonce().expect("it answers below a path");
    let server = Server::bind(app, "127.0.0.1:0").expect("a free port");
    HttpPeer::new(&server.url()).expect("a good address").info().expect("it answers");
    server.shutdown();
}
