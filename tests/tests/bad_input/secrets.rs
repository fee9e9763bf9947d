//! Secrets: private keys and passwords, which nothing that is shown may hold.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use morango::client::HttpPeer;
use morango::identity::{PrivateKey, PublicKey};
use morango::port::{Credentials, GrantRequest};
use morango::prelude::*;
use morango::scope::ScopeParams;
use morango_diesel::{PostgresStorage, SqliteStorage};
use morango_examples::school::{PROFILE, SINGLE_USER};
use morango_tests::database::Database;
use morango_tests::device::SchoolAccounts;
use morango_tests::http::Request;
use serde_json::json;

use super::ON;
use super::papers::{Papers, keys};
use super::school::{School, failure, impatient, member};

const PASSWORD: &str = "correct-horse-battery";

/// Everything that was shown, and the pieces of secrets that must not be in it.
struct Shown {
    texts: Vec<(String, String)>,
    secrets: Vec<String>,
}

impl Shown {
    fn new() -> Self {
        let mut secrets = vec![PASSWORD.to_owned(), "YWRtaW46Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5".to_owned()];
        for key in [&keys().root, &keys().member, &keys().stranger] {
            let pem = key.to_pkcs1_pem();
            let lines = pem.lines().filter(|line| !line.starts_with("-----"));
            // The first lines of a private key hold the modulus, which the public one shows, too. A text may be cut anywhere.
            let private: String = lines.skip(6).collect();
            let pieces = private.as_bytes().chunks(20).filter(|piece| piece.len() == 20);
            secrets.extend(pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()));
        }
        Self { texts: Vec::new(), secrets }
    }

    fn debug(&mut self, name: &str, value: &impl Debug) {
        self.texts.push((name.to_owned(), format!("{value:?} {value:#?}")));
    }

    fn display(&mut self, name: &str, value: &impl Display) {
        self.texts.push((name.to_owned(), value.to_string()));
    }

    fn error(&mut self, name: &str, error: &morango::Error) {
        self.debug(name, error);
        self.display(name, error);
        self.texts.push((name.to_owned(), error.report()));
    }

    #[track_caller]
    fn assert_no_secret(&self) {
        for (name, text) in &self.texts {
            assert!(!text.is_empty(), "{name} shows something");
            let compact: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '\\').collect();
            for secret in &self.secrets {
                assert!(!text.contains(secret) && !compact.contains(secret), "{name} shows {secret:?}: {text}");
            }
            assert!(!text.contains("PRIVATE KEY"), "{name}: {text}");
        }
    }
}

#[test]
fn a_search_for_secrets_finds_them() {
    let mut shown = Shown::new();
    shown.display("a key in one line", &keys().root.to_pkcs1_pem().lines().skip(1).collect::<String>());
    let found = std::panic::catch_unwind(|| shown.assert_no_secret());
    assert!(found.is_err(), "or the other stories prove nothing");
}

#[test]
fn nothing_that_can_be_formatted_shows_a_key_or_a_password() {
    let school = School::open();
    let home = member("home");
    let papers = Papers::member();
    let credentials = Credentials::new("admin", PASSWORD);
    let params = ScopeParams::new([("dataset_id", papers.dataset())]).expect("parameters");
    let mut shown = Shown::new();
    shown.debug("key", &keys().root);
    shown.debug("public key", keys().root.public_key());
    shown.debug("certificate", &papers.certificate());
    shown.debug("certificate's body", &papers.body);
    shown.debug("chain", &papers.chain);
    shown.debug("kept certificates", &home.engine.certificates().expect("they can be listed"));
    shown.debug("credentials", &credentials);
    shown.debug("request", &GrantRequest { profile: PROFILE, scope_definition: SINGLE_USER, scope_params: &params });
    match ON {
        Database::Sqlite => {
            shown.debug("storage", home.sqlite());
            shown.debug("storage builder", &SqliteStorage::builder(home.database()));
        }
        Database::Postgres => {
            shown.debug("storage", &PostgresStorage::open(home.postgres_url()).expect("the database"));
            let url = format!("postgres://admin:{PASSWORD}@127.0.0.1:1/school");
            shown.debug("storage builder", &PostgresStorage::builder(url));
        }
    }
    shown.debug("engine", &home.engine);
    shown.debug("engine builder", &home.builder());
    shown.debug("registry", home.engine.registry());
    shown.debug("instance", &home.engine.instance());
    shown.debug("responder", &home.engine.responder(SchoolAccounts::admin()));
    shown.debug("options", &SyncOptions::both_ways());
    let peer = HttpPeer::new(&school.url).expect("a peer's address");
    shown.debug("peer", &peer);
    shown.debug("peer builder", &HttpPeer::builder(&school.url));
    let report = home.engine.sync(&peer, &papers.certificate(), SyncOptions::both_ways()).expect("a sync");
    shown.debug("report", &report);
    shown.display("report", &report);
    shown.assert_no_secret();
}

