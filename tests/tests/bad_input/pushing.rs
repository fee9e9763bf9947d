//! Certificates that are pushed: each is made for this peer, now, by somebody who may, and counts once.

use std::thread;
use std::time::Duration;

use morango::identity::{CertificateBody, PublicKey};
use morango::prelude::*;
use morango_examples::school::{FULL_FACILITY, SINGLE_USER};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::http::{Answer, Request};
use serde_json::{Value, json};

use super::papers::{Papers, body, chain_text, keys};
use super::school::{School, device_with, impatient, member};
use super::visitor::{Visitor, assert_refused};

/// A school whose server lets itself be given certificates.
fn open() -> School {
    let mut school = School::open();
    let clock = school.clock.clone();
    school.city.rebuild(|builder| builder.clock(clock).allow_certificate_pushing());
    // One of the stories' keys: to make one takes a while.
    school.city.storage().keep_shared_key(&keys().stranger).expect("the key is kept");
    school.url = school.city.serve(SchoolAccounts::admin());
    school
}

/// The key that the server shares.
fn shared_key(visitor: &Visitor) -> PublicKey {
    let answer = visitor.get("publickey/");
    assert_eq!(answer.status, 200);
    PublicKey::parse(answer.value()[0]["public_key"].as_str().expect("a text")).expect("a key")
}

/// What a good certificate says that a member makes for the server, with this salt.
fn text_with(visitor: &Visitor, salt: &str) -> CertificateBody {
    let params = json!({ "dataset_id": visitor.papers.dataset() });
    body(Some(visitor.papers.id()), &shared_key(visitor), Some(salt), FULL_FACILITY, &params)
}

fn text(visitor: &Visitor) -> CertificateBody {
    text_with(visitor, &visitor.nonce())
}

/// Pushes a certificate of this text, signed by the visitor.
fn push(visitor: &Visitor, text: &CertificateBody) -> Answer {
    push_chain(visitor, &visitor.papers.child_with(&keys().member, text))
}

fn push_chain(visitor: &Visitor, papers: &Papers) -> Answer {
    visitor.post("certificatechain/", &Value::String(chain_text(&papers.chain)))
}

/// The certificates in whose names the server speaks.
fn spoken_for(school: &School) -> Vec<CertificateId> {
    school.city.engine.certificates().expect("they can be read").iter().map(Into::into).collect()
}

#[test]
fn a_good_certificate_is_kept_and_spoken_for_and_the_key_stays() {
    let school = open();
    let visitor = school.visitor();
    let text = text(&visitor);
    assert_eq!(push(&visitor, &text).status, 201);
    assert!(spoken_for(&school).contains(&text.id));
    assert_eq!(shared_key(&visitor), shared_key(&visitor));
    // A device may now sync with the server in the name of this one.
    let home = member("home");
    let options = SyncOptions::both_ways().server_certificate(text.id);
    home.sync(&school.url, &Papers::member().certificate(), options);
    school.assert_works_on();
}

/// The owner of a certificate below the genuine one can put a counterfeit above it, and the server then speaks below that.
#[test]
fn a_pushed_chain_with_a_counterfeit_in_it_does_not_lock_the_genuine_one_out() {
    let school = open();
    let counterfeit = Papers::counterfeit();
    let params = json!({ "dataset_id": counterfeit.dataset(), "user_id": "ada" });
    let visitor = school.visitor_with(counterfeit.child(&keys().member, "class", SINGLE_USER, &params));
    let (key, nonce) = (shared_key(&visitor), visitor.nonce());
    let text = body(Some(visitor.papers.id()), &key, Some(&nonce), SINGLE_USER, &params);
    assert_eq!(push(&visitor, &text).status, 201);
    assert!(spoken_for(&school).contains(&text.id));

    let genuine = Papers::genuine();
    let server = device_with("server", &genuine);
    server.sync(&school.url, &genuine.certificate(), SyncOptions::pull());
    let class = school.add_class(&server, "from the genuine caller");
    server.sync(&school.url, &genuine.certificate(), SyncOptions::push());
    assert!(school.city.store().contains_key(&class), "it is not held to the counterfeit's scope");
    school.assert_works_on();
}

