//! Devices that lose power in the middle of a sync: what they had not written to their disk is lost, and nothing else is.
//!
//! A storage that falls back to a copy of an earlier moment is what a database is after such an end: its last commits are gone, all
//! from one of them on, and never one without those after it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use morango::id::TransferSessionId;
use morango::port::{ProceedRequest, Storage as _};
use morango::prelude::*;
use morango::transfer::Responder;

use super::broken_line::{BrokenLine, Lost};
use super::{Memory, Pair};

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

/// How a client whose server fell back comes to call it again.
#[derive(Debug, Clone, Copy)]
enum CallsAgain {
    AtOnce,
    AfterABreak,
}

/// What comes to a server that fell back before its client calls again.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Nothing,
    /// A report of the client's, which was under way for long.
    LateReport,
    /// Something that has it queue anew, for nobody's counters. A Python peer does that by itself when the client goes on.
    Queuing,
}

impl Meanwhile {
    fn happen(self, responder: &Responder, storage: &Memory) {
        let request = match self {
            Self::Nothing => return,
            Self::LateReport => ProceedRequest {
                stage: Some(Stage::Transferring),
                records_transferred: Some(1),
                ..ProceedRequest::default()
            },
            Self::Queuing => ProceedRequest { stage: Some(Stage::Queuing), ..ProceedRequest::default() },
        };
        for transfer in open_transfers(storage) {
            // Whatever the server answers, nobody hears it.
            drop(responder.proceed(&transfer, &request));
        }
    }
}

fn open_transfers(storage: &Memory) -> Vec<TransferSessionId> {
    let of_sync = |id| storage.transfer_sessions(&id, 9).expect("the storage answers");
    let transfers = storage.open_sync_sessions().into_iter().flat_map(of_sync);
    transfers.filter(|transfer| transfer.is_active).map(|transfer| transfer.id).collect()
}

/// A pair whose phone lacks some of the laptop's records, and the pull that is to bring them.
fn pair_of_a_pull() -> (Pair, SyncOptions) {
    let pair = pair();
    pair.sync(SyncOptions::both_ways()).expect("a good sync");
    for changed in ["l1", "l4", "l7"] {
        pair.laptop.save(&pair.notes(), changed, "what the phone lacks");
    }
    (pair, SyncOptions::pull().chunk_size(1))
}

/// The first call at which the transfer of that pull is open.
fn first_call_within_the_transfer() -> usize {
    let (pair, options) = pair_of_a_pull();
    let (first, storage) = (Arc::new(Mutex::new(None)), pair.laptop.clone());
    let seen = Arc::clone(&first);
    let line = BrokenLine::sound(pair.peer()).before_calling(move |call| {
        if !open_transfers(&storage).is_empty() {
            seen.lock().expect("nobody panics with it").get_or_insert(call);
        }
    });
    pair.engine.sync(&line, &pair.certificate, options).expect("a good sync");
    let first = *first.lock().expect("nobody panics with it");
    first.expect("a transfer is opened")
}

/// Looks that what the phone claims of the laptop's records is there.
fn assert_hides_nothing(pair: &Pair, case: &str) {
    let (held, claims) = (pair.phone.store(), pair.phone.counters());
    for (id, record) in pair.laptop.store() {
        let is_claimed = claims.iter().any(|(partition, claim)| {
            record.partition.starts_with(partition)
                && claim.instance == record.last_saved.instance
                && claim.counter >= record.last_saved.counter
        });
        let is_held = held.get(&id).is_some_and(|held| held.counters.covers(&record.last_saved));
        assert!(is_held || !is_claimed, "{case}: {} is claimed and not there", record.source_id);
    }
}

/// Has the laptop fall back in the midst of a pull, from one call to an earlier one, and says how the pull ended. None where all was done
/// before.
fn pull_while_it_falls_back(
    (calls_again, meanwhile): (CallsAgain, Meanwhile),
    (from, to): (usize, usize),
) -> Option<morango::Result<SyncReport>> {
    let case = format!("{calls_again:?}, {meanwhile:?}, falls back from {from} to {to}");
    let (pair, options) = pair_of_a_pull();
    let line = match calls_again {
        CallsAgain::AtOnce => BrokenLine::sound(pair.peer()),
        CallsAgain::AfterABreak => BrokenLine::new(pair.peer(), from, Lost::Request),
    };
    let (copy, has_fallen_back) = (Mutex::new(None), Arc::new(AtomicBool::new(false)));
    let (storage, responder, fell) = (pair.laptop.clone(), pair.responder.clone(), Arc::clone(&has_fallen_back));
    let line = line.before_calling(move |call| {
        let mut copy = copy.lock().expect("nobody panics with it");
        if call == to {
            *copy = Some(storage.copy());
        } else if call == from {
            storage.fall_back_to(copy.as_ref().expect("it was copied"));
            meanwhile.happen(&responder, &storage);
            fell.store(true, Ordering::SeqCst);
        }
    });
    let mut outcome = pair.engine.sync(&line, &pair.certificate, options.clone());
    if !has_fallen_back.load(Ordering::SeqCst) {
        return None;
    }
    assert_hides_nothing(&pair, &case);
    if let Some(id) = outcome.as_ref().err().and_then(Error::sync_session) {
        outcome = pair.engine.resume(&pair.peer(), id, options);
        assert_hides_nothing(&pair, &case);
    }
    if let Err(error) = &outcome
        && error.kind() != ErrorKind::Connection
    {
        assert_eq!(error.kind(), ErrorKind::SessionGone, "{case}: {}", error.report());
    }
    pair.sync(SyncOptions::both_ways()).unwrap_or_else(|error| panic!("{case}: {}", error.report()));
    assert_hides_nothing(&pair, &case);
    assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{case}");
    assert!(!pair.phone.has_leftovers(), "{case}");
    Some(outcome)
}

/// A client in the midst of a pull has a place in a queue, and claims in the end what it was told of that queue. A server that made
/// another one since would have it pass over records that it claims.
#[test]
fn a_server_that_lost_what_it_did_since_any_call_of_a_pull_hides_no_record_from_the_client() {
    let first = first_call_within_the_transfer();
    for calls_again in [CallsAgain::AtOnce, CallsAgain::AfterABreak] {
        for meanwhile in [Meanwhile::Nothing, Meanwhile::LateReport, Meanwhile::Queuing] {
            let pulls_to = |to: usize| {
                let pulls = (to + 1..).map(move |from| pull_while_it_falls_back((calls_again, meanwhile), (from, to)));
                pulls.map_while(|outcome| outcome).collect::<Vec<_>>()
            };
            let pulls = (first..).map(pulls_to).take_while(|pulls| !pulls.is_empty());
            let (went_on, ended): (Vec<_>, Vec<_>) = pulls.flatten().partition(Result::is_ok);
            let gone = ended.into_iter().filter_map(Result::err).filter(|error| error.kind() == ErrorKind::SessionGone);
            let (went_on, gone) = (went_on.len(), gone.count());
            assert!(went_on > 0 && gone > 0, "{calls_again:?}, {meanwhile:?}: {went_on} went on, {gone} were gone");
        }
    }
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
