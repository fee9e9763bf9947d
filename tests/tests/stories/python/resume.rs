//! A sync with a Python peer that is broken off, and gone on with.
//!
//! Goal: both sides end with the same, and at most one chunk goes over twice, whoever calls. Method: where we call, a proxy hangs up
//! in the middle; where Python calls, it breaks off after a chunk and resumes in the package's own way. One that is given up is begun anew.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use morango::client::{HttpPeer, RetryPolicy};
use morango::limits;
use morango::port::Clock as _;
use morango::prelude::*;
use morango_tests::clock::HandClock;
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;
use serde_json::json;

use super::meeting::{Caller, Cast, Meeting};
use super::school::{furnish, log};

const CHUNK: usize = 3;
/// A few more than are needed to come back to where the last line broke.
const REQUESTS_OF_A_LINE: usize = 7;
const TRIES_MAX: usize = 30;

fn options() -> SyncOptions {
    SyncOptions::both_ways().chunk_size(CHUNK)
}

/// Two peers with the same school, of whom each has made more than one chunk of records since.
fn devices(cast: Cast) -> Meeting {
    let mut meeting = Meeting::begin(cast);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.pull_all();
    let logs = |whose: &str| -> Vec<_> {
        (0..7).map(|number| log(&dataset, whose, &format!("lesson {number} of {whose}"))).collect()
    };
    meeting.server().create_many("contentlog", &logs(&school.ada));
    meeting.client().create_many("contentlog", &logs(&school.bert));
    meeting
}

fn peer(url: &str) -> HttpPeer {
    HttpPeer::builder(url).retry(RetryPolicy::NONE).build().expect("the address")
}

pub(super) fn a_line_that_breaks_is_gone_on_over_from_there(cast: Cast) {
    match cast.caller {
        Caller::Rust => we_go_on(cast),
        Caller::Python => python_goes_on(cast),
    }
}

/// The line breaks at some of the requests; the answer is lost each time.
fn we_go_on(cast: Cast) {
    let mut meeting = devices(cast);
    let certificate: CertificateId = meeting.certificate_of_rust().parse().expect("its id");
    let (mut left, mut broken) = (None, 0);
    for _ in 0..TRIES_MAX {
        let count = AtomicUsize::new(0);
        let proxy = Proxy::start(meeting.url(), move |request, onward| {
            let reply = onward.forward(request);
            if count.fetch_add(1, Ordering::SeqCst) < REQUESTS_OF_A_LINE { reply } else { Reply::HangUp }
        });
        // Its requests are forwarded even where their answers are lost: the worst that a line can do.
        let engine = &meeting.rust.engine;
        let outcome = match left {
            Some(id) => engine.resume(&peer(&proxy.url()), id, options()),
            None => engine.sync(&peer(&proxy.url()), certificate, options()),
        };
        match outcome {
            Ok(_) => break,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Connection, "{error:?}");
                broken += 1;
                left = error.sync_session().or(left);
            }
        }
    }
    assert!(broken > 2, "the line broke on the way");
    assert_eq!(meeting.rust.engine.unfinished().expect("the list"), [], "it got there in the end");
    meeting.assert_equal();
}

fn python_goes_on(cast: Cast) {
    let mut meeting = devices(cast);
    for direction in ["pull", "push"] {
        let (url, id) = (meeting.url().to_owned(), meeting.certificate_of_python().to_owned());
        let asked = json!({
            "url": url, "direction": direction, "client_certificate": id, "chunk_size": CHUNK, "stop_after_chunks": 1,
        });
        let broken = meeting.python.run("sync", asked);
        assert_eq!(broken["stopped"], true, "{broken}");
        let again = json!({
            "url": url, "direction": direction, "chunk_size": CHUNK - 1, "resume": broken["sync_session_id"],
        });
        let resumed = meeting.python.run("sync", again);
        assert_eq!(resumed["transfer_session_id"], broken["transfer_session_id"]);
        assert_eq!(resumed["records_transferred"], resumed["records_total"], "{resumed}");
    }
    meeting.assert_equal();
}

/// A push that its user gives up in the middle. The server that was told how many records come must not take the part for all of them.
pub(super) fn what_a_push_that_was_given_up_did_not_bring_comes_with_the_next(cast: Cast) {
    let mut meeting = devices(cast);
    let token = CancelToken::new();
    let cancel = token.clone();
    let options = SyncOptions::push().chunk_size(CHUNK).cancel_on(token).on_event(move |event| {
        if let Event::Stage { stage: Stage::Transferring, phase: Phase::InProgress(progress), .. } = event
            && progress.done >= 2 * CHUNK as u64
        {
            cancel.cancel();
        }
    });
    let certificate = meeting.our_certificate();
    let error = meeting.rust.attempt_sync(meeting.url(), &certificate, options).expect_err("it was given up");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");

    meeting.both_ways();

    meeting.assert_equal();
}

/// A server of Python's that is killed while it deserializes says `pending` of that stage ever after, as it does while it works.
pub(super) fn a_python_server_that_was_killed_while_deserializing_is_brought_to_its_end(cast: Cast) {
    let mut meeting = devices(cast);
    let certificate: CertificateId = meeting.certificate_of_rust().parse().expect("its id");
    let clock = HandClock::default();
    let engine = meeting.rust.builder().clock(clock.clone()).build().expect("an engine");
    let is_down = AtomicBool::new(false);
    let proxy = Proxy::start(meeting.url(), move |request, onward| {
        if request.method == "PATCH" && request.value()["transfer_stage"] == "deserializing" {
            is_down.store(true, Ordering::SeqCst);
        }
        if is_down.load(Ordering::SeqCst) { Reply::HangUp } else { onward.forward(request) }
    });
    let error = engine.sync(&peer(&proxy.url()), certificate, options()).expect_err("the server is down");
    let id = error.sync_session().unwrap_or_else(|| panic!("it can go on: {error:?}"));
    let killed =
        "UPDATE morango_transfersession SET transfer_stage = 'deserializing', transfer_stage_status = 'pending'
         WHERE active = %s";
    meeting.python.run("stored_sql", json!({"sql": killed, "params": [true]}));

    let before = clock.elapsed();
    engine.resume(&peer(meeting.url()), id, options()).expect("it is brought to its end");
    let waited = clock.elapsed().saturating_sub(before);
    let limit = Duration::from_secs(limits::STAGE_BEGUN_SECONDS);
    assert!(waited >= limit && waited < 2 * limit, "it might have been at work: {waited:?}");
    meeting.assert_equal();
}
