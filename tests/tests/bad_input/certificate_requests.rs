//! Requests for certificates: credentials that are none, and scopes that may not be granted.

use std::time::Duration;

use morango::id::CertificateId;
use morango::port::Credentials;
use morango::{ErrorKind, limits};
use morango_examples::school::{FULL_FACILITY, PROFILE, SINGLE_USER};
use morango_tests::http::{Answer, Request};
use serde_json::{Value, json};

use super::papers::{Papers, keys};
use super::school::{School, certificates_of, impatient, member};
use super::visitor::assert_refused;

const ADMIN: &str = "Basic YWRtaW46c2VjcmV0";

/// A good request for Ada's certificate.
fn request(school: &School) -> Value {
    json!({
        "parent": school.dataset.to_string(),
        "profile": PROFILE,
        "scope_definition": SINGLE_USER,
        "scope_version": 1,
        "scope_params": json!({ "dataset_id": school.dataset.to_string(), "user_id": school.ada.to_string() }).to_string(),
        "public_key": keys().stranger.public_key().as_str(),
    })
}

fn ask(school: &School, authorization: Option<&str>, body: &Value) -> Answer {
    let mut request = Request::new("POST", "certificates/").json(body);
    if let Some(authorization) = authorization {
        request = request.header("Authorization", authorization);
    }
    request.send(&school.url)
}

fn count(school: &School) -> i64 {
    certificates_of(&school.city)
}

#[test]
fn credentials_that_nobody_has_get_nothing_and_are_told_how_to_come() {
    let school = School::open();
    for authorization in [
        None,
        Some("Basic YWRtaW46d3Jvbmc="),     // admin:wrong
        Some("Basic bm9ib2R5OnNlY3JldA=="), // nobody:secret
        Some("Basic Og=="),                 // an empty name and an empty password
        Some("Basic YWRtaW4="),             // no colon
        Some("Basic no base64!"),
        Some("Basic //79OnNlY3JldA=="), // no UTF-8
        Some("Basic"),
        Some("Bearer YWRtaW46c2VjcmV0"),
        Some(""),
    ] {
        println!("{authorization:?}");
        let answer = ask(&school, authorization, &request(&school));
        assert_refused(&answer, 401, "unauthenticated", "");
        let how = answer.header("www-authenticate").expect("how to log in");
        assert!(how.starts_with("Basic "), "{how}");
    }
    assert_eq!(count(&school), 1);
    assert_eq!(ask(&school, Some(ADMIN), &request(&school)).status, 201);
    school.assert_works_on();
}

#[test]
fn who_guesses_a_password_has_to_wait_and_nobody_else() {
    let school = School::open();
    let wrong = Some("Basic YWRtaW46d3Jvbmc="); // admin:wrong
    for _ in 0..limits::GUESSES_FREE {
        assert_refused(&ask(&school, wrong, &request(&school)), 401, "unauthenticated", "");
    }
    // The right one is not even looked at, so nobody learns that it is right.
    assert_refused(&ask(&school, Some(ADMIN), &request(&school)), 401, "unauthenticated", "too many wrong ones");
    let ada = Some("Basic YWRhOnNlY3JldA==");
    assert_eq!(ask(&school, ada, &request(&school)).status, 201, "another user need not wait");
    school.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&school, Some(ADMIN), &request(&school)).status, 201, "and nobody for long");
    school.assert_works_on();
}

#[test]
fn who_spells_a_user_otherwise_with_each_guess_has_to_wait_too() {
    let school = School::open();
    let home = member("home");
    let (dataset, ada) = (school.dataset.to_string(), school.ada.to_string());
    let params = [("dataset_id", dataset.as_str()), ("user_id", ada.as_str())];
    let ask = |user: &str, password: &str| {
        let (peer, credentials) = (impatient(&school.url), Credentials::new(user, password));
        home.engine.request_certificate(&peer, Papers::root().id(), SINGLE_USER, &params, &credentials)
    };
    for number in 0..limits::GUESSES_FREE {
        let error = ask(&format!("username=admin&x={number}"), "wrong").expect_err("it is wrong");
        assert!(!error.report().contains("too many wrong ones"), "{}", error.report());
    }
    for user in ["username=admin&x=ten", "x=ten&admin", "admin"] {
        let error = ask(user, "secret").expect_err("it has to wait");
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.report().contains("too many wrong ones"), "{}", error.report());
    }
    school.clock.advance(Duration::from_secs(1));
    ask("username=admin&x=ten", "secret").expect("it has waited, and is right");
    school.assert_works_on();
}

