//! Every merge policy, on models and fields of every kind.

use diesel::prelude::*;
use morango::id::SyncId;
use morango::model::{FieldPolicy, Model, RecordPolicy};
use morango_diesel::Syncable;

mod schema {
    diesel::table! {
        logs (id) {
            id -> Text, owner_id -> Nullable<Text>, seconds -> Integer, first -> Nullable<TimestamptzSqlite>,
            last -> TimestamptzSqlite, tags -> Text, extra -> Json, title -> Text, marks -> Text, note -> Nullable<Text>,
        }
    }
    diesel::table! {
        notes (id) { id -> Text, body -> Text, edited_at -> Nullable<TimestamptzSqlite> }
    }
    diesel::table! {
        pages (id) { id -> Text, text -> Text }
    }
    diesel::table! {
        marks (id) { id -> Text }
    }
    diesel::table! {
        steps (id) { id -> Text, number -> Integer }
    }
}

use chrono::{DateTime, Utc};

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::logs)]
#[morango(profile = "notebook", model = "log", partition = "logs", merge = theirs, database = sqlite)]
struct Log {
    id: SyncId,
    #[morango(foreign_key = Note, merge = ours)]
    owner_id: Option<SyncId>,
    #[morango(merge = max)]
    seconds: i32,
    #[morango(merge = min)]
    first: Option<DateTime<Utc>>,
    #[morango(merge = max, with = morango::model::field::microseconds)]
    last: DateTime<Utc>,
    #[morango(with = listed, merge = union, rename = "labels")]
    tags: String,
    #[morango(merge = union)]
    extra: morango_diesel::__private::serde_json::Value,
    #[morango(merge = theirs)]
    title: String,
    #[morango(merge(with = both), with = listed)]
    marks: String,
    #[morango(merge(with = self::longer))]
    note: Option<String>,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::notes)]
#[morango(profile = "notebook", model = "note", partition = "notes", database = sqlite, merge(newest = edited_at))]
struct Note {
    id: SyncId,
    body: String,
    #[morango(rename = "edited")]
    edited_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::pages)]
#[morango(profile = "notebook", model = "page", partition = "pages", merge(with = Page::joined))]
struct Page {
    id: SyncId,
    text: String,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::marks)]
#[morango(profile = "notebook", model = "mark", partition = "marks", merge = ours)]
struct Mark {
    id: SyncId,
}

#[derive(Queryable, Selectable, Syncable)]
#[diesel(table_name = schema::steps)]
#[morango(profile = "notebook", model = "step", partition = "steps")]
struct Step {
    id: SyncId,
    number: i32,
}

impl Page {
    fn joined(ours: &Self, theirs: &Self) -> Result<Self, String> {
        Ok(Self { id: ours.id, text: format!("{}{}", ours.text, theirs.text) })
    }
}

mod listed {
    use morango_diesel::__private::serde_json::{Value, json};

    pub(super) fn write(text: &str) -> Value {
        json!([text])
    }

    pub(super) fn read(value: &Value) -> Result<String, String> {
        Ok(value[0].as_str().ok_or("expected a list with a text")?.to_owned())
    }
}

fn both(ours: &str, theirs: &str) -> Result<String, std::convert::Infallible> {
    Ok(format!("{ours} {theirs}"))
}

fn longer(ours: &Option<String>, theirs: &Option<String>) -> Result<Option<String>, &'static str> {
    if ours == theirs { Err("they are the same") } else { Ok(ours.clone().max(theirs.clone())) }
}

#[test]
fn merge_policies_are_those_that_were_asked_for() {
    assert!(matches!(Log::definition().merge, Some(RecordPolicy::Theirs)));
    assert!(matches!(Mark::definition().merge, Some(RecordPolicy::Ours)));
    assert!(!Step::definition().has_merge_policy());
    let policies: Vec<Option<FieldPolicy>> = Log::definition().fields.iter().map(|field| field.merge).collect();
    assert!(matches!(
        policies[..],
        [
            Some(FieldPolicy::Ours),
            Some(FieldPolicy::Max(_)),
            Some(FieldPolicy::Min(_)),
            Some(FieldPolicy::Max(_)),
            Some(FieldPolicy::Union),
            Some(FieldPolicy::Union),
            Some(FieldPolicy::Theirs),
            Some(FieldPolicy::Function(_)),
            Some(FieldPolicy::Function(_)),
        ]
    ));
    let Some(RecordPolicy::Newest { wire_name, compare }) = Note::definition().merge else { panic!("it is said") };
    assert_eq!(wire_name, "edited");
    let (early, late) = ("\"2026-01-02T03:04:05Z\"", "\"2026-01-02T03:04:05.001Z\"");
    assert_eq!(compare(early, late), Ok(Some(std::cmp::Ordering::Less)));
    let Some(FieldPolicy::Max(compare)) = policies[3] else { panic!("it is said") };
    assert_eq!(compare(late, early), Ok(Some(std::cmp::Ordering::Greater)));
    let Some(FieldPolicy::Function(merge)) = policies[7] else { panic!("it is said") };
    assert_eq!(merge("[\"a\"]", "[\"b\"]").as_deref(), Ok("[\"a b\"]"));
    let Some(FieldPolicy::Function(merge)) = policies[8] else { panic!("it is said") };
    assert_eq!(merge("null", "\"b\"").as_deref(), Ok("\"b\""));
    assert_eq!(merge("null", "null"), Err("they are the same".to_owned()));
    let Some(RecordPolicy::Function(merge)) = Page::definition().merge else { panic!("it is said") };
    let fields = morango::model::Fields::parse("{\"text\":\"x\"}").expect("an object");
    assert_eq!(merge(SyncId::unset(), &fields, &fields).as_deref(), Ok("{\"text\":\"xx\"}"));
}
