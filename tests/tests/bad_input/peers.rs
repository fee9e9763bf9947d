//! Peers that stop in the middle, answer something else, or never come to an end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use morango::client::HttpPeer;
use morango::port::Clock as _;
use morango::prelude::*;
use morango_tests::clock::HandClock;
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::http::Answer;
use morango_tests::proxy::Proxy;
use morango_tests::scripted::{Reply, Scripted};
use serde_json::{Value, json};

use super::papers::Papers;
use super::school::{School, failure, holding, impatient, member};

/// What is made of an answer.
type Change = fn(&mut Value);

/// The calls of a sync both ways, in their order, with something to send each way.
fn calls(school: &School, home: &Device) -> Vec<String> {
    school.add_class(home, "goes");
    school.add_class(&school.city, "comes");
    let proxy = Proxy::start(&school.url, |request, onward| onward.forward(request));
    home.sync(&proxy.url(), &Papers::member().certificate(), SyncOptions::both_ways());
    proxy.seen()
}

/// Syncs through a proxy that treats the requests from this one on as it likes.
fn sync_with(
    school: &School,
    home: &Device,
    from: usize,
    treat: impl Fn(&dyn Fn() -> Reply) -> Reply + Send + Sync + 'static,
) -> morango::Result<SyncReport> {
    let count = AtomicUsize::new(0);
    let proxy = Proxy::start(&school.url, move |request, onward| {
        let is_treated = count.fetch_add(1, Ordering::SeqCst) >= from;
        let forward = || onward.forward(request);
        if is_treated { treat(&forward) } else { forward() }
    });
    home.engine.sync(&impatient(&proxy.url()), &Papers::member().certificate(), SyncOptions::both_ways())
}

/// Lets a peer go silent at each call of a sync in turn, and asserts that the next sync makes good for it.
fn go_silent_at_each_call(treat: impl Fn(&dyn Fn() -> Reply) -> Reply + Send + Sync + Clone + 'static) {
    let school = School::open();
    let home = school.synced_member("home");
    let calls = calls(&school, &home);
    assert!(calls.len() > 10, "{calls:?}");
    for (number, call) in calls.iter().enumerate() {
        println!("{number}: {call}");
        let (here, there) = (school.add_class(&home, call), school.add_class(&school.city, call));
        match sync_with(&school, &home, number, treat.clone()) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
                assert!(error.is_retryable());
            }
            // All is done by then; the peer forgets the session by itself.
            Ok(_) => assert!(call.starts_with("DELETE "), "{call}"),
        }
        assert!(home.store().contains_key(&here) || number < 12, "nothing of ours is lost");
        home.sync(&school.url, &Papers::member().certificate(), SyncOptions::both_ways());
        assert!(home.store().contains_key(&there) && school.city.store().contains_key(&here));
    }
    assert!(home.waiting().is_empty() && school.city.waiting().is_empty());
    school.assert_syncs(&home);
}

#[test]
fn a_peer_that_is_gone_at_any_call_costs_no_record() {
    go_silent_at_each_call(|_| Reply::HangUp);
}

#[test]
fn an_answer_that_is_lost_at_any_call_costs_no_record() {
    go_silent_at_each_call(|forward| {
        forward();
        Reply::HangUp
    });
}

#[test]
fn an_answer_that_breaks_off_at_any_call_costs_no_record() {
    go_silent_at_each_call(|forward| forward().cut(5));
}

#[test]
fn something_else_that_answers_at_any_call_costs_no_record() {
    let school = School::open();
    let home = school.synced_member("home");
    let calls = calls(&school, &home);
    for (number, call) in calls.iter().enumerate() {
        for (status, kinds) in [
            // A page that welcomes to a network comes with 200. Where no answer is read, a later call notices.
            (200, &[ErrorKind::PeerAnswerUnexpected, ErrorKind::SessionConflict][..]),
            (302, &[ErrorKind::PeerAnswerUnexpected]),
            (403, &[ErrorKind::PeerRefused]),
            (404, &[ErrorKind::PeerAnswerUnexpected]),
            (500, &[ErrorKind::PeerRefused]),
            (503, &[ErrorKind::PeerRefused]),
        ] {
            println!("{number}: {call} {status}");
            let (here, there) = (school.add_class(&home, call), school.add_class(&school.city, call));
            match sync_with(&school, &home, number, move |_| Reply::Whole(Answer::html(status))) {
                Err(error) => {
                    assert!(kinds.contains(&error.kind()), "{error:?}");
                    assert_eq!(error.is_retryable(), status == 503, "{error:?}");
                    assert!(!error.to_string().contains("<html>"), "{error}");
                }
                Ok(_) => assert!(call.starts_with("DELETE ")),
            }
            // The next one may meet the session that nobody closed.
            home.sync(&school.url, &Papers::member().certificate(), SyncOptions::both_ways());
            assert!(home.store().contains_key(&there) && school.city.store().contains_key(&here));
        }
    }
    school.assert_syncs(&home);
}

