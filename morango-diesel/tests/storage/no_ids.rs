//! Rows with texts in place of ids that are none: where the columns of ids are texts, anybody may write them.

use morango::id::SyncId;
use morango::port::Unsent;

use super::database::NO_FOREIGN_KEYS;
use super::forgetting::{device, forget_with, hand_over, refusal};
use super::notebook::Device;

#[test]
fn a_row_that_cannot_become_a_record_is_told_of_and_tried_again_and_stops_no_other() {
    let mut device = Device::new();
    let stranger = SyncId::random();
    device.run(&format!("INSERT INTO owners (id, name) VALUES ('{stranger}', 'Eve')"));
    let ada = device.owner("Ada");
    device.run(&format!("INSERT INTO notes (id, owner_id, title) VALUES ('{}', '{}', 'x')", "UPPER", ada.id));
    for _ in 0..2 {
        let report = device.serialize();
        assert_eq!(report.set_aside_total, 2, "{report:?}");
        assert!(
            report.set_aside.iter().any(|aside| aside.id == stranger.to_string() && aside.reason.contains("`create`"))
        );
        assert!(report.set_aside.iter().any(|aside| aside.id == "UPPER"));
    }
    assert_eq!(device.records().len(), 1);
    device.run(&format!("DELETE FROM owners WHERE id = '{stranger}'; DELETE FROM notes WHERE id = 'UPPER'"));
    assert_eq!(device.serialize().set_aside_total, 0);
    assert!(device.marks().is_empty());
}

#[test]
fn a_row_with_a_value_that_its_field_cannot_hold_is_set_aside() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.run(NO_FOREIGN_KEYS);
    device.run(&format!("UPDATE notes SET owner_id = 'nobody', title = 'x' WHERE id = '{}'", note.id));
    let report = device.serialize();
    assert_eq!((report.updated, report.set_aside_total), (0, 1), "{report:?}");
    assert!(device.record(note.id).serialized.contains("milk"));
}

#[test]
fn a_change_that_cannot_be_serialized_is_not_forgotten() {
    let (mut device, ada, _, milk) = device();
    hand_over(&device, &[(ada.id.to_string(), 9)]);
    device.run(NO_FOREIGN_KEYS);
    device.run(&format!("UPDATE notes SET owner_id = 'nobody', title = 'x' WHERE id = '{}'", milk.id));
    assert_eq!(device.serialize().set_aside_total, 1);

    refusal(&device, &ada, 1);

    let forgotten = forget_with(&device, &ada, Unsent::Lost).expect("it may be lost");
    assert_eq!((forgotten.rows, forgotten.records, forgotten.unsent), (3, 3, 1));
    assert!(device.marks().is_empty(), "{:?}", device.marks());
}
