use super::*;
use crate::counter::RecordMaxCounters;
use crate::id::InstanceId;
use crate::model::{FieldErrors, IdRule, SourceRule};

/// A note as the derive would make a model of it.
#[derive(Debug, PartialEq, Eq)]
struct Note {
    id: SyncId,
    title: String,
}

impl Model for Note {
    fn definition() -> &'static ModelDefinition {
        static DEFINITION: ModelDefinition = ModelDefinition {
            profile: "notebook",
            name: "note",
            rust_type: "test::Note",
            type_id: std::any::TypeId::of::<Note>,
            table: "notes",
            id_column: "id",
            partition: "me:notes",
            id_rule: IdRule::Calculated,
            source: SourceRule::Random,
            fields: &[],
            foreign_keys: &[],
            depends_on: &[],
            merge: None,
        };
        &DEFINITION
    }

    fn id(&self) -> SyncId {
        self.id
    }

    fn set_id(&mut self, id: SyncId) {
        self.id = id;
    }

    fn field_text(&self, _: &str) -> Option<String> {
        None
    }

    fn source_id_by_function(&self) -> Option<String> {
        None
    }

    fn write_fields(&self, object: &mut ObjectWriter) {
        object.member("title", &self.title);
    }

    fn read_fields(id: SyncId, fields: &Fields<'_>) -> std::result::Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let title = errors.take("title", fields.get_text("title").ok_or_else(|| "it is missing".to_owned()));
        title.map(|title| Self { id, title }).ok_or(errors)
    }

    fn validate(&self) -> std::result::Result<(), FieldErrors> {
        Ok(())
    }
}

fn stamp(counter: i64) -> Stamp {
    Stamp::new(InstanceId::hash_of("laptop"), counter)
}

fn record(serialized: &str, conflicting: &str) -> StoreRecord {
    StoreRecord {
        id: SyncId::hash_of("note"),
        profile: "notebook".to_owned(),
        model_name: "note".to_owned(),
        partition: "me:notes".to_owned(),
        source_id: "1".to_owned(),
        serialized: serialized.to_owned(),
        conflicting_serialized_data: conflicting.to_owned(),
        deleted: false,
        hard_deleted: false,
        last_saved: stamp(3),
        self_ref_fk: String::new(),
        counters: RecordMaxCounters::new(),
    }
}

#[test]
fn each_line_that_lost_is_a_version_and_blank_ones_are_none() {
    let conflict = Conflict::of(record(r#"{"a":1}"#, "{\"a\":2}\n\nno JSON\n")).expect("two texts lost");
    assert_eq!(conflict.ours.json().expect("an object")["a"], 1);
    assert_eq!(conflict.theirs[0].json().expect("an object")["a"], 2);
    assert_eq!(conflict.theirs[1].text(), "no JSON");
    assert_eq!(conflict.theirs[1].json().expect_err("no object").kind(), ErrorKind::RecordRejected);
    assert_eq!(Conflict::of(record("{}", " \n")), None);
    let mut gone = record("", "{}\n");
    gone.hard_deleted = true;
    assert_eq!(Conflict::of(gone), None);
    let many = Conflict::of(record("{}", &"{}\n".repeat(limits::CONFLICT_VERSIONS_LISTED_MAX + 1)));
    assert_eq!(many.expect("a conflict").theirs.len(), limits::CONFLICT_VERSIONS_LISTED_MAX);
}

#[test]
fn a_decision_gives_the_record_its_content_with_what_is_not_named() {
    let conflict = Conflict::of(record(r#"{"a":1,"new":true}"#, "{\"a\":2}\nno JSON\n")).expect("a conflict");
    let content = |resolution: &Resolution| conflict.content_of(resolution);
    assert_eq!(content(&Resolution::KeepOurs).expect("a decision"), None);
    let taken = content(&Resolution::TakeTheirs(0)).expect("a decision");
    assert_eq!(taken.as_deref(), Some(r#"{"a":2,"new":true}"#));
    let fields = serde_json::json!({"a": 3});
    let given = content(&Resolution::fields(fields.as_object().expect("an object"))).expect("a decision");
    assert_eq!(given.as_deref(), Some(r#"{"a":3,"new":true}"#));
    let own = format!("{{\"id\":\"{}\",\"a\":4}}", conflict.id);
    assert!(content(&Resolution::Content(own)).expect("its own id").is_some());
    for refused in [
        Resolution::TakeTheirs(1),
        Resolution::TakeTheirs(2),
        Resolution::Content("[]".to_owned()),
        Resolution::Content(r#"{"id":"0123456789abcdef0123456789abcdef"}"#.to_owned()),
        Resolution::Content(r#"{"id":"x"}"#.to_owned()),
    ] {
        assert_eq!(content(&refused).expect_err("refused").kind(), ErrorKind::InvalidInput, "{refused:?}");
    }
}

#[test]
fn a_resolved_record_is_saved_anew_and_lives_where_it_was_given_content() {
    let mut before = record("{}", "{}\n");
    before.deleted = true;
    let kept = before.clone().resolved(None, None, stamp(9));
    assert!(kept.deleted && kept.conflicting_serialized_data.is_empty() && kept.counters.covers(&stamp(9)));
    assert_eq!((kept.last_saved, kept.serialized.as_str()), (stamp(9), "{}"));
    let taken = before.resolved(Some("{\"a\":1}"), None, stamp(9));
    assert!(!taken.deleted);
    assert_eq!(taken.serialized, "{\"a\":1}");
}

#[test]
fn a_version_is_a_row_of_its_own_model_and_of_no_other() {
    let before = record(r#"{"title":"milk"}"#, "{\"title\":\"bread\"}\n{}\nno JSON\n");
    let conflict = Conflict::of(before.clone()).expect("a conflict");
    let note = |title: &str| Note { id: conflict.id, title: title.to_owned() };
    assert_eq!(conflict.ours.read::<Note>().expect("a note"), note("milk"));
    assert_eq!(conflict.theirs[0].read::<Note>().expect("a note"), note("bread"));
    for odd in &conflict.theirs[1..] {
        assert_eq!(odd.read::<Note>().expect_err("no note").kind(), ErrorKind::RecordRejected);
    }
    let decided = conflict.content_of(&Resolution::row(&note("milk and bread"))).expect("it is of this record");
    assert!(decided.expect("a content").ends_with(r#""title":"milk and bread"}"#));

    let changes: [fn(&mut StoreRecord); 2] =
        [|record| record.model_name = "owner".to_owned(), |record| record.profile = "other".to_owned()];
    for change in changes {
        let mut other = before.clone();
        change(&mut other);
        let whose = format!("{}/{} {}", other.profile, other.model_name, other.id);
        let version = Conflict::of(other).expect("a conflict").ours;
        let error = version.read::<Note>().expect_err("no note");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&whose), "{error}");
    }
}
