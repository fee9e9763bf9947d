//! Trees whose records move: to other parents, past each other, and in a ring.
//!
//! Goal: whatever is a tree in the end becomes one, in whatever order it comes; what is none waits, says so, and stands again
//! once somebody moves one of it. Method: shelves within shelves.

use morango::id::SyncId;
use morango::port::WaitingKind;
use morango::record::StoreRecord;

use super::library::{Device, Shelf, everything, foreign_shelf, kinds, moved};

fn parent_of(device: &mut Device, shelf: SyncId) -> Option<SyncId> {
    device.get::<Shelf>(shelf).expect("the shelf").parent_id
}

fn put(device: &mut Device, shelf: SyncId, parent: Option<SyncId>) {
    device.change(shelf, |shelf: &mut Shelf| shelf.parent_id = parent);
}

/// Shelves, each within the one before, which the device has as rows.
fn line(device: &Device, length: usize) -> Vec<StoreRecord> {
    let mut line: Vec<StoreRecord> = Vec::new();
    for number in 0..length {
        line.push(foreign_shelf(&format!("{number:05}"), line.last().map(|above| above.id)));
    }
    device.dequeue(line.clone());
    assert_eq!(device.deserialize().failures_total, 0);
    line
}

#[test]
fn two_shelves_swap_their_parents() {
    let mut device = Device::new("laptop");
    let (left, right) = (foreign_shelf("left", None), foreign_shelf("right", None));
    let (one, two) = (foreign_shelf("one", Some(left.id)), foreign_shelf("two", Some(right.id)));
    device.dequeue(vec![one.clone(), two.clone(), left.clone(), right.clone()]);
    device.deserialize();
    device.dequeue(vec![moved(&one, 2, Some(right.id)), moved(&two, 2, Some(left.id))]);
    assert_eq!(device.deserialize().written, 2);
    assert_eq!(parent_of(&mut device, one.id), Some(right.id));
    assert_eq!(parent_of(&mut device, two.id), Some(left.id));
}

#[test]
fn a_parent_and_its_child_change_places_in_whatever_order_they_come() {
    for is_parent_first in [true, false] {
        let mut device = Device::new("laptop");
        let line = line(&device, 3);
        // What was 0, 1, 2 from the top is 0, 2, 1 now.
        let mut moves = vec![moved(&line[1], 2, Some(line[2].id)), moved(&line[2], 2, Some(line[0].id))];
        if !is_parent_first {
            moves.reverse();
        }
        device.dequeue(moves);
        let report = device.deserialize();
        assert_eq!((report.written, report.failures_total), (2, 0), "{report:?}");
        assert_eq!(parent_of(&mut device, line[1].id), Some(line[2].id));
    }
}

#[test]
fn a_long_line_is_turned_upside_down() {
    for is_backwards in [false, true] {
        let mut device = Device::new("laptop");
        let line = line(&device, 300);
        let mut moves: Vec<StoreRecord> = line
            .iter()
            .enumerate()
            .map(|(number, shelf)| moved(shelf, 2, line.get(number + 1).map(|below| below.id)))
            .collect();
        if is_backwards {
            moves.reverse();
        }
        device.dequeue(moves);
        let report = device.deserialize();
        assert_eq!((report.written, report.failures_total), (300, 0), "{report:?}");
        assert_eq!(parent_of(&mut device, line[0].id), Some(line[1].id));
        assert_eq!(parent_of(&mut device, line[299].id), None);
    }
}

#[test]
fn shelves_that_two_devices_put_within_each_other_wait_until_one_is_moved() {
    let (mut school, mut home) = (Device::new("school"), Device::new("home"));
    let (one, two) = (school.shelf("one", None), school.shelf("two", None));
    home.pull(&school, &everything());
    put(&mut school, one, Some(two));
    put(&mut home, two, Some(one));

    let pulled = home.pull(&school, &everything());
    assert_eq!(kinds(&pulled.deserialized.failures), [WaitingKind::Cycle], "{pulled:?}");
    assert!(pulled.deserialized.failures[0].reason.contains("parent_id"), "{pulled:?}");
    let pushed = school.pull(&home, &everything());
    assert_eq!(kinds(&pushed.deserialized.failures), [WaitingKind::Cycle]);
    // Both tables hold trees; both stores hold the same.
    assert_eq!((parent_of(&mut home, one), parent_of(&mut school, two)), (None, None));
    assert_eq!(home.record(one).serialized, school.record(one).serialized);
    // A third device, which has rows of neither, has both wait.
    let third = Device::new("third");
    let pulled = third.pull(&home, &everything());
    assert_eq!(kinds(&pulled.deserialized.failures), [WaitingKind::Cycle, WaitingKind::Cycle]);

    // At home somebody takes the one out of the other again.
    put(&mut home, two, None);
    let report = home.deserialize();
    assert_eq!((report.written, report.failures_total), (1, 0), "{report:?}");
    for device in [&mut school, &mut { third }] {
        let pulled = device.pull(&home, &everything());
        assert_eq!(pulled.deserialized.failures_total, 0, "{pulled:?}");
        assert_eq!((parent_of(device, one), parent_of(device, two)), (Some(two), None));
    }
}

#[test]
fn below_shelves_that_form_a_ring_others_wait_and_no_end_of_them_stops_the_rest() {
    let device = Device::new("laptop");
    let names: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
    let ids: Vec<SyncId> = names.iter().map(|name| foreign_shelf(name, None).id).collect();
    let ring = names.iter().enumerate().map(|(number, name)| foreign_shelf(name, Some(ids[(number + 1) % ids.len()])));
    let below = foreign_shelf("below", Some(ids[7]));
    device.dequeue(ring.chain([below, foreign_shelf("alone", None)]).collect());
    let report = device.deserialize();
    assert_eq!((report.written, report.failures_total), (1, 2_001));
    assert!(
        kinds(&report.failures).iter().all(|kind| *kind == WaitingKind::Cycle || *kind == WaitingKind::ForeignKeyWaits)
    );
    assert_eq!(device.deserialize().failures_total, 2_001);
}

#[test]
fn rows_that_form_a_line_are_not_turned_into_a_ring_by_one_of_many_moves() {
    let mut device = Device::new("laptop");
    let line = line(&device, 500);
    // The first goes below the last, whose others stay; and some at the end go elsewhere.
    let mut moves = vec![moved(&line[0], 2, Some(line[499].id))];
    moves.extend(line[490..].iter().map(|shelf| moved(shelf, 2, Some(line[3].id))));
    device.dequeue(moves);
    let report = device.deserialize();
    assert_eq!((report.written, kinds(&report.failures)), (10, vec![WaitingKind::Cycle]), "{report:?}");
    assert_eq!(parent_of(&mut device, line[0].id), None);
}

#[test]
fn a_shelf_that_claims_to_stand_within_itself_stops_nobody() {
    let device = Device::new("laptop");
    let shelf = foreign_shelf("itself", None);
    device.dequeue(vec![moved(&shelf, 1, Some(shelf.id)), foreign_shelf("other", None)]);
    let report = device.deserialize();
    assert_eq!(report.written + report.failures_total, 2);
    device.serialize();
}
