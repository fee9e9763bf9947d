//! Merge policies over contents of any kind: none loses a text, both sides make the same of a pair, and what cannot be merged follows
//! Morango's own rule.

#![no_main]

use std::any::TypeId;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::counter::Stamp;
use morango::id::SyncId;
use morango::model::policy::compare;
use morango::model::{Field, FieldPolicy, IdRule, ModelDefinition, RecordPolicy, SourceRule};
use morango::record::{Merged, StoreRecord, merge};
use morango_fuzz::{FewStamps, counters, instance};
use serde_json::{Map, Value};

const fn field(name: &'static str, merge: Option<FieldPolicy>) -> Field {
    Field { name, wire_name: name, column: name, is_skipped: false, merge }
}

/// What a model may say of its fields that makes the same of a pair on both sides.
const EVEN_FIELDS: &[Field] = &[
    field("title", None),
    field("most", Some(FieldPolicy::Max(compare::<i64>))),
    field("least", Some(FieldPolicy::Min(compare::<f64>))),
    field("tags", Some(FieldPolicy::Union)),
];

const NEWEST: RecordPolicy = RecordPolicy::Newest { wire_name: "most", compare: compare::<i64> };

const fn model(merge: Option<RecordPolicy>) -> ModelDefinition {
    ModelDefinition {
        profile: "notebook",
        name: "note",
        rust_type: "fuzz::Note",
        type_id: TypeId::of::<u8>,
        table: "notes",
        id_column: "id",
        partition: "notes",
        id_rule: IdRule::Calculated,
        source: SourceRule::Random,
        fields: EVEN_FIELDS,
        foreign_keys: &[],
        depends_on: &[],
        merge,
    }
}

static MODELS: [ModelDefinition; 4] =
    [model(Some(NEWEST)), model(None), model(Some(RecordPolicy::Ours)), model(Some(RecordPolicy::Theirs))];

/// A value of a member, of those that meet each other.
#[derive(Debug, Clone, Arbitrary)]
enum Scalar {
    Null,
    Truth(bool),
    Small(i8),
    Fraction(i8),
    Large(u64),
    Text(u8),
}

#[derive(Debug, Clone, Arbitrary)]
enum Content<'a> {
    Object {
        title: Option<Scalar>,
        most: Option<Scalar>,
        least: Option<Scalar>,
        tags: Option<Tags>,
        other: Option<Scalar>,
    },
    Any(&'a str),
}

#[derive(Debug, Clone, Arbitrary)]
enum Tags {
    Array(Vec<Scalar>),
    InText(Vec<Scalar>),
    Other(Scalar),
}

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    model: u8,
    ours: Content<'a>,
    theirs: Content<'a>,
    deleted: [bool; 2],
    stamps: [Vec<FewStamps>; 2],
}

fuzz_target!(|input: Input<'_>| {
    let definition = &MODELS[usize::from(input.model) % MODELS.len()];
    let ours = record_of(&input.ours, input.deleted[0], &input.stamps[0]);
    let theirs = record_of(&input.theirs, input.deleted[1], &input.stamps[1]);
    let saved = |number| Stamp::new(instance(number), 1);
    let here = merge(Some(definition), &ours, &theirs, saved(100));
    let plain = merge(None, &ours, &theirs, saved(100));
    policies_change_contents_and_nothing_else(&here, &plain);
    let is_by_policy = here.failure.is_none() && !here.record.deleted;
    if !is_by_policy {
        assert_eq!(here.record, plain.record);
        return;
    }
    no_text_is_lost(&here.record, &[&ours.serialized, &theirs.serialized]);
    let there = merge(Some(definition), &theirs, &ours, saved(101));
    assert_eq!(there.failure, None, "it is none on one side");
    if matches!(definition.merge, Some(RecordPolicy::Newest { .. })) {
        assert_eq!(said(&here.record.serialized), said(&there.record.serialized), "both sides make the same");
    }
    // Who merges what was merged already makes nothing else of it.
    let again = merge(Some(definition), &here.record, &here.record, saved(100));
    assert_eq!(said(&again.record.serialized), said(&here.record.serialized));
});