#[test]
fn a_page_of_html_at_the_first_call_comes_with_advice() {
    let home = member("home");
    let before = holding(&home);
    for (answer, kind) in [
        (Answer::html(200), ErrorKind::PeerAnswerUnexpected),
        (Answer::html(404), ErrorKind::PeerAnswerUnexpected),
        (
            Answer::new(302, "text/html", "").with_header("Location", "https://elsewhere.example/"),
            ErrorKind::PeerAnswerUnexpected,
        ),
        (Answer::json(200, &json!({ "hello": "world" })), ErrorKind::PeerAnswerUnexpected),
        (Answer::json(200, &json!([1, 2, 3])), ErrorKind::PeerAnswerUnexpected),
        (Answer::new(200, "application/json", ""), ErrorKind::PeerAnswerUnexpected),
    ] {
        let page = answer.clone();
        let server = Scripted::start(move |_| Reply::Whole(page.clone()));
        let error = failure(&home, &server.url(), SyncOptions::both_ways());
        assert_eq!(error.kind(), kind, "{answer:?}: {error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("address")), "{error:?}");
        assert_eq!(server.seen(), ["GET morangoinfo/1/"], "nothing is shown to it");
    }
    assert_eq!(holding(&home), before);
}

#[test]
fn an_address_where_nobody_listens_may_be_tried_again() {
    let school = School::open();
    let home = member("home");
    let url = Scripted::start(|_| Reply::HangUp).url();
    let error = failure(&home, &url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.is_retryable() && error.to_string().contains("cannot be reached"), "{error:?}");
    school.assert_syncs(&home);
}

#[test]
fn a_line_that_drops_now_and_then_does_not_stop_a_sync() {
    let school = School::open();
    let home = school.synced_member("home");
    for number in 0..20 {
        school.add_class(&home, &format!("goes {number}"));
        school.add_class(&school.city, &format!("comes {number}"));
    }
    let count = AtomicUsize::new(0);
    let proxy = Proxy::start(&school.url, move |request, onward| {
        // What may not be asked twice is let through.
        let is_dropped = count.fetch_add(1, Ordering::SeqCst) % 3 == 1 && request.call() != "POST syncsessions/";
        let reply = onward.forward(request);
        if is_dropped { Reply::HangUp } else { reply }
    });
    let peer = HttpPeer::builder(&proxy.url()).clock(std::sync::Arc::new(HandClock::default())).build();
    let options = SyncOptions::both_ways().chunk_size(5);
    let report = home
        .engine
        .sync(&peer.expect("a peer's address"), &Papers::member().certificate(), options)
        .expect("each call is made again");
    assert!(report.is_clean(), "{report}");
    morango_tests::compare::assert_equal(&home, &school.city, &[]);
    school.assert_syncs(&home);
}

#[test]
fn a_peer_that_contradicts_itself_is_not_believed() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    let changes: [(&str, Change, ErrorKind); 12] = [
        ("a failed stage", |body| body["transfer_stage_status"] = json!("errored"), ErrorKind::PeerStageFailed),
        ("no stage", |body| body["transfer_stage"] = json!(null), ErrorKind::PeerAnswerUnexpected),
        ("a stage of its own", |body| body["transfer_stage"] = json!("dancing"), ErrorKind::PeerAnswerUnexpected),
        ("a status of its own", |body| body["transfer_stage_status"] = json!("tired"), ErrorKind::PeerAnswerUnexpected),
        ("no number of records", |body| body["records_total"] = json!(null), ErrorKind::PeerAnswerUnexpected),
        ("too great a number", |body| body["records_total"] = json!(1_u64 << 50), ErrorKind::LimitExceeded),
        ("a negative number", |body| body["records_total"] = json!(-1), ErrorKind::PeerAnswerUnexpected),
        ("no counters", |body| body["server_fsic"] = json!(null), ErrorKind::PeerAnswerUnexpected),
        ("counters that are none", |body| body["server_fsic"] = json!("[]"), ErrorKind::PeerAnswerUnexpected),
        (
            "counters from outside",
            |body| {
                let counters = json!({ "sub": { "elsewhere": { super::visitor::instance(): 5 } }, "super": {} });
                body["server_fsic"] = json!(counters.to_string());
            },
            ErrorKind::MessageMalformed,
        ),
        ("no id", |body| body["id"] = json!("none"), ErrorKind::PeerAnswerUnexpected),
        ("nothing", |body| *body = json!({}), ErrorKind::PeerAnswerUnexpected),
    ];
    for (how, change, kind) in changes {
        println!("{how}");
        let proxy = Proxy::start(&school.url, move |request, onward| {
            let reply = onward.forward(request);
            // A stage that takes long ends in an answer to how it stands.
            if !matches!(&*request.call(), "PATCH transfersessions/ID/" | "GET transfersessions/ID/") {
                return reply;
            }
            reply.change(|answer| {
                let mut body = answer.value();
                change(&mut body);
                answer.with_value(&body)
            })
        });
        let error = failure(&home, &proxy.url(), SyncOptions::pull());
        assert_eq!(error.kind(), kind, "{how}: {error:?}");
        assert!(error.hint().is_some() || kind != ErrorKind::PeerStageFailed, "{error:?}");
        assert!(!error.is_retryable(), "{error:?}");
    }
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn a_peer_that_never_ends_a_stage_is_given_up() {
    let school = School::open();
    let clock = HandClock::default();
    let mut home = member("home");
    home.rebuild(|builder| builder.clock(clock.clone()));
    let proxy = Proxy::start(&school.url, move |request, onward| {
        let reply = onward.forward(request);
        if !request.call().ends_with(" transfersessions/ID/") {
            return reply;
        }
        clock.advance(Duration::from_secs(60 * 60));
        reply.change(|answer| {
            let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
            body["transfer_stage"] = json!("serializing");
            body["transfer_stage_status"] = json!("started");
            answer.with_value(&body)
        })
    });
    let error = failure(&home, &proxy.url(), SyncOptions::pull());
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(error.is_retryable());
    school.assert_syncs(&home);
}

#[test]
fn a_peer_that_comes_no_nearer_and_does_not_say_that_it_works_is_given_up_within_minutes() {
    let school = School::open();
    let clock = HandClock::default();
    let mut home = member("home");
    home.rebuild(|builder| builder.clock(clock.clone()));
    let proxy = Proxy::start(&school.url, |request, onward| {
        let reply = onward.forward(request);
        if !request.call().ends_with(" transfersessions/ID/") {
            return reply;
        }
        reply.change(|answer| {
            let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
            body["transfer_stage"] = json!("serializing");
            body["transfer_stage_status"] = json!("pending");
            answer.with_value(&body)
        })
    });
    let error = failure(&home, &proxy.url(), SyncOptions::pull());
    assert_eq!(error.kind(), ErrorKind::PeerStageFailed, "{error:?}");
    assert!(error.is_retryable() && error.hint().is_some(), "{error:?}");
    assert_eq!(error.sync_session(), None, "to go on would be to ask in vain again");
    assert!(clock.elapsed() < Duration::from_secs(15 * 60), "{:?}", clock.elapsed());
    school.assert_syncs(&home);
}

#[test]
fn a_device_does_not_sync_with_itself_or_with_its_copy() {
    let school = School::open();
    let root = Papers::root();
    let error = school
        .city
        .engine
        .sync(&impatient(&school.url), &root.certificate(), SyncOptions::both_ways())
        .expect_err("it is the same instance");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("copy")), "{error:?}");
    school.assert_works_on();
}

