//! Two peers of which either may lack any of the capabilities: each pair understands each other.
//!
//! Goal: whatever the two share, everything arrives both ways, nothing travels twice where one prefix is synced, and nothing is
//! left behind. Method: all eight sets of capabilities on either side, met over `LocalPeer`.

use super::*;

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
