//! Rows of real tables become stored JSON and rows again, over the verbs by which the storage does it.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::{Fields, IdRule, Model, ModelEntry, SourceRule, identify, serialize_row};
use morango_diesel::{ApplyError, LoadedRow, Rows, Syncable};

use super::database::{Connection, Model as RegisteredModel, connection_with};

mod schema {
    diesel::table! {
        use diesel::sql_types::*;
        use morango_diesel::sql_types::Instant;

        #[sql_name = "all kinds"]
        kinds (key) {
            #[sql_name = "the key"]
            key -> Binary,
            truth -> Bool,
            small -> SmallInt,
            whole -> Integer,
            #[sql_name = "type"]
            large -> BigInt,
            single -> Float,
            double -> Double,
            text -> Text,
            blob -> Binary,
            day -> Date,
            clock -> Time,
            local -> Timestamp,
            instant -> Instant,
            amount -> Numeric,
            document -> Json,
            maybe_text -> Nullable<Text>,
            maybe_whole -> Nullable<Integer>,
            parent_id -> Nullable<Binary>,
            colour -> Text,
            scratch -> Integer,
        }
    }
}
use schema::kinds;

const CREATE_KINDS: &str = r#"CREATE TABLE "all kinds" (
    "the key" BLOB PRIMARY KEY NOT NULL, truth BOOLEAN NOT NULL, small SMALLINT NOT NULL, whole INTEGER NOT NULL,
    type BIGINT NOT NULL, single FLOAT NOT NULL, double DOUBLE NOT NULL, text TEXT NOT NULL, blob BLOB NOT NULL,
    day DATE NOT NULL, clock TIME NOT NULL, local TIMESTAMP NOT NULL, instant TIMESTAMP NOT NULL, amount NUMERIC NOT NULL,
    document JSON NOT NULL, maybe_text TEXT, maybe_whole INTEGER, parent_id BLOB, colour TEXT NOT NULL UNIQUE,
    scratch INTEGER NOT NULL
)"#;

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = kinds)]
#[morango(profile = "test", model = "kind", source_id = "${whole}:${text}", partition = "kinds:${parent}:${id}")]
struct Kind {
    #[diesel(column_name = key)]
    id: SyncId,
    truth: bool,
    small: i16,
    whole: i32,
    large: i64,
    single: f32,
    double: f64,
    #[morango(max_length = 8, validate = no_tabs)]
    text: String,
    blob: Vec<u8>,
    day: NaiveDate,
    clock: NaiveTime,
    local: NaiveDateTime,
    instant: DateTime<Utc>,
    amount: BigDecimal,
    document: serde_json::Value,
    #[morango(max_length = 3)]
    maybe_text: Option<String>,
    #[morango(rename = "perhaps")]
    maybe_whole: Option<i32>,
    #[diesel(column_name = parent_id)]
    #[morango(foreign_key = Self, may_be_missing)]
    parent: Option<SyncId>,
    #[morango(with = shouting)]
    colour: String,
    #[morango(skip)]
    scratch: i32,
}

mod shouting {
    use serde_json::Value;

    #[expect(clippy::ptr_arg, reason = "the function is given the field as it is")]
    pub(super) fn write(colour: &String) -> Value {
        Value::from(colour.to_uppercase())
    }

    pub(super) fn read(value: &Value) -> Result<String, &'static str> {
        value.as_str().map(str::to_lowercase).ok_or("expected a colour")
    }
}

#[expect(clippy::ptr_arg, reason = "the function is given the field as it is")]
fn no_tabs(text: &String) -> Result<(), &'static str> {
    if text.contains('\t') { Err("it must not hold a tab") } else { Ok(()) }
}

fn connection() -> Connection {
    connection_with(CREATE_KINDS)
}

fn kind(parent: Option<SyncId>, text: &str) -> Kind {
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).expect("a day");
    let clock = NaiveTime::from_hms_milli_opt(23, 59, 58, 120).expect("a time");
    let mut kind = Kind {
        id: SyncId::unset(),
        truth: true,
        small: i16::MIN,
        whole: i32::MAX,
        large: i64::MIN,
        single: 0.1,
        double: 0.1 + 0.2,
        text: text.to_owned(),
        blob: vec![0, 255, 7],
        day,
        clock,
        local: day.and_time(clock),
        instant: Utc.with_ymd_and_hms(1999, 12, 31, 23, 59, 59).single().expect("an instant"),
        amount: "12.5".parse().expect("an amount"),
        document: serde_json::json!({ "a": [1, null, "x"] }),
        maybe_text: Some("déf".to_owned()),
        maybe_whole: None,
        parent: Some(parent.unwrap_or(SyncId::hash_of("root"))),
        colour: format!("colour of {text}"),
        scratch: 0,
    };
    kind.id = identify(&kind, None).expect("the row identifies itself").id;
    kind
}