#[test]
fn a_peer_whose_capabilities_do_not_reach_us_is_synced_with_as_one_of_old() {
    let school = School::open();
    let home = member("home");
    let proxy = Proxy::start(&school.url, |request, onward| {
        let reply = onward.forward(request);
        if request.call() != "GET morangoinfo/1/" {
            return reply;
        }
        reply.change(|answer| {
            let mut body = answer.value();
            body["capabilities"] = json!([]);
            answer.with_value(&body)
        })
    });
    school.assert_syncs_at(&home, &proxy.url());
}

#[test]
fn a_device_without_papers_does_not_sync() {
    let school = School::open();
    let stranger = Device::new("stranger");
    let error = failure(&stranger, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::CertificateUnknown);
    let papers = Papers::member();
    stranger.storage().save_certificates(&papers.certificates(), None).expect("certificates are kept");
    let error = failure(&stranger, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::PrivateKeyMissing);
    assert!(error.hint().is_some());
    // And one that has papers of another school finds nothing here.
    let mut other = Device::new("other");
    let root = other.found_school();
    other.serve(SchoolAccounts::admin());
    let error = other
        .engine
        .sync(&impatient(&school.url), &root, SyncOptions::both_ways())
        .expect_err("the two have no root in common");
    assert_eq!(error.kind(), ErrorKind::CertificateUnknown);
    assert!(error.hint().is_some());
    school.assert_works_on();
}
