//! Nonces: each opens one sync session, within a minute, for whoever signed it.

use std::thread;
use std::time::Duration;

use morango::ErrorKind;
use morango::id::{NonceId, SyncSessionId};
use morango::prelude::*;
use morango_tests::http::Answer;
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;
use serde_json::{Value, json};

use super::papers::{Papers, keys};
use super::school::{School, failure, holding, member};
use super::visitor::{Visitor, assert_refused};

/// A good request, but for this nonce, which is signed as it should be.
fn request_with(visitor: &Visitor, nonce: &str) -> Value {
    let mut request = visitor.session_request();
    let challenge = format!("{nonce}:{}", request["id"].as_str().expect("a text"));
    request["nonce"] = json!(nonce);
    request["signature"] = json!(visitor.papers.key.sign(&challenge).expect("a sound key signs"));
    request
}

#[test]
fn a_nonce_that_nobody_gave_opens_nothing() {
    let school = School::open();
    let (visitor, before) = (school.visitor(), school.holding());
    let long = "a".repeat(100_000);
    for nonce in [NonceId::random().to_string().as_str(), "", "no nonce", "\u{0}", "' OR 1=1 --", long.as_str()] {
        let request = request_with(&visitor, nonce);
        assert_refused(&visitor.post("syncsessions/", &request), 403, "nonce-invalid", "nonce");
        let id = request["id"].as_str().expect("a text");
        assert_refused(&visitor.get(&format!("syncsessions/{id}/")), 404, "session-unknown", id);
    }
    visitor.open_session();
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_nonce_opens_one_session_and_no_second() {
    let school = School::open();
    let visitor = school.visitor();
    let first = visitor.session_request();
    assert_eq!(visitor.post("syncsessions/", &first).status, 201);

    let again = request_with(&visitor, first["nonce"].as_str().expect("a text"));
    assert_refused(&visitor.post("syncsessions/", &again), 403, "nonce-invalid", "used before");
    // The very same request, as somebody on the line could send it again.
    assert_refused(&visitor.post("syncsessions/", &first), 403, "nonce-invalid", "used before");

    let id = first["id"].as_str().expect("a text");
    assert_eq!(visitor.get(&format!("syncsessions/{id}/")).status, 200, "the first one stays open");
    school.assert_works_on();
}

#[test]
fn a_nonce_opens_one_session_however_many_ask_with_it_at_one_time() {
    let school = School::open();
    let visitor = school.visitor();
    let nonce = visitor.nonce();
    let requests: Vec<Value> = (0..8).map(|_| request_with(&visitor, &nonce)).collect();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let asking = requests.iter().map(|request| {
            let url = &school.url;
            scope.spawn(move || Visitor::new(url, Papers::member()).post("syncsessions/", request).status)
        });
        let asking: Vec<_> = asking.collect();
        asking.into_iter().map(|asked| asked.join().expect("it is answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 7, "{statuses:?}");
    school.assert_works_on();
}

#[test]
fn a_nonce_is_good_for_a_minute() {
    let school = School::open();
    let visitor = school.visitor();
    let (young, old) = (visitor.session_request(), visitor.session_request());
    school.clock.advance(Duration::from_secs(59));
    assert_eq!(visitor.post("syncsessions/", &young).status, 201);
    school.clock.advance(Duration::from_secs(1));
    assert_refused(&visitor.post("syncsessions/", &old), 403, "nonce-invalid", "ask for a new one");
    assert_refused(&visitor.post("syncsessions/", &old), 403, "nonce-invalid", "nonce");
    visitor.open_session();
    school.assert_works_on();
}

#[test]
fn a_nonce_that_waits_is_forgotten_in_time_and_many_do_no_harm() {
    let school = School::open();
    let visitor = school.visitor();
    let early = visitor.session_request();
    school.clock.advance(Duration::from_secs(61));
    visitor.nonce();
    assert_refused(&visitor.post("syncsessions/", &early), 403, "nonce-invalid", "nonce");
    school.assert_works_on();
}

#[test]
fn a_signature_by_another_key_or_over_another_text_opens_nothing_and_leaves_the_nonce() {
    let school = School::open();
    let (visitor, before) = (school.visitor(), school.holding());
    let good = visitor.session_request();
    let (nonce, id) = (good["nonce"].as_str().expect("a text"), good["id"].as_str().expect("a text"));
    let other = SyncSessionId::random();
    for signature in [
        keys().stranger.sign(&format!("{nonce}:{id}")).expect("a sound key signs"),
        visitor.papers.key.sign(&format!("{nonce}:{other}")).expect("a sound key signs"),
        visitor.papers.key.sign(&format!("{id}:{nonce}")).expect("a sound key signs"),
        visitor.papers.key.sign(nonce).expect("a sound key signs"),
        String::new(),
        "no base64!".to_owned(),
        "AAAA".to_owned(),
        "A".repeat(100_000),
    ] {
        let mut request = good.clone();
        request["signature"] = json!(signature);
        assert_refused(&visitor.post("syncsessions/", &request), 403, "signature-invalid", "signature");
    }
    assert_eq!(visitor.post("syncsessions/", &good).status, 201, "whoever cannot sign uses no nonce up");
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_session_id_is_taken_once() {
    let school = School::open();
    let visitor = school.visitor();
    let first = visitor.session_request();
    assert_eq!(visitor.post("syncsessions/", &first).status, 201);
    let nonce = visitor.nonce();
    let id = first["id"].as_str().expect("a text");
    let mut second = first.clone();
    second["nonce"] = json!(nonce);
    second["signature"] = json!(visitor.papers.key.sign(&format!("{nonce}:{id}")).expect("a sound key signs"));
    assert_refused(&visitor.post("syncsessions/", &second), 409, "session-conflict", id);
    school.assert_works_on();
}

#[test]
fn a_server_whose_nonce_is_none_is_not_synced_with() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    for body in [json!({ "id": 7 }), json!({}), json!(null), json!([])] {
        let proxy = Proxy::start(&school.url, move |request, onward| match request.call().as_str() {
            "POST nonces/" => Reply::Whole(Answer::json(201, &body)),
            _ => onward.forward(request),
        });
        assert_eq!(failure(&home, &proxy.url(), SyncOptions::pull()).kind(), ErrorKind::PeerAnswerUnexpected);
        assert!(!proxy.seen().contains(&"POST syncsessions/".to_owned()), "nothing is signed");
    }
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn a_server_that_cannot_sign_as_its_certificate_is_not_synced_with() {
    let school = School::open();
    let home = school.synced_member("home");
    let before = holding(&home);
    let class = school.add_class(&home, "not to be sent");
    for signature in ["", "AAAA", &keys().stranger.sign("whatever").expect("a sound key signs"), &"A".repeat(1_000_000)]
    {
        let signature = signature.to_owned();
        let proxy = Proxy::start(&school.url, move |request, onward| {
            let reply = onward.forward(request);
            if request.call() != "POST syncsessions/" {
                return reply;
            }
            reply.change(|answer| {
                let mut body = answer.value();
                body["signature"] = json!(signature);
                answer.with_value(&body)
            })
        });
        let error = failure(&home, &proxy.url(), SyncOptions::both_ways());
        assert_eq!(error.kind(), ErrorKind::SignatureInvalid, "{error:?}");
        let seen = proxy.seen();
        assert!(!seen.iter().any(|call| call.contains("transfersessions")), "nothing is shown to it: {seen:?}");
    }
    assert_eq!(holding(&home).0, before.0);
    assert!(!school.city.store().contains_key(&class));
    school.assert_syncs(&home);
}
