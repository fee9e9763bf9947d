//! A device that may only read meets two changes that did not know each other, and may write later.
//!
//! Goal: neither change is lost, whichever way it comes to the others. Method: a learner's phone pulls from a teacher and from the school,
//! which changed one note apart, and is then granted the right to write, with which it is the first to reach the school.

use morango::record::StoreRecord;

use super::*;

/// The school, a teacher, and a learner's phone that may only read, with one note that all of them have.
struct Class {
    /// The school and the phone.
    pair: Pair,
    teacher: Memory,
    /// The note.
    note: SyncId,
    /// What will be granted to the phone.
    whole: (Certificate, morango::identity::PrivateKey),
}

impl Class {
    fn new() -> Self {
        let pair = Pair::granted("reader");
        let whole = Pair::new().certificate;
        let key = pair.phone.take_key(&whole.id());
        let teacher = Memory::with_certificates_of(&pair.laptop);
        let note = pair.laptop.save(&pair.notes(), "1", "before");
        let class = Self { pair, teacher, note, whole: (whole, key) };
        class.teacher_syncs();
        class
    }

    fn teacher_syncs(&self) {
        let root = self.pair.laptop.certificate(&self.pair.owner()).expect("it can be read").expect("it is there");
        let synced = engine(&self.teacher).sync(&self.pair.peer(), &root.certificate, SyncOptions::both_ways());
        synced.expect("the teacher may have everything");
    }

    /// The school changes the note too, and the phone pulls from the teacher, then from the school.
    fn phone_meets_both(&self) {
        self.teacher.save(&self.pair.notes(), "2", "of the teacher alone");
        self.pair.laptop.save(&self.pair.notes(), "1", "of the school");
        let teacher = LocalPeer::new(engine(&self.teacher).responder(Ada));
        self.pair.engine.sync(&teacher, &self.pair.certificate, SyncOptions::pull()).expect("it may read");
        let report = self.pair.sync(SyncOptions::pull()).expect("it may read");
        assert_eq!(report.pull.and_then(|pull| pull.dequeue).map(|dequeue| dequeue.conflicts), Some(1));
    }

    /// The phone is granted the right to write, and pushes to the school.
    fn phone_writes(&self) {
        let (certificate, key) = &self.whole;
        self.pair.phone.save_certificates(&[], Some((&certificate.id(), key))).expect("it is kept");
        let pushed = self.pair.engine.sync(&self.pair.peer(), certificate, SyncOptions::push());
        pushed.expect("it may write now");
    }

    /// The note, which the school and the phone have alike, and the teacher too.
    fn agreed(&self) -> StoreRecord {
        let of = |memory: &Memory| memory.store().remove(&self.note).expect("it is there");
        let record = of(&self.pair.laptop);
        assert_eq!(of(&self.pair.phone), record);
        self.teacher_syncs();
        assert_eq!((of(&self.pair.laptop), of(&self.teacher)), (record.clone(), record.clone()));
        record
    }
}

#[test]
fn an_edit_reaches_the_school_through_a_reader_that_may_write_later() {
    let class = Class::new();
    class.teacher.save(&class.pair.notes(), "1", "of the teacher");
    class.phone_meets_both();

    class.phone_writes();

    let note = class.agreed();
    assert_eq!(note.serialized, "of the school");
    assert!(note.conflicting_serialized_data.starts_with("of the teacher\n"), "{note:?}");
    assert_eq!(class.pair.laptop.rows(), class.teacher.rows());
    assert_eq!(class.pair.laptop.rows().len(), 2);
}

#[test]
fn a_deletion_reaches_the_school_through_a_reader_that_may_write_later() {
    let class = Class::new();
    class.teacher.delete(&class.note);
    class.phone_meets_both();

    class.phone_writes();

    let note = class.agreed();
    assert!(note.deleted, "{note:?}");
    assert_eq!(note.serialized, "of the school");
    for memory in [&class.pair.laptop, &class.pair.phone, &class.teacher] {
        assert_eq!(memory.rows().into_values().collect::<Vec<_>>(), ["of the teacher alone"]);
    }
}

#[test]
fn what_gave_way_is_saved_anew_where_the_application_serializes_by_itself() {
    let class = Class::new();
    class.teacher.save(&class.pair.notes(), "1", "of the teacher");
    class.phone_meets_both();

    let pair = Pair { engine: builder(&class.pair.phone).serialize_apart().build().expect("an engine"), ..class.pair };
    let class = Class { pair, ..class };
    class.phone_writes();

    assert!(class.agreed().conflicting_serialized_data.starts_with("of the teacher\n"));
}

#[test]
fn whoever_may_only_read_saves_nothing_anew() {
    let class = Class::new();
    class.teacher.save(&class.pair.notes(), "1", "of the teacher");
    class.phone_meets_both();
    let before = class.pair.phone.store();

    class.pair.sync(SyncOptions::pull()).expect("it may read");

    assert_eq!(class.pair.phone.store(), before);
}