fn model() -> RegisteredModel {
    *inventory::iter::<RegisteredModel>()
        .find(|model| std::ptr::eq((model.definition)(), Kind::definition()))
        .expect("the derive registers the model for this database")
}

/// Ids with a text to each.
type Texts = Vec<(SyncId, String)>;

/// The stored texts of the rows with these ids, and why others could not be read.
fn load(connection: &mut Connection, ids: &[SyncId]) -> (Texts, Texts) {
    let (mut texts, mut unreadable) = (Vec::new(), Vec::new());
    (model().load)(connection, ids, &mut |row| match row {
        LoadedRow::Row(row) => {
            let origin = row.identify(None).expect("the row identifies itself");
            texts.push((row.id(), row.serialize(&origin.source_id, &origin.partition, None)));
        }
        LoadedRow::Unreadable { id, reason } => unreadable.push((id, reason)),
    })
    .expect("the rows are loaded");
    (texts, unreadable)
}

fn apply(connection: &mut Connection, id: SyncId, text: &str) -> Result<(), ApplyError> {
    (model().apply)(connection, id, "", &Fields::parse(text).expect("an object"))
}

#[test]
fn a_model_is_registered_with_all_that_is_known_of_it() {
    let definition = Kind::definition();
    assert!(inventory::iter::<ModelEntry>().any(|entry| (entry.definition)().name == "kind"));
    assert_eq!(definition.rust_type, concat!(module_path!(), "::Kind"));
    assert_eq!((definition.table, definition.id_column), ("all kinds", "the key"));
    assert_eq!((definition.id_rule, definition.source), (IdRule::Calculated, SourceRule::Template("${whole}:${text}")));
    let large = definition.fields.iter().find(|field| field.name == "large").expect("every field is there");
    assert_eq!((large.wire_name, large.column, large.is_skipped), ("large", "type", false));
    let parent = definition.self_reference().expect("the parent is of the same kind");
    assert_eq!((parent.field, parent.wire_name, parent.column), ("parent", "parent_id", "parent_id"));
    assert!(parent.may_be_missing);
    assert_eq!((parent.target.definition)().rust_type, concat!(module_path!(), "::Kind"));
    assert!(!definition.writes("scratch") && definition.writes("perhaps"));
}

#[test]
fn a_row_of_every_type_travels_as_json_and_comes_back_the_same() {
    // Given a row that is in one database
    let (mut here, mut there) = (connection(), connection());
    let kind = kind(None, "every");
    kind.insert(&mut here).expect("the row is inserted");

    // When its stored text becomes a row in another one
    let (texts, unreadable) = load(&mut here, &[kind.id, SyncId::hash_of("nobody")]);
    assert_eq!((texts.len(), unreadable), (1, vec![]));
    apply(&mut there, kind.id, &texts[0].1).expect("the row is applied");

    // Then both databases hold the same
    assert_eq!(Kind::load_one(&mut here, &kind.id).expect("loaded"), Some(kind.clone()));
    assert_eq!(Kind::load_one(&mut there, &kind.id).expect("loaded"), Some(kind));
}

#[test]
fn the_stored_text_carries_each_field_under_its_wire_name() {
    let mut kind = kind(None, "wire");
    kind.maybe_text = None;
    let text = serialize_row(&kind, "s", "p", None);
    let fields = Fields::parse(&text).expect("an object");
    assert_eq!(fields.get_text("colour").as_deref(), Some("COLOUR OF WIRE"));
    assert_eq!(fields.get("perhaps"), Some("null"));
    assert_eq!(fields.get("maybe_text"), Some("null"));
    assert_eq!(fields.get_text("parent_id"), kind.parent.map(|id| id.to_string()));
    assert_eq!(fields.get("parent").or(fields.get("maybe_whole")).or(fields.get("scratch")), None);
}

#[test]
fn a_field_that_holds_nothing_empties_its_column() {
    let mut connection = connection();
    let mut kind = kind(None, "empty");
    kind.maybe_whole = Some(3);
    kind.insert(&mut connection).expect("the row is inserted");

    (kind.maybe_text, kind.maybe_whole) = (None, None);
    kind.upsert(&mut connection).expect("the row is updated");
    assert_eq!(Kind::load_one(&mut connection, &kind.id).expect("loaded"), Some(kind));
}

