//! Whoever changes a row, and however: it is noticed.

use super::notebook::{Device, Note, Owner};

#[test]
fn rows_that_change_are_marked_until_they_are_serialized() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    assert_eq!(device.marks(), [format!("note:{}:0", note.id), format!("owner:{}:0", ada.id)]);
    device.serialize();
    assert!(device.marks().is_empty());
    device.change(note.id, |note: &mut Note| note.title = "bread".to_owned());
    assert_eq!(device.marks(), [format!("note:{}:0", note.id)]);
    device.serialize();
    device.delete::<Note>(note.id);
    assert_eq!(device.marks(), [format!("note:{}:0", note.id)]);
}

#[test]
fn cascades_are_noticed_and_hard_ones_are_hard() {
    let mut device = Device::new();
    let (ada, bob) = (device.owner("Ada"), device.owner("Bob"));
    let (hers, his) = (device.note(&ada, "hers"), device.note(&bob, "his"));
    device.serialize();
    device.delete::<Owner>(ada.id);
    device.hard_delete::<Owner>(bob.id);
    let mut expected = [
        format!("owner:{}:0", ada.id),
        format!("note:{}:0", hers.id),
        format!("owner:{}:1", bob.id),
        format!("note:{}:1", his.id),
    ];
    expected.sort();
    assert_eq!(device.marks(), expected);
    device.owner("Eve");
    assert_eq!(device.marks().iter().filter(|mark| mark.ends_with(":0")).count(), 3, "what comes after is not hard");
}

#[test]
fn that_a_row_was_deleted_for_good_is_known_though_it_is_there_again() {
    let mut device = Device::new();
    let ada = device.owner("Ada");
    let note = device.note(&ada, "milk");
    device.serialize();
    device.hard_delete::<Note>(note.id);
    assert_eq!(device.marks(), [format!("note:{}:1", note.id)]);
    device.insert(&Note { title: "again".to_owned(), ..note.clone() });
    assert_eq!(device.marks(), [format!("note:{}:1", note.id)]);
    device.delete::<Note>(note.id);
    assert_eq!(device.marks(), [format!("note:{}:1", note.id)]);
    device.serialize();
    device.insert(&Note { title: "again".to_owned(), ..note.clone() });
    assert_eq!(device.marks(), [format!("note:{}:0", note.id)]);
}