#[test]
fn a_server_that_does_not_allow_it_takes_and_shows_nothing() {
    let school = School::open();
    let visitor = school.visitor();
    assert_refused(&visitor.get("publickey/"), 403, "forbidden", "does not allow");
    for body in [json!("[]"), json!({}), json!("no chain")] {
        assert_refused(&visitor.post("certificatechain/", &body), 403, "forbidden", "does not allow");
    }
    let home = member("home");
    let params = [("dataset_id", visitor.papers.dataset())];
    let params = params.each_ref().map(|(name, value)| (*name, value.as_str()));
    let parent = Papers::member().certificate();
    let error = home.engine.push_certificate(&impatient(&school.url), &parent, FULL_FACILITY, &params);
    let error = error.expect_err("it does not allow that");
    assert_eq!(error.kind(), ErrorKind::PeerRefused);
    assert!(error.hint().is_some_and(|hint| hint.contains("allow")), "{error:?}");
    school.assert_works_on();
}

#[test]
fn what_is_no_chain_in_a_json_string_is_refused() {
    let school = open();
    let (visitor, before) = (school.visitor(), spoken_for(&school));
    let chain = visitor.papers.chain.clone();
    let as_list: Value = serde_json::from_str(&chain_text(&chain)).expect("a list");
    for body in [as_list, json!({}), json!(null), json!(7), json!("{}"), json!("["), json!("[7]"), json!("[{}]")] {
        assert_refused(&visitor.post("certificatechain/", &body), 400, "message-malformed", "failed to read");
    }
    let no_json = Request::new("POST", "certificatechain/").body("application/json", "no JSON");
    assert_refused(&visitor.send(no_json), 400, "message-malformed", "pushed chain");
    assert_refused(&visitor.post("certificatechain/", &json!("[]")), 403, "certificate-invalid", "empty");
    let long = Value::String(chain_text(&vec![chain[0].clone(); 65]));
    assert_refused(&visitor.post("certificatechain/", &long), 413, "limit-exceeded", "chain");
    assert_eq!(spoken_for(&school), before);
    school.assert_works_on();
}

#[test]
fn a_nonce_is_needed_that_is_ours_and_fresh_and_unused() {
    let school = open();
    let (visitor, before) = (school.visitor(), spoken_for(&school));
    for salt in ["", "no nonce", "0123456789abcdef0123456789abcdef"] {
        assert_refused(&push(&visitor, &text_with(&visitor, salt)), 403, "nonce-invalid", "nonce");
    }
    let late = text(&visitor);
    school.clock.advance(Duration::from_secs(61));
    assert_refused(&push(&visitor, &late), 403, "nonce-invalid", "nonce");
    assert_eq!(spoken_for(&school), before);

    let good = text(&visitor);
    assert_eq!(push(&visitor, &good).status, 201);
    assert_refused(&push(&visitor, &good), 403, "nonce-invalid", "used before");
    // Another certificate with the same nonce: its id is the same, but not what it says.
    let params = json!({ "dataset_id": visitor.papers.dataset(), "user_id": school.ada.to_string() });
    let other = CertificateBody {
        scope_definition_id: SINGLE_USER.to_owned(),
        scope_params: params.to_string(),
        ..good.clone()
    };
    assert_refused(&push(&visitor, &other), 403, "nonce-invalid", "used before");
    let kept = school.city.storage().certificate(&good.id).expect("it can be read").expect("it was kept");
    assert_eq!(kept.certificate.scope_definition_id(), FULL_FACILITY);
    school.assert_works_on();
}

#[test]
fn a_nonce_counts_once_however_many_push_with_it_at_one_time() {
    let school = open();
    let visitor = school.visitor();
    let text = text(&visitor);
    let papers = visitor.papers.child_with(&keys().member, &text);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let pushing: Vec<_> = (0..8)
            .map(|_| {
                let (url, papers) = (school.url.clone(), papers.clone());
                scope.spawn(move || push_chain(&Visitor::new(&url, Papers::member()), &papers).status)
            })
            .collect();
        pushing.into_iter().map(|one| one.join().expect("it was answered")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 7, "{statuses:?}");
    school.assert_works_on();
}