#[test]
fn a_column_that_stays_at_home_is_left_as_it_was_on_arrival() {
    // Given a row with a value that only this device knows
    let mut connection = connection();
    let mut kind = kind(None, "home");
    kind.scratch = 42;
    kind.insert(&mut connection).expect("the row is inserted");

    // When the row arrives from a peer
    let text = serialize_row(&Kind { scratch: 7, large: 1, ..kind.clone() }, "s", "p", None);
    apply(&mut connection, kind.id, &text).expect("the row is applied");

    // Then what travels is new, and the rest is as it was; on a first arrival it is the default
    let found = Kind::load_one(&mut connection, &kind.id).expect("loaded").expect("the row is there");
    assert_eq!((found.large, found.scratch), (1, 42));
    Kind::delete(&mut connection, &kind.id).expect("deleted");
    apply(&mut connection, kind.id, &text).expect("the row is applied");
    let found = Kind::load_one(&mut connection, &kind.id).expect("loaded").expect("the row is there");
    assert_eq!((found.large, found.scratch), (1, 0));
}

#[test]
fn everything_wrong_with_received_fields_is_told_at_once() {
    let mut connection = connection();
    let kind = kind(None, "wrong");
    let text = serialize_row(&kind, "s", "p", None)
        .replace(r#""truth":true"#, r#""truth":"perhaps""#)
        .replace(r#""text":"wrong""#, r#""text":"much too long\t""#)
        .replace(r#""COLOUR OF WRONG""#, "5")
        .replace(r#""day""#, r#""another_day""#);
    let Err(ApplyError::Fields(errors)) = apply(&mut connection, kind.id, &text) else {
        panic!("the fields are refused");
    };
    let named: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(named, ["truth", "text", "text", "day", "colour"]);
    assert_eq!(Kind::load_all(&mut connection, &[kind.id]).expect("loaded"), []);
}

#[test]
fn a_row_that_the_application_creates_is_checked_too() {
    let mut kind = kind(None, "fine");
    assert_eq!(kind.validate(), Ok(()));
    kind.text = "tab\t".to_owned();
    kind.maybe_text = Some("four".to_owned());
    let errors = kind.validate().expect_err("both are refused");
    assert_eq!(errors.to_string(), "text: it must not hold a tab; maybe_text: expected at most 3 characters, found 4");
}

#[test]
fn what_the_database_refuses_is_an_error_of_its_own() {
    let mut connection = connection();
    let (one, other) = (kind(None, "one"), kind(None, "other"));
    one.insert(&mut connection).expect("the row is inserted");
    let text = serialize_row(&Kind { colour: one.colour.clone(), ..other.clone() }, "s", "p", None);
    assert!(matches!(apply(&mut connection, other.id, &text), Err(ApplyError::Database(_))));
}

#[test]
fn a_row_that_cannot_be_read_does_not_stop_the_others() {
    // Given two rows, and a third one with a day that no calendar has
    let mut connection = connection();
    let kinds = [kind(None, "first"), kind(None, "second"), kind(None, "third")];
    for kind in &kinds {
        kind.insert(&mut connection).expect("the row is inserted");
    }
    diesel::sql_query(r#"UPDATE "all kinds" SET day = 'infinity' WHERE text = 'second'"#)
        .execute(&mut connection)
        .expect("the databases take it");

    // When all three are loaded
    let (texts, unreadable) = load(&mut connection, &kinds.each_ref().map(|kind| kind.id));

    // Then the good ones are there, and the other is told by its id
    assert_eq!(texts.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [kinds[0].id, kinds[2].id]);
    assert_eq!(unreadable.len(), 1);
    assert_eq!(unreadable[0].0, kinds[1].id);
    assert!(unreadable[0].1.contains("day"), "{}", unreadable[0].1);
}

#[test]
fn many_rows_are_loaded_in_one_call() {
    let mut connection = connection();
    let ids: Vec<SyncId> = (0..1_201)
        .map(|number| {
            let kind = kind(None, &format!("k{number}"));
            kind.insert(&mut connection).expect("the row is inserted");
            kind.id
        })
        .collect();
    let (mut texts, _) = load(&mut connection, &ids);
    texts.dedup();
    assert_eq!(texts.len(), ids.len());
}

#[test]
fn a_parent_is_found_through_the_row() {
    let mut connection = connection();
    let parent = kind(None, "parent");
    let mut child = kind(Some(parent.id), "child");
    child.insert(&mut connection).expect("the row is inserted");
    let mut found = None;
    (model().load)(&mut connection, &[child.id], &mut |row| {
        if let LoadedRow::Row(row) = row {
            found = row.self_reference();
        }
    })
    .expect("the row is loaded");
    assert_eq!(found, Some(parent.id));
    child.parent = None;
    assert_eq!(morango_diesel::RecordRow::self_reference(&child), None);
}

#[test]
fn deleting_says_whether_there_was_a_row() {
    let mut connection = connection();
    let kind = kind(None, "gone");
    kind.insert(&mut connection).expect("the row is inserted");
    assert_eq!((model().delete)(&mut connection, &kind.id), Ok(1));
    assert_eq!((model().delete)(&mut connection, &kind.id), Ok(0));
}
