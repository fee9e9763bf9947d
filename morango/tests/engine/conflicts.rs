//! Both sides change one note before they meet: what a policy makes of that, and what an application decides.

use std::any::TypeId;

use morango::model::policy::compare;
use morango::model::{Field, FieldPolicy, IdRule, ModelDefinition, RecordPolicy, SourceRule};

use super::*;

/// A field of a note.
const fn field(name: &'static str, merge: Option<FieldPolicy>) -> Field {
    Field { name, wire_name: name, column: name, is_skipped: false, merge }
}

const fn notes(merge: Option<RecordPolicy>, fields: &'static [Field]) -> ModelDefinition {
    ModelDefinition {
        profile: PROFILE,
        name: "note",
        rust_type: "test::Note",
        type_id: TypeId::of::<Note>,
        table: "notes",
        id_column: "id",
        partition: "notes",
        id_rule: IdRule::Calculated,
        source: SourceRule::Random,
        fields,
        foreign_keys: &[],
        depends_on: &[],
        merge,
    }
}

struct Note;

fn plain() -> &'static ModelDefinition {
    static DEFINITION: ModelDefinition = notes(None, &[field("title", None), field("count", None)]);
    &DEFINITION
}

fn counted() -> &'static ModelDefinition {
    static DEFINITION: ModelDefinition =
        notes(None, &[field("title", None), field("count", Some(FieldPolicy::Max(compare::<i64>)))]);
    &DEFINITION
}

fn newest() -> &'static ModelDefinition {
    static DEFINITION: ModelDefinition = notes(
        Some(RecordPolicy::Newest { wire_name: "count", compare: compare::<i64> }),
        &[field("title", None), field("count", None)],
    );
    &DEFINITION
}

impl Pair {
    /// Both applications have notes, merged as this definition says.
    fn of_notes(definition: fn() -> &'static ModelDefinition) -> Self {
        let pair = Self::new();
        let with_notes = |memory: &Memory| {
            let registry = Registry::builder().definition(definition).scope(&WHOLE).scope(&READER).build();
            builder(memory).registry(registry.expect("a good model")).build().expect("an engine")
        };
        Self { engine: with_notes(&pair.phone), responder: with_notes(&pair.laptop).responder(Ada), ..pair }
    }