fn scalar(value: &Scalar) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Truth(truth) => Value::from(*truth),
        Scalar::Small(number) => Value::from(*number),
        Scalar::Fraction(number) => Value::from(f64::from(*number) / 8.0),
        Scalar::Large(number) => Value::from(*number),
        Scalar::Text(number) => Value::from(["", "a", "[1]", "a\nb", "\u{0}"][usize::from(number % 5)]),
    }
}

fn serialized(content: &Content<'_>) -> String {
    let (title, most, least, tags, other) = match content {
        Content::Any(text) => return (*text).to_owned(),
        Content::Object { title, most, least, tags, other } => (title, most, least, tags, other),
    };
    let array = |tags: &Vec<Scalar>| Value::from(tags.iter().map(scalar).collect::<Vec<_>>());
    let tags = tags.as_ref().map(|tags| match tags {
        Tags::Array(tags) => array(tags),
        Tags::InText(tags) => Value::from(array(tags).to_string()),
        Tags::Other(other) => scalar(other),
    });
    let members = [("title", title), ("most", most), ("least", least), ("other", other)];
    let members = members.into_iter().filter_map(|(name, value)| Some((name, scalar(value.as_ref()?))));
    let object: Map<String, Value> =
        members.chain(tags.map(|tags| ("tags", tags))).map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Object(object).to_string()
}

fn record_of(content: &Content<'_>, deleted: bool, stamps: &[FewStamps]) -> StoreRecord {
    StoreRecord {
        id: SyncId::hash_of("note"),
        profile: "notebook".to_owned(),
        model_name: "note".to_owned(),
        partition: "notes".to_owned(),
        source_id: "1".to_owned(),
        serialized: serialized(content),
        conflicting_serialized_data: String::new(),
        deleted,
        hard_deleted: false,
        last_saved: Stamp::new(instance(0), 1),
        self_ref_fk: String::new(),
        counters: counters(stamps),
    }
}

fn policies_change_contents_and_nothing_else(merged: &Merged, plain: &Merged) {
    let heading = |merged: &Merged| StoreRecord {
        serialized: String::new(),
        conflicting_serialized_data: String::new(),
        ..merged.record.clone()
    };
    assert_eq!(heading(merged), heading(plain));
}

/// Members that say where a record belongs: those of ours stay.
const FIXED: [&str; 3] = ["id", "_morango_source_id", "_morango_partition"];

/// What a content says, however it is spelled: of a set of tags the order says nothing.
fn said(serialized: &str) -> Value {
    // What is nested too deep, or a number beyond all, is not taken apart here: the engine carries it as the text that it is.
    let mut value: Value = serde_json::from_str(serialized).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !FIXED.contains(&name.as_str()));
    }
    if let Some(tags) = value.get_mut("tags") {
        let inner = tags.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let mut elements = inner.as_ref().unwrap_or(tags).as_array().cloned().unwrap_or_else(|| vec![tags.clone()]);
        elements.sort_by_key(Value::to_string);
        elements.dedup();
        *tags = Value::from(elements);
    }
    value
}

/// Each side's members are in what was merged, or were taken in by it, or its whole text is kept beside it.
fn no_text_is_lost(merged: &StoreRecord, texts: &[&str]) {
    let Ok(becomes) = serde_json::from_str::<Map<String, Value>>(&merged.serialized) else { return };
    for text in texts {
        if merged.conflicting_serialized_data.contains(text) {
            continue;
        }
        let Ok(members) = serde_json::from_str::<Map<String, Value>>(text) else { continue };
        for (name, value) in members {
            let is_taken_in = ["most", "least", "tags"].contains(&name.as_str());
            let is_fixed = FIXED.contains(&name.as_str());
            assert!(is_taken_in || is_fixed || becomes.get(&name) == Some(&value), "{name:?} of {text} is lost");
        }
    }
}
