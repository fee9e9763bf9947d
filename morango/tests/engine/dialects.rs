//! Two peers of which either may lack any of the capabilities: each pair understands each other.
//!
//! Goal: whatever the two share, everything arrives both ways, nothing travels twice where one prefix is synced, and nothing is
//! left behind. Method: all eight sets of capabilities on either side, met over `LocalPeer`.

use super::*;
use crate::broken_line::BrokenLine;

const OPTIONAL: [Capability; 3] = [Capability::FsicV2Format, Capability::AsyncOperations, Capability::GzipBufferPost];

/// All eight sets of capabilities.
pub(crate) fn every_set() -> Vec<Capabilities> {
    let chosen = |number: usize| (0..OPTIONAL.len()).filter(move |bit| number >> bit & 1 == 1).map(|bit| OPTIONAL[bit]);
    (0..1 << OPTIONAL.len()).map(|number| chosen(number).collect()).collect()
}

#[test]
fn peers_understand_each_other_whatever_either_lacks() {
    for laptop_can in every_set() {
        for phone_can in every_set() {
            let told = format!("the laptop can {laptop_can:?}, the phone {phone_can:?}");
            let pair = Pair::that_can("whole-notebook", laptop_can.clone(), phone_can.clone());
            for number in 0..7 {
                pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
                pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
            }
            let both = || {
                pair.sync(SyncOptions::both_ways().chunk_size(3)).unwrap_or_else(|error| panic!("{told}: {error:?}"))
            };

            let first = both();
            assert!(first.is_clean(), "{told}: {first}");
            assert_eq!(first.records_transferred(), 14, "{told}: {first}");
            assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{told}");
            assert_eq!(pair.laptop.rows().len(), 14, "{told}");

            assert_eq!(both().records_transferred(), 0, "{told}: nothing is new");
            pair.laptop.save(&pair.notes(), "p1", "changed by the laptop");
            pair.phone.save(&pair.notes(), "l1", "changed by the phone");
            assert_eq!(both().records_transferred(), 2, "{told}");
            assert_eq!(pair.laptop.rows(), pair.phone.rows(), "{told}");
            assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers(), "{told}");
        }
    }
}

#[test]
fn an_edit_that_was_not_serialized_meets_what_a_server_without_asynchronous_operations_sends() {
    let old = Capabilities::ours().without(Capability::AsyncOperations);
    let pair = Pair::that_can("whole-notebook", old, Capabilities::ours());
    let note = pair.laptop.save(&pair.notes(), "1", "milk");
    pair.sync(SyncOptions::pull()).expect("a good sync");
    pair.laptop.save(&pair.notes(), "1", "bread");
    pair.phone.save(&pair.notes(), "1", "cheese");
    let report = pair.sync(SyncOptions::both_ways()).expect("a good sync");
    assert_eq!(report.conflicts(), 1, "{report}");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert_eq!(pair.phone.rows()[&note], "cheese");
}

#[test]
fn a_server_that_fails_while_it_closes_the_session_is_told_of_and_a_new_sync_goes_well() {
    for fault in [ErrorKind::Storage, ErrorKind::Internal] {
        let old = Capabilities::ours().without(Capability::AsyncOperations);
        let pair = Pair::that_can("whole-notebook", old, Capabilities::ours());
        pair.phone.save(&pair.notes(), "1", "milk");
        pair.laptop.fail_next_dequeuing(fault);
        pair.sync(SyncOptions::push()).expect_err("the server fails");
        assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
        pair.sync(SyncOptions::push()).expect("the fault is gone");
        assert_eq!(pair.laptop.rows(), pair.phone.rows());
    }
}