    /// A note that both have, which the laptop and the phone then change apart.
    fn with_a_conflict(&self, laptop: &str, phone: &str) -> SyncId {
        self.laptop.save(&self.notes(), "1", r#"{"title":"before","count":0}"#);
        self.sync(SyncOptions::pull()).expect("the phone takes the note");
        self.laptop.save(&self.notes(), "1", laptop);
        self.phone.save(&self.notes(), "1", phone)
    }

    fn both_ways(&self) {
        self.sync(SyncOptions::both_ways()).expect("they meet");
    }

    fn record(memory: &Memory, id: &SyncId) -> morango::record::StoreRecord {
        let mut found = None;
        memory
            .for_each_record(PROFILE, &Filter::everything(), &mut |record| {
                if record.id == *id {
                    found = Some(record);
                }
                Ok(())
            })
            .expect("the records");
        found.expect("a record of this id")
    }

    /// The record, which is the same on both sides, as are the rows.
    fn agreed(&self, id: &SyncId) -> morango::record::StoreRecord {
        let record = Self::record(&self.phone, id);
        assert_eq!(Self::record(&self.laptop, id), record);
        assert_eq!(self.phone.rows()[id], record.serialized);
        assert_eq!(self.laptop.rows(), self.phone.rows());
        record
    }

    fn conflicts(&self) -> Vec<Conflict> {
        self.engine.conflicts(PROFILE, &Filter::everything(), None, 10).expect("a page").conflicts
    }
}

#[test]
fn without_a_policy_ours_stays_and_what_lost_is_listed() {
    let pair = Pair::of_notes(plain);
    let (laptop, phone) = (r#"{"title":"laptop","count":2}"#, r#"{"title":"phone","count":1}"#);
    let id = pair.with_a_conflict(laptop, phone);
    pair.both_ways();
    let record = pair.agreed(&id);
    assert_eq!((record.serialized.as_str(), record.conflicting_serialized_data), (phone, format!("{laptop}\n")));
    let [conflict] = &*pair.conflicts() else { panic!("one conflict") };
    assert_eq!((conflict.id, conflict.ours.text()), (id, phone));
    assert_eq!(conflict.theirs[0].json().expect("an object")["title"], "laptop");
    assert_eq!(conflict.last_saved.instance, pair.engine.instance().id);
}

#[test]
fn a_field_with_a_policy_is_merged_and_the_rest_follows_the_rule() {
    let pair = Pair::of_notes(counted);
    let laptop = r#"{"title":"laptop","count":2}"#;
    let id = pair.with_a_conflict(laptop, r#"{"title":"phone","count":1}"#);
    pair.both_ways();
    let record = pair.agreed(&id);
    assert_eq!(record.serialized, r#"{"title":"phone","count":2}"#);
    assert_eq!(record.conflicting_serialized_data, format!("{laptop}\n"), "its title is nowhere else");
    let id = pair.with_a_conflict(r#"{"title":"same","count":7}"#, r#"{"title":"same","count":3}"#);
    pair.both_ways();
    assert_eq!(pair.agreed(&id).serialized, r#"{"title":"same","count":7}"#);
}

#[test]
fn the_newest_wins_whoever_merges_and_the_row_becomes_it() {
    for (laptop, phone) in [(9, 5), (5, 9)] {
        let pair = Pair::of_notes(newest);
        let text = |title: &str, count: i32| format!(r#"{{"title":"{title}","count":{count}}}"#);
        let id = pair.with_a_conflict(&text("laptop", laptop), &text("phone", phone));
        pair.both_ways();
        let record = pair.agreed(&id);
        let (newer, older) = if laptop > phone { ("laptop", "phone") } else { ("phone", "laptop") };
        assert_eq!(record.serialized, text(newer, 9));
        assert_eq!(record.conflicting_serialized_data, format!("{}\n", text(older, 5)));
    }
}

#[test]
fn a_decision_reaches_the_other_side_which_has_no_conflict_left() {
    for (resolution, title) in [
        (Resolution::KeepOurs, "phone"),
        (Resolution::TakeTheirs(0), "laptop"),
        (Resolution::Content(r#"{"title":"both"}"#.to_owned()), "both"),
    ] {
        let pair = Pair::of_notes(plain);
        let id = pair.with_a_conflict(r#"{"title":"laptop","count":1}"#, r#"{"title":"phone","count":1}"#);
        pair.both_ways();
        let conflict = pair.conflicts().remove(0);
        pair.engine.resolve_conflict(&conflict, &resolution).expect("it is decided");
        assert_eq!(pair.conflicts(), []);
        pair.both_ways();
        let record = pair.agreed(&id);
        assert_eq!(record.serialized, format!(r#"{{"title":"{title}","count":1}}"#));
        assert_eq!(record.conflicting_serialized_data, "");
    }
}

#[test]
fn a_decision_about_what_changed_since_is_refused() {
    let pair = Pair::of_notes(plain);
    let id = pair.with_a_conflict(r#"{"title":"laptop","count":1}"#, r#"{"title":"phone","count":1}"#);
    pair.both_ways();
    let conflict = pair.conflicts().remove(0);
    pair.phone.save(&pair.notes(), "1", r#"{"title":"later","count":1}"#);
    let decide = |conflict: &Conflict| pair.engine.resolve_conflict(conflict, &Resolution::TakeTheirs(0));
    assert_eq!(decide(&conflict).expect_err("the row changed").kind(), ErrorKind::RecordChanged);
    let anew = pair.conflicts().remove(0);
    assert_eq!(anew.ours.json().expect("an object")["title"], "later", "what is listed is what is there");
    assert_eq!(decide(&conflict).expect_err("the record changed").kind(), ErrorKind::RecordChanged);
    decide(&anew).expect("it is as it was listed");
    assert_eq!(pair.phone.rows()[&id], r#"{"title":"laptop","count":1}"#);
}

#[test]
fn what_was_merged_or_decided_travels_though_nobody_serializes() {
    for is_decided in [false, true] {
        let ([ada, ben, relay, school], root) = devices();
        let notes = format!("{}:notes", root.id());
        for (device, text) in [(&ada, r#"{"title":"milk"}"#), (&ben, r#"{"title":"bread"}"#)] {
            device.save(&notes, "list", text);
            device.save(&notes, text, "of one alone");
        }
        let apart = || builder(&relay).serialize_apart().deserialize_apart().build().expect("an engine");
        let sync = |client: &Memory, options| {
            let peer = LocalPeer::new(apart().responder(Ada));
            engine(client).sync(&peer, &root, options).expect("a good sync")
        };
        sync(&ada, SyncOptions::push());
        sync(&ben, SyncOptions::push());
        if is_decided {
            sync(&school, SyncOptions::pull());
            let filter = Filter::everything();
            let conflict = apart().conflicts(PROFILE, &filter, None, 1).expect("a list").conflicts.swap_remove(0);
            apart().resolve_conflict(&conflict, &Resolution::TakeTheirs(0)).expect("it is decided");
        }
        sync(&school, SyncOptions::pull());
        // Who made one of the two has nothing to send to whoever has what became of them.
        let peer = LocalPeer::new(engine(&school).responder(Ada));
        engine(&ada).sync(&peer, &root, SyncOptions::push()).expect("a good sync");
        let [ours, theirs] = [&relay, &school].map(|device| {
            device.store().into_values().map(|record| (record.id, (record.serialized, record.last_saved)))
        });
        assert!(ours.eq(theirs), "decided: {is_decided}");
        assert_eq!(school.store().len(), 3);
    }
}