#[test]
fn no_error_shows_a_key_or_a_password() {
    let school = School::open();
    let home = member("home");
    let (root, papers) = (Papers::root(), Papers::member());
    let pem = keys().root.to_pkcs1_pem();
    let half = &pem[..pem.len() / 2];
    let mut shown = Shown::new();
    let dataset = root.dataset();
    let single = [("dataset_id", dataset.as_str()), ("user_id", "ada")];

    let wrong = Credentials::new("admin", PASSWORD);
    let asked = home.engine.request_certificate(&impatient(&school.url), root.id(), SINGLE_USER, &single, &wrong);
    shown.error("a wrong password", &asked.expect_err("it is wrong"));
    let url = format!("http://admin:{PASSWORD}@127.0.0.1:1/");
    shown.error("credentials in an address", &HttpPeer::new(&url).expect_err("they do not belong there"));
    shown.error("half a key", &PrivateKey::from_pkcs1_pem(half).expect_err("it is none").into());
    shown.error("a key for a public one", &PublicKey::parse(&pem).expect_err("it is none").into());
    let another = papers.certificate().sign_child(
        &keys().stranger,
        &morango::identity::CertificateRequest {
            profile: PROFILE.to_owned(),
            scope_definition_id: SINGLE_USER.to_owned(),
            scope_version: 1,
            scope_params: "{}".to_owned(),
            public_key: keys().member.public_key().clone(),
        },
        None,
        &**home.engine.registry(),
    );
    shown.error("the key of another", &another.expect_err("it does not fit").into());

    home.sql(&format!("UPDATE morango_certificate SET private_key = '{half}' WHERE private_key IS NOT NULL"));
    shown.error("a damaged key", &failure(&home, &school.url, SyncOptions::pull()));
    let read = home.storage().private_key(&papers.id()).expect_err("it is damaged");
    shown.error("a damaged key, read", &read);
    shown.assert_no_secret();
    school.assert_works_on();
}

#[test]
fn no_answer_shows_a_key_or_a_password() {
    let school = School::open();
    let visitor = school.visitor();
    let mut shown = Shown::new();
    let pem = keys().stranger.to_pkcs1_pem();
    let request = json!({
        "parent": school.dataset.to_string(), "profile": PROFILE, "scope_definition": SINGLE_USER, "scope_version": 1,
        "scope_params": "{}", "public_key": pem.as_str(),
    });
    let mut answers = BTreeMap::new();
    for authorization in ["Basic YWRtaW46c2VjcmV0", "Basic YWRtaW46Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"] {
        let asked = Request::new("POST", "certificates/").header("Authorization", authorization).json(&request);
        answers.insert(format!("a private key for a public one, {authorization:.8}"), asked.send(&school.url));
    }
    for path in ["morangoinfo/1/", "certificates/", "publickey/"] {
        answers.insert(path.to_owned(), visitor.get(path));
    }
    let below = format!("certificates/?primary_partition={}", school.dataset);
    answers.insert("certificates".to_owned(), visitor.get(&below));
    for (name, answer) in &answers {
        shown.debug(name, &answer.headers);
        shown.display(name, &String::from_utf8_lossy(&answer.body));
    }
    shown.assert_no_secret();
    school.assert_works_on();
}