#[test]
fn good_credentials_get_what_they_may_have_and_no_more() {
    let school = School::open();
    let ada = Some("Basic YWRhOnNlY3JldA==");
    let mut whole = request(&school);
    whole["scope_definition"] = json!(FULL_FACILITY);
    assert_refused(&ask(&school, ada, &whole), 403, "forbidden", FULL_FACILITY);
    let mut another = request(&school);
    another["scope_params"] = json!(json!({ "dataset_id": school.dataset.to_string(), "user_id": "ben" }).to_string());
    assert_refused(&ask(&school, ada, &another), 403, "forbidden", SINGLE_USER);
    assert_eq!(count(&school), 1);
    assert_eq!(ask(&school, ada, &request(&school)).status, 201);
    assert_eq!(count(&school), 2);
    school.assert_works_on();
}

#[test]
fn a_request_that_fits_no_parent_is_refused_with_its_reason() {
    let school = School::open();
    // The city speaks for a learner, too, and has heard of the member without having its key.
    let learner = Papers::learner(&school.ada.to_string());
    school
        .city
        .storage()
        .save_certificates(&learner.certificates(), Some((&learner.body.id, &learner.key)))
        .expect("certificates are kept");
    let before = count(&school);
    let other = Papers::root_of(&keys().stranger).dataset();
    let params = |value: Value| json!(value.to_string());
    let dataset = school.dataset.to_string();
    for (member, value, status, code) in [
        ("parent", json!(learner.id().to_string()), 400, "certificate-exceeds-parent"),
        ("parent", json!(CertificateId::random().to_string()), 400, "certificate-unknown"),
        ("parent", json!(Papers::member().id().to_string()), 400, "private-key-missing"),
        ("scope_params", params(json!({ "dataset_id": other })), 400, "certificate-exceeds-parent"),
        ("scope_params", params(json!({ "dataset_id": "" })), 403, "certificate-invalid"),
        ("scope_params", params(json!({})), 403, "certificate-invalid"),
        ("scope_params", params(json!({ "dataset_id": format!("{dataset}\nx") })), 403, "certificate-invalid"),
        ("scope_params", json!("no JSON"), 400, "invalid-input"),
        ("scope_params", params(json!({ "dataset_id": "x".repeat(20_000) })), 413, "limit-exceeded"),
        ("scope_definition", json!("made-up"), 403, "certificate-invalid"),
        ("scope_definition", json!(""), 403, "certificate-invalid"),
        ("scope_definition", json!("x".repeat(1_000)), 413, "limit-exceeded"),
        ("profile", json!("elsewhere"), 403, "certificate-invalid"),
        ("parent", json!("no id"), 400, "message-malformed"),
        ("public_key", json!("no key"), 400, "message-malformed"),
        ("public_key", json!("A".repeat(1_000_000)), 400, "message-malformed"),
        ("public_key", json!(keys().root.to_pkcs1_pem().as_str()), 400, "message-malformed"),
        ("scope_version", json!("one"), 400, "message-malformed"),
        ("scope_params", json!(null), 400, "message-malformed"),
    ] {
        println!("{member} {value:.60}");
        let mut request = request(&school);
        request["scope_definition"] = json!(FULL_FACILITY);
        request["scope_params"] = params(json!({ "dataset_id": dataset }));
        request[member] = value;
        let answer = ask(&school, Some(ADMIN), &request);
        assert_refused(&answer, status, code, "");
    }
    assert_eq!(count(&school), before);
    school.assert_works_on();
}

#[test]
fn a_client_is_told_why_it_is_given_no_certificate() {
    let school = School::open();
    let home = member("home");
    let stored = home.engine.certificates().expect("certificates can be listed").len();
    let (dataset, ada) = (school.dataset.to_string(), school.ada.to_string());
    let single = [("dataset_id", dataset.as_str()), ("user_id", ada.as_str())];
    let root = Papers::root().id();
    let unknown = CertificateId::random();
    for (user, password, parent, scope, kind) in [
        ("admin", "not-the-secret", root, SINGLE_USER, ErrorKind::Unauthenticated),
        ("nobody", "open-sesame", root, SINGLE_USER, ErrorKind::Unauthenticated),
        ("ada", "secret", root, FULL_FACILITY, ErrorKind::Forbidden),
        ("admin", "secret", unknown, SINGLE_USER, ErrorKind::CertificateUnknown),
    ] {
        let credentials = Credentials::new(user, password);
        let error = home
            .engine
            .request_certificate(&impatient(&school.url), parent, scope, &single, &credentials)
            .expect_err("it may not be had");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!error.is_retryable());
        assert_eq!(error.is_permission(), matches!(kind, ErrorKind::Unauthenticated | ErrorKind::Forbidden));
        assert!(
            password == "secret" || !error.report().contains(password),
            "no password is repeated: {}",
            error.report()
        );
    }
    assert_eq!(home.engine.certificates().expect("certificates can be listed").len(), stored);
    let credentials = Credentials::new("ada", "secret");
    home.engine
        .request_certificate(&impatient(&school.url), root, SINGLE_USER, &single, &credentials)
        .expect("what she may have");
    school.assert_syncs(&home);
}