#[test]
fn a_server_that_fails_while_it_opens_the_transfer_says_so_and_a_new_sync_goes_well() {
    for fault in [ErrorKind::Storage, ErrorKind::Internal] {
        let old = Capabilities::ours().without(Capability::AsyncOperations);
        let pair = Pair::that_can("whole-notebook", old, Capabilities::ours());
        pair.laptop.save(&pair.notes(), "1", "milk");
        pair.laptop.fail_next_queuing(fault);
        let error = pair.sync(SyncOptions::pull()).expect_err("the server fails");
        // It failed, and its answer is not one that makes no sense.
        assert_ne!(error.kind(), ErrorKind::PeerAnswerUnexpected, "{}", error.report());
        assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
        pair.sync(SyncOptions::pull()).expect("the fault is gone");
        assert_eq!(pair.laptop.rows(), pair.phone.rows());
    }
}

/// Seven notes on either side, of which the phone syncs chunks of three.
fn pair_with_notes(laptop_can: Capabilities) -> Pair {
    let pair = Pair::that_can("whole-notebook", laptop_can, Capabilities::ours());
    for number in 0..7 {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    pair
}

/// Syncs until so much has gone over, or a stage has begun, and then no further; how often a transfer was to be closed there.
fn closings_of_one_given_up(
    pair: &Pair,
    options: SyncOptions,
    is_time: impl Fn(Stage, &Phase) -> bool + Send + Sync + 'static,
) -> usize {
    let (line, token) = (BrokenLine::sound(pair.peer()), CancelToken::new());
    let cancel = token.clone();
    let options = options.chunk_size(3).cancel_on(token).on_event(move |event| {
        if let Event::Stage { stage, phase, .. } = event
            && is_time(*stage, phase)
        {
            cancel.cancel();
        }
    });
    let error = pair.engine.sync(&line, &pair.certificate, options).expect_err("it was given up");
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
    line.closings()
}

fn has_gone_over(records: u64) -> impl Fn(Stage, &Phase) -> bool + Send + Sync + 'static {
    move |stage, phase| match phase {
        Phase::InProgress(progress) => stage == Stage::Transferring && progress.done >= records,
        Phase::Started | Phase::Completed | Phase::Errored(_) => false,
    }
}

fn at_once() -> Capabilities {
    Capabilities::ours().without(Capability::AsyncOperations)
}

/// A server that merges while it closes would merge the part that came, and might claim the rest.
#[test]
fn a_push_that_is_given_up_in_the_middle_is_not_closed_at_a_server_that_merges_while_it_closes() {
    let pair = pair_with_notes(at_once());
    assert_eq!(closings_of_one_given_up(&pair, SyncOptions::push(), has_gone_over(3)), 0);
    // Nor where nothing went over of what it was told to expect.
    let narrow = BrokenLine::narrow(pair.peer(), 0);
    let error = pair.engine.sync(&narrow, &pair.certificate, SyncOptions::push()).expect_err("no chunk goes through");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
    assert_eq!(narrow.closings(), 0);
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
    let both = pair.sync(SyncOptions::both_ways()).expect("the next one goes well");
    assert!(both.is_clean(), "{both}");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert_eq!(pair.phone.rows().len(), 14);
}

#[test]
fn whatever_else_is_given_up_is_closed_there() {
    let by_stage = pair_with_notes(Capabilities::ours());
    assert_eq!(
        closings_of_one_given_up(&by_stage, SyncOptions::push(), has_gone_over(3)),
        1,
        "it merges when asked to"
    );
    let pair = pair_with_notes(at_once());
    assert_eq!(closings_of_one_given_up(&pair, SyncOptions::pull(), has_gone_over(3)), 1, "a pull brings it nothing");
    let is_serializing = |stage, phase: &Phase| stage == Stage::Serializing && matches!(phase, Phase::Completed);
    assert_eq!(closings_of_one_given_up(&pair, SyncOptions::push(), is_serializing), 1, "it was told of no records");
    assert_eq!(closings_of_one_given_up(&pair, SyncOptions::push(), has_gone_over(7)), 1, "it has all of it");
    assert_eq!(pair.laptop.rows().len(), 14, "so that it merged them");
}