#[test]
fn a_certificate_for_another_key_is_not_ours_to_speak_for_and_uses_up_no_nonce() {
    let school = open();
    let (visitor, before) = (school.visitor(), spoken_for(&school));
    let nonce = visitor.nonce();
    let params = json!({ "dataset_id": visitor.papers.dataset() });
    let own = keys().member.public_key();
    let other = body(Some(visitor.papers.id()), own, Some(&nonce), FULL_FACILITY, &params);
    assert_refused(&push(&visitor, &other), 400, "private-key-missing", "another key");
    let no_key = CertificateBody { public_key_string: "no key".to_owned(), ..other };
    let answer = push(&visitor, &no_key);
    assert!(matches!(answer.status, 400 | 403), "{answer:?}");
    assert_eq!(spoken_for(&school), before);
    assert_eq!(push(&visitor, &text_with(&visitor, &nonce)).status, 201);
    school.assert_works_on();
}

#[test]
fn a_chain_that_widens_or_does_not_hold_is_refused_and_uses_up_no_nonce() {
    let school = open();
    let ada = school.ada.to_string();
    let (learner, before) = (school.visitor_with(Papers::learner(&ada)), spoken_for(&school));
    let nonce = learner.nonce();

    // A learner cannot give away the whole school.
    assert_refused(&push(&learner, &text_with(&learner, &nonce)), 400, "certificate-exceeds-parent", "parent");
    // Nor sign in the name of somebody else.
    let root = Papers::root();
    let params = json!({ "dataset_id": root.dataset() });
    let of_root = body(Some(root.id()), &shared_key(&learner), Some(&nonce), FULL_FACILITY, &params);
    let mut forged = root.clone();
    forged.key = keys().member.clone();
    let forged = forged.child_with(&keys().member, &of_root);
    assert_refused(&push_chain(&learner, &forged), 403, "signature-invalid", "signature");
    // Nor push a certificate that stands for itself.
    let alone = body(None, &shared_key(&learner), Some(&nonce), FULL_FACILITY, &params);
    let alone = Papers { chain: vec![super::papers::forge(&alone, &keys().member)], body: alone, ..root };
    let answer = push_chain(&learner, &alone);
    assert!(matches!(answer.status, 400 | 403), "{answer:?}");
    assert_eq!(spoken_for(&school), before);

    // Its own scope it may give.
    let params = json!({ "dataset_id": learner.papers.dataset(), "user_id": ada });
    let own = body(Some(learner.papers.id()), &shared_key(&learner), Some(&nonce), SINGLE_USER, &params);
    assert_eq!(push(&learner, &own).status, 201);
    school.assert_works_on();
}

#[test]
fn a_client_asks_for_nothing_that_it_may_not_give_and_keeps_only_what_was_taken() {
    let school = open();
    let ada = school.ada.to_string();
    let papers = Papers::learner(&ada);
    let tablet = super::school::device_with("tablet", &papers);
    let dataset = papers.dataset();
    let peer = impatient(&school.url);
    let push = |parent: CertificateId, scope: &str, params: &[(&str, &str)]| {
        tablet.engine.push_certificate(&peer, parent, scope, params).expect_err("it cannot be given").kind()
    };
    let whole = [("dataset_id", dataset.as_str())];
    assert_eq!(push(papers.id(), FULL_FACILITY, &whole), ErrorKind::CertificateExceedsParent);
    assert_eq!(push(Papers::root().id(), FULL_FACILITY, &whole), ErrorKind::PrivateKeyMissing);
    assert_eq!(push(papers.id(), "no such scope", &whole), ErrorKind::InvalidInput);
    let own = [("dataset_id", dataset.as_str()), ("user_id", ada.as_str())];
    let pushed = tablet.engine.push_certificate(&peer, papers.id(), SINGLE_USER, &own).expect("this may be given");
    let kept = tablet.storage().certificate(&pushed.id()).expect("it can be read").expect("it is kept");
    assert!(!kept.has_private_key, "the key is the server's");
    assert!(spoken_for(&school).contains(&pushed.id()));
    // Of one that is lost on the way nothing is kept.
    let stranger = Device::on(super::ON, "stranger");
    let error = stranger.engine.push_certificate(&peer, papers.id(), SINGLE_USER, &own).expect_err("no papers");
    assert_eq!(error.kind(), ErrorKind::CertificateUnknown);
    school.assert_works_on();
}
