//! Syncs over a line that breaks: at every request in turn, before it arrives or before its answer comes back.
//!
//! Goal: a sync that is taken up again ends with the same data on both sides, and at most one chunk went over twice. Method: a
//! proxy that hangs up from a given request on.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango_tests::compare::assert_equal;
use morango_tests::device::Device;
use morango_tests::http::{Answer, Request};
use morango_tests::proxy::{Onward, Proxy};
use morango_tests::scripted::Reply;

use super::given::{Between, SCHOOL_RECORDS, empty_device, moved, root, serving_school, two_equal_devices};

/// What is lost of the request at which the line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    Request,
    Answer,
    /// The line breaks within the body.
    HalfAnAnswer,
}

/// A proxy that hangs up at this request, counted from 0, and at all that follow.
fn breaking(url: &str, breaks_at: usize, lost: Lost) -> Proxy {
    let count = AtomicUsize::new(0);
    Proxy::start(url, move |request, onward| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        match number.cmp(&breaks_at) {
            std::cmp::Ordering::Less => onward.forward(request),
            std::cmp::Ordering::Equal => match lost {
                Lost::Request => Reply::HangUp,
                Lost::Answer => {
                    onward.forward(request);
                    Reply::HangUp
                }
                Lost::HalfAnAnswer => onward.forward(request).cut(1),
            },
            std::cmp::Ordering::Greater => Reply::HangUp,
        }
    })
}

/// Records in the chunks that a proxy passed on, both ways.
fn chunks(request: &Request, answer: &Reply) -> usize {
    let Reply::Whole(answer) = answer else { return 0 };
    let records = |body: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        value.get("results").unwrap_or(&value).as_array().map_or(0, Vec::len)
    };
    match request.call().as_str() {
        "GET buffers/" => records(&answer.body),
        "POST buffers/" => records(&request.body),
        _ => 0,
    }
}

/// A proxy that counts the records that go over.
fn counting(url: &str, records: &Arc<AtomicUsize>) -> Proxy {
    let records = Arc::clone(records);
    Proxy::start(url, move |request: &Request, onward: &Onward| {
        let answer = onward.forward(request);
        records.fetch_add(chunks(request, &answer), Ordering::SeqCst);
        answer
    })
}

fn hurried(url: &str) -> HttpPeer {
    HttpPeer::builder(url).retry(RetryPolicy::NONE).without_compression().build().expect("the proxy's address")
}

const CHUNK: usize = 3;
/// Records that each side makes of its own: more than one chunk.
const MADE_APART: usize = 7;

/// A server that answers and a client: both have the school, and each has made records since.
fn devices(on: Between) -> (Device, Device, String) {
    let (server, client, school, url) = two_equal_devices(on);
    school.logs(&server, school.ada, MADE_APART);
    school.logs(&client, school.bert, MADE_APART);
    (server, client, url)
}

fn options() -> SyncOptions {
    SyncOptions::both_ways().chunk_size(CHUNK)
}

pub(super) fn a_line_that_breaks_at_any_request_is_gone_on_over_from_there(on: Between) {
    let mut resumed = 0;
    for lost in [Lost::Request, Lost::Answer, Lost::HalfAnAnswer] {
        // Every second request is enough here: each call is lost in one way or another.
        for breaks_at in (0..).step_by(2) {
            let (server, client, url) = devices(on);
            let records = Arc::new(AtomicUsize::new(0));
            let counted = counting(&url, &records);
            let proxy = breaking(&counted.url(), breaks_at, lost);
            let outcome = client.engine.sync(&hurried(&proxy.url()), root(), options());
            let is_whole = proxy.seen().len() <= breaks_at;
            if let Err(error) = outcome {
                assert!(error.is_retryable(), "{lost:?} {breaks_at}: {error:?}");
                let peer = hurried(&counted.url());
                let again = match error.sync_session() {
                    Some(id) => {
                        resumed += 1;
                        client.engine.resume(&peer, id, options())
                    }
                    None => client.engine.sync(&peer, root(), options()),
                };
                again.unwrap_or_else(|error| panic!("{lost:?} {breaks_at}: {}", error.report()));
            }
            assert_equal(&server, &client, &[]);
            let least = 2 * MADE_APART;
            let went = records.load(Ordering::SeqCst);
            assert!((least..=least + CHUNK).contains(&went), "{lost:?} {breaks_at}: {went} records went over");
            assert_eq!(client.engine.unfinished().expect("the list"), [], "{lost:?} {breaks_at}");
            if is_whole {
                break;
            }
        }
    }
    assert!(resumed > 20, "most requests are within a session: {resumed}");
}

pub(super) fn a_server_that_is_overloaded_for_a_moment_is_asked_again(on: Between) {
    for status in [429, 502, 503, 504] {
        let (server, client, url) = devices(on);
        let refused = Mutex::new(BTreeSet::new());
        let proxy = Proxy::start(&url, move |request, onward| {
            if refused.lock().expect("nobody panicked").insert(request.call()) {
                return Reply::Whole(Answer::html(status).with_header("Retry-After", "0"));
            }
            onward.forward(request)
        });
        let hurry = RetryPolicy { pause_first: Duration::from_millis(1), ..RetryPolicy::default() };
        let peer = HttpPeer::builder(&proxy.url()).retry(hurry).build().expect("the proxy's address");
        client.engine.sync(&peer, root(), options()).unwrap_or_else(|error| panic!("{status}: {}", error.report()));
        assert_equal(&server, &client, &[]);
    }
}

pub(super) fn a_server_that_fails_is_not_asked_again(on: Between) {
    let (_server, _school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let proxy = Proxy::start(&url, |request, onward| {
        if request.call() == "GET buffers/" { Reply::Whole(Answer::html(500)) } else { onward.forward(request) }
    });
    let error = client.attempt_sync(&proxy.url(), root(), options()).expect_err("it fails");
    assert_eq!((error.kind(), error.sync_session()), (ErrorKind::PeerRefused, None), "{error:?}");
    let asked = proxy.seen().iter().filter(|call| *call == "GET buffers/").count();
    assert_eq!(asked, 1);
    assert_eq!(client.engine.unfinished().expect("the list"), []);
    assert_eq!(moved(&client.sync(&url, root(), options())), (SCHOOL_RECORDS, 0));
}

pub(super) fn another_process_on_the_same_session_is_refused_while_it_is_at_work(on: Between) {
    let (server, _school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let other = client.builder().build().expect("another engine on the same database");
    let refused = Arc::new(Mutex::new(None));
    let (seen, other_url) = (Arc::clone(&refused), url.clone());
    let watched = options().on_event(move |event| {
        if let Event::Stage { stage: Stage::Dequeuing, phase: Phase::Started, .. } = event {
            let id = other.unfinished().expect("the list")[0].sync_session;
            let peer = HttpPeer::new(&other_url).expect("the address");
            let error = other.resume(&peer, id, options()).expect_err("it is at work");
            seen.lock().expect("nobody panicked").get_or_insert(error.kind());
        }
    });
    client.sync(&url, root(), watched);
    assert_eq!(*refused.lock().expect("nobody panicked"), Some(ErrorKind::SessionHeld));
    assert_equal(&server, &client, &[]);
}
