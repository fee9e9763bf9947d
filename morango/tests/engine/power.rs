//! Devices that lose power in the middle of a sync: what they had not written to their disk is lost, and nothing else is.
//!
//! A storage that falls back to a copy of an earlier moment is what a database is after such an end: its last commits are gone, all
//! from one of them on, and never one without those after it.

use std::sync::{Arc, Mutex};

use morango::port::Storage as _;
use morango::prelude::*;

use super::Pair;
use super::broken_line::{BrokenLine, Lost};

const RECORDS: u64 = 10;

fn pair() -> Pair {
    let pair = Pair::new();
    for number in 0..RECORDS {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    pair
}

/// What is done when so many records went over in this direction.
fn when(direction: Direction, done: u64, act: impl Fn() + Send + Sync + 'static) -> SyncOptions {
    SyncOptions::both_ways().chunk_size(2).on_event(move |event| {
        if let Event::Stage { direction: of, phase: Phase::InProgress(progress), stage: Stage::Transferring, .. } =
            event
            && (*of, progress.done) == (direction, done)
        {
            act();
        }
    })
}

#[test]
fn a_server_that_lost_what_it_was_sent_is_sent_it_again_in_the_same_sync() {
    for lost_at in [4, 6, 8] {
        let pair = pair();
        let line = BrokenLine::sound(pair.peer());
        let copy = Arc::new(Mutex::new(None));
        let (kept, storage) = (Arc::clone(&copy), pair.laptop.clone());
        let options = when(Direction::Push, 2, move || {
            kept.lock().expect("nobody panics with it").get_or_insert_with(|| storage.copy());
        });
        let (kept, storage) = (Mutex::new(Some(copy)), pair.laptop.clone());
        let options = options.on_event(move |event| {
            let Event::Stage { direction: Direction::Push, phase: Phase::InProgress(progress), .. } = event else {
                return;
            };
            if progress.done == lost_at
                && let Some(copy) = kept.lock().expect("nobody panics with it").take()
            {
                storage.fall_back_to(copy.lock().expect("nobody panics with it").as_ref().expect("it was copied"));
            }
        });
        let report = pair.engine.sync(&line, &pair.certificate, options);
        let report = report.expect("the server says where it stands");
        assert_eq!(pair.laptop.rows(), pair.phone.rows(), "lost at {lost_at}");
        assert_eq!(report.push.expect("pushed").records_transferred, RECORDS);
        let again = lost_at - 2 + 2;
        assert_eq!(line.records("send"), RECORDS + again, "what was lost, and the chunk that was refused");
        assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
    }
}

#[test]
fn the_next_chunk_is_fetched_when_the_one_before_it_is_kept() {
    let pair = pair();
    let (storage, fetched) = (pair.phone.clone(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&fetched);
    let line = BrokenLine::sound(pair.peer()).before_fetching(move |id, offset| {
        let session = storage.transfer_session(id).expect("the storage answers").expect("it is open");
        seen.lock().expect("nobody panics with it").push((offset, session.records_transferred));
    });
    pair.engine.sync(&line, &pair.certificate, SyncOptions::pull().chunk_size(3)).expect("a good sync");
    let fetched = fetched.lock().expect("nobody panics with it");
    assert_eq!(*fetched, [0, 3, 6, 9].map(|kept| (kept, kept)), "an end at any moment costs no more than one chunk");
}

#[test]
fn a_server_that_lost_more_than_records_ends_the_sync_and_the_next_one_brings_everything() {
    let pair = pair();
    let before = pair.laptop.copy();
    let (storage, times) = (pair.laptop.clone(), Arc::new(Mutex::new(0)));
    let options = SyncOptions::push().chunk_size(2).on_event(move |event| {
        let Event::Stage { phase: Phase::InProgress(_), stage: Stage::Transferring, .. } = event else { return };
        let mut times = times.lock().expect("nobody panics with it");
        *times += 1;
        if *times == 2 {
            storage.fall_back_to(&before);
        }
    });
    pair.sync(options).expect_err("the server does not know the session any more");
    pair.sync(SyncOptions::both_ways()).expect("a new one");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn a_client_that_lost_power_goes_on_from_what_it_still_has() {
    for (direction, call) in [(Direction::Pull, "fetch"), (Direction::Push, "send")] {
        for breaks_at in 0.. {
            let (pair, copy) = (pair(), Arc::new(Mutex::new(None)));
            let line = BrokenLine::new(pair.peer(), breaks_at, Lost::Request);
            let (kept, storage) = (Arc::clone(&copy), pair.phone.clone());
            let options = when(direction, 2, move || {
                kept.lock().expect("nobody panics with it").get_or_insert_with(|| storage.copy());
            });
            let error = pair.engine.sync(&line, &pair.certificate, options).expect_err("the line breaks");
            let id = error.sync_session();
            if line.records(call) < 8 {
                continue;
            }
            let copy = copy.lock().expect("nobody panics with it").take().expect("it was copied");
            pair.phone.fall_back_to(&copy);
            let options = SyncOptions::both_ways().chunk_size(2);
            pair.engine.resume(&pair.peer(), id.expect("it stays open"), options).expect("it goes on");
            assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{direction}");
            assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
            break;
        }
    }
}

/// The longest that a client can lose is what it did since it began, and it never knows how much that is.
#[test]
fn a_client_that_lost_what_it_did_since_any_call_goes_on_or_says_that_the_sync_is_gone() {
    let (mut went_on, mut gone) = (0, 0);
    for falls_back_to in 0.. {
        let mut has_broken = false;
        for breaks_at in falls_back_to.. {
            let (pair, copy) = (pair(), Arc::new(Mutex::new(None)));
            let (kept, storage) = (Arc::clone(&copy), pair.phone.clone());
            let line = BrokenLine::new(pair.peer(), breaks_at, Lost::Request).before_calling(move |call| {
                if call == falls_back_to {
                    *kept.lock().expect("nobody panics with it") = Some(storage.copy());
                }
            });
            let options = || SyncOptions::both_ways().chunk_size(4);
            let Err(error) = pair.engine.sync(&line, &pair.certificate, options()) else { break };
            has_broken = true;
            let copy = copy.lock().expect("nobody panics with it").take().expect("it was copied");
            pair.phone.fall_back_to(&copy);
            let case = format!("falls back to {falls_back_to}, breaks at {breaks_at}");
            if breaks_at % 2 == 1 {
                pair.phone.save(&pair.notes(), "l0", "what is queued anew is another");
                pair.phone.save(&pair.notes(), "p10", "and there is more of it");
            }
            if let Some(id) = error.sync_session() {
                match pair.engine.resume(&pair.peer(), id, options()) {
                    Ok(_) => went_on += 1,
                    Err(error) => {
                        let is_gone = matches!(error.kind(), ErrorKind::SessionGone | ErrorKind::SessionUnknown);
                        assert!(is_gone, "{case}: {}", error.report());
                        gone += 1;
                    }
                }
            }
            pair.sync(options()).unwrap_or_else(|error| panic!("{case}: {}", error.report()));
            assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{case}");
            assert!(!pair.phone.has_leftovers(), "{case}");
        }
        if !has_broken {
            break;
        }
    }
    assert!(went_on > 0 && gone > 0, "{went_on} went on, and {gone} did not");
}

#[test]
fn a_client_that_lost_what_it_had_queued_sends_it_again_or_says_that_the_sync_is_gone() {
    let mut ends = Vec::new();
    for breaks_at in 0.. {
        let (pair, copy) = (pair(), Arc::new(Mutex::new(None)));
        let line = BrokenLine::new(pair.peer(), breaks_at, Lost::Answer);
        let (kept, storage) = (Arc::clone(&copy), pair.phone.clone());
        let options = SyncOptions::push().chunk_size(2).on_event(move |event| {
            if matches!(event, Event::Stage { stage: Stage::Queuing, phase: Phase::Started, .. }) {
                kept.lock().expect("nobody panics with it").get_or_insert_with(|| storage.copy());
            }
        });
        let Err(error) = pair.engine.sync(&line, &pair.certificate, options) else { break };
        let Some(copy) = copy.lock().expect("nobody panics with it").take() else { continue };
        pair.phone.fall_back_to(&copy);
        let resumed =
            pair.engine.resume(&pair.peer(), error.sync_session().expect("it stays open"), SyncOptions::push());
        if let Err(gone) = &resumed {
            // The server is beyond taking records, and what would be queued now may be others.
            assert_eq!(gone.kind(), ErrorKind::SessionGone, "{breaks_at}: {gone:?}");
            assert!(gone.hint().is_some_and(|hint| hint.contains("new sync")), "{breaks_at}: {gone:?}");
        }
        ends.push(resumed.is_ok());
        pair.sync(SyncOptions::both_ways()).expect("a new one");
        assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{breaks_at}");
        assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers(), "{breaks_at}");
    }
    assert!(ends.contains(&true) && ends.contains(&false), "it breaks off before and after all is there: {ends:?}");
}
