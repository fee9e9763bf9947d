use std::any::TypeId;

use super::*;
use crate::model::policy::{compare, merge_values};
use crate::model::{Dependency, Field, ForeignKey, IdRule, SourceRule};

/// A field that travels under its own name.
const fn field(name: &'static str, merge: Option<FieldPolicy>) -> Field {
    Field { name, wire_name: name, column: name, is_skipped: false, merge }
}

fn clock() -> &'static ModelDefinition {
    unreachable!("nobody looks up the parent's model here")
}

/// A model with a title, a text, a count and a parent, of which nothing is said but this.
const fn model(merge: Option<RecordPolicy>, fields: &'static [Field]) -> ModelDefinition {
    ModelDefinition {
        profile: "notebook",
        name: "note",
        rust_type: "test::Note",
        type_id: TypeId::of::<u8>,
        table: "notes",
        id_column: "id",
        partition: "notes",
        id_rule: IdRule::Calculated,
        source: SourceRule::Random,
        fields,
        foreign_keys: &[ForeignKey {
            field: "parent_id",
            wire_name: "parent_id",
            column: "parent_id",
            target: Dependency { definition: clock },
            may_be_missing: false,
            is_self: true,
        }],
        depends_on: &[],
        merge,
    }
}

static PLAIN: &[Field] = &[field("title", None), field("count", None), field("parent_id", None)];

const NEWEST: RecordPolicy = RecordPolicy::Newest { wire_name: "count", compare: compare::<f64> };

fn merged(definition: &ModelDefinition, ours: &str, theirs: &str) -> Result<MergedContent, String> {
    let content = |serialized| Content { serialized, self_ref_fk: "" };
    merge_contents(definition, SyncId::hash_of("note"), content(ours), content(theirs)).expect("the model has a policy")
}

/// Asserts what two contents become on either side, and returns whether something of the first and of the second is lost.
#[track_caller]
fn both_sides_make(definition: &ModelDefinition, one: &str, two: &str, expected: &str) -> (bool, bool) {
    let here = merged(definition, one, two).expect("the policy applies");
    let there = merged(definition, two, one).expect("the policy applies");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(json(&here.serialized), json(expected));
    assert_eq!(json(&there.serialized), json(expected));
    assert_eq!(here.loses, (there.loses.1, there.loses.0));
    assert_eq!(here.is_ours, json(&here.serialized) == json(one));
    here.loses
}

#[test]
fn a_model_without_policies_has_nothing_to_say() {
    let definition = model(None, PLAIN);
    let content = Content { serialized: "{}", self_ref_fk: "" };
    assert_eq!(merge_contents(&definition, SyncId::hash_of("note"), content, content), None);
}

#[test]
fn ours_and_theirs_choose_the_whole_content_and_the_other_one_is_kept() {
    let (ours, theirs) = (r#"{"title":"a","count":1,"x":1}"#, r#"{"title":"b","count":2,"y":2}"#);
    let stayed = merged(&model(Some(RecordPolicy::Ours), PLAIN), ours, theirs).expect("it applies");
    assert_eq!(stayed.serialized, r#"{"title":"a","count":1,"x":1,"y":2}"#, "what only theirs has is taken up");
    assert_eq!((stayed.is_ours, stayed.loses), (false, (false, true)));
    let taken = merged(&model(Some(RecordPolicy::Theirs), PLAIN), ours, theirs).expect("it applies");
    assert_eq!(taken.serialized, r#"{"title":"b","count":2,"y":2,"x":1}"#);
    assert_eq!((taken.is_ours, taken.loses), (false, (true, false)));
    let same = merged(&model(Some(RecordPolicy::Ours), PLAIN), r#"{"title":"\u0061"}"#, r#"{"title": "a"}"#);
    assert_eq!(same.map(|same| (same.is_ours, same.loses)), Ok((true, (false, false))), "nothing is lost of equals");
}

#[test]
fn the_newest_wins_on_both_sides_alike() {
    let definition = model(Some(NEWEST), PLAIN);
    let (old, new) = (r#"{"title":"old","count":2}"#, r#"{"title":"new","count":10.0}"#);
    assert_eq!(both_sides_make(&definition, old, new, new), (true, false));
    for nothing in [r#"{"title":"old","count":null}"#, r#"{"title":"old","count":"NaN"}"#] {
        assert_eq!(both_sides_make(&definition, nothing, new, new), (true, false), "{nothing}");
    }
    let (one, other) = (r#"{"title":"a","count":3}"#, r#"{"title":"b","count":3}"#);
    assert_eq!(
        both_sides_make(&definition, one, other, other),
        (true, false),
        "both sides choose alike between equals"
    );
    assert!(merged(&definition, r#"{"count":"soon"}"#, new).expect_err("no number").contains("`count`"));
}

#[test]
fn a_field_with_a_policy_is_merged_by_itself() {
    static FIELDS: &[Field] =
        &[field("title", None), field("count", Some(FieldPolicy::Max(compare::<i64>))), field("parent_id", None)];
    let (ours, theirs) = (r#"{"title":"a","count":9}"#, r#"{"title":"b","count":10}"#);
    let result = merged(&model(None, FIELDS), ours, theirs).expect("it applies");
    assert_eq!(result.serialized, r#"{"title":"a","count":10}"#);
    assert_eq!(result.loses, (false, true), "our count is taken in, but their title is not");
    let result = merged(&model(Some(RecordPolicy::Theirs), FIELDS), theirs, ours).expect("it applies");
    assert_eq!(result.serialized, r#"{"title":"a","count":10}"#);
    assert_eq!(result.loses, (true, false));
}

#[test]
fn max_min_and_union_take_in_both_and_leave_no_conflict() {
    static MAX: &[Field] = &[field("count", Some(FieldPolicy::Max(compare::<i64>)))];
    static MIN: &[Field] = &[field("count", Some(FieldPolicy::Min(compare::<i64>)))];
    static UNION: &[Field] = &[field("tags", Some(FieldPolicy::Union))];
    for (fields, one, two, expected) in [
        (MAX, r#"{"count":9}"#, r#"{"count":10}"#, r#"{"count":10}"#),
        (MAX, r#"{"count":-1}"#, r#"{"count":null}"#, r#"{"count":-1}"#),
        (MAX, r#"{"count":null}"#, r#"{"count":null}"#, r#"{"count":null}"#),
        (MAX, r#"{"count":5}"#, "{}", r#"{"count":5}"#),
        (MAX, r#"{"count":5}"#, r#"{"count":5.0}"#, r#"{"count":5.0}"#),
        (MIN, r#"{"count":9}"#, r#"{"count":10}"#, r#"{"count":9}"#),
        (MIN, r#"{"count":9}"#, r#"{"count":null}"#, r#"{"count":9}"#),
        (MIN, r#"{"count":5}"#, r#"{"count":5.0}"#, r#"{"count":5.0}"#),
        (UNION, r#"{"tags":["a"]}"#, r#"{"tags":null}"#, r#"{"tags":["a"]}"#),
        (UNION, r#"{"tags":["a"]}"#, r#"{"tags":["a"]}"#, r#"{"tags":["a"]}"#),
    ] {
        assert_eq!(both_sides_make(&model(None, fields), one, two, expected), (false, false), "{one} {two}");
    }
    let (one, two) = (r#"{"tags":["a","b"]}"#, r#"{"tags":["c","b"]}"#);
    let result = merged(&model(None, UNION), one, two).expect("both are arrays");
    assert_eq!((result.serialized.as_str(), result.loses), (r#"{"tags":["a","b","c"]}"#, (false, false)));
    for (fields, odd) in [(MAX, r#"{"count":"x"}"#), (UNION, r#"{"tags":{}}"#)] {
        for (ours, theirs) in [(odd, r#"{"count":1,"tags":[]}"#), (r#"{"count":1,"tags":[]}"#, odd)] {
            merged(&model(None, fields), ours, theirs).expect_err("a value that is none of the field");
        }
    }
}

#[test]
fn a_function_merges_a_field_and_may_decline_or_panic() {
    static FIELDS: &[Field] = &[field(
        "count",
        Some(FieldPolicy::Function(|ours, theirs| {
            merge_values(ours, theirs, |ours: &i64, theirs: &i64| {
                assert_ne!(*theirs, 13, "a number that brings bad luck");
                ours.checked_add(*theirs).ok_or("it is too much")
            })
        })),
    )];
    let definition = model(None, FIELDS);
    assert_eq!(both_sides_make(&definition, r#"{"count":2}"#, r#"{"count":3}"#, r#"{"count":5}"#), (false, false));
    assert_eq!(both_sides_make(&definition, r#"{"count":2}"#, "{}", r#"{"count":2}"#), (false, false));
    let failure = |theirs: &str| merged(&definition, r#"{"count":2}"#, theirs).expect_err("no merged value");
    assert!(failure(r#"{"count":9223372036854775807}"#).contains("it is too much"));
    assert!(failure(r#"{"count":13}"#).contains("panicked"));
    assert!(failure(r#"{"count":null}"#).contains("`count`"));
}

#[test]
fn a_function_of_the_model_makes_the_fields_that_it_knows_and_others_stay() {
    let function = RecordPolicy::Function(|_, ours, theirs| {
        let title = [ours, theirs].map(|side| side.get_text("title").unwrap_or_default()).join(" and ");
        let mut object = ObjectWriter::new();
        object.member("title", &title);
        object.raw_member("count", "0");
        Ok(object.finish())
    });
    let (ours, theirs) = (r#"{"id":"1","title":"a","count":1,"x":1}"#, r#"{"id":"2","title":"b","count":2,"x":2}"#);
    let result = merged(&model(Some(function), PLAIN), ours, theirs).expect("it applies");
    assert_eq!(result.serialized, r#"{"title":"a and b","count":0,"id":"1","x":1}"#);
    assert_eq!(result.loses, (false, true), "it saw both titles, but not the field that it does not know");
}

#[test]
fn a_text_that_cannot_be_read_is_an_error_and_no_content() {
    let definition = model(Some(RecordPolicy::Theirs), PLAIN);
    for odd in ["", "null", "[]", "no json", "{"] {
        merged(&definition, odd, "{}").expect_err(odd);
        merged(&definition, "{}", odd).expect_err(odd);
    }
}

#[test]
fn where_the_record_belongs_stays_what_ours_says() {
    let ours = r#"{"id":"1","_morango_source_id":"s","_morango_partition":"p","title":"a"}"#;
    let theirs = r#"{"id":"2","_morango_source_id":"t","_morango_partition":"q","title":"b"}"#;
    let result = merged(&model(Some(RecordPolicy::Theirs), PLAIN), ours, theirs).expect("it applies");
    let expected = r#"{"id":"1","_morango_source_id":"s","_morango_partition":"p","title":"b"}"#;
    assert_eq!((result.serialized.as_str(), result.loses), (expected, (true, false)));
    assert_eq!(complete(theirs, ours).as_deref(), Ok(expected));
    assert_eq!(complete(r#"{"title":"c"}"#, r#"{"title":"a","x":[1]}"#).as_deref(), Ok(r#"{"title":"c","x":[1]}"#));
    assert_eq!(complete(r#"{"title":"c"}"#, "no json").as_deref(), Ok(r#"{"title":"c"}"#));
    complete("no json", ours).expect_err("what is chosen must be an object");
}

#[test]
fn the_parent_is_that_of_the_side_from_which_its_key_comes() {
    let parent = |policy, ours: &str, theirs: &str| {
        let content = |serialized, self_ref_fk| Content { serialized, self_ref_fk };
        let (ours, theirs) = (content(ours, "mother"), content(theirs, "aunt"));
        let merged = merge_contents(&model(Some(policy), PLAIN), SyncId::hash_of("note"), ours, theirs);
        merged.expect("a policy").expect("it applies").self_ref_fk
    };
    let (mother, aunt) = (r#"{"parent_id":"m"}"#, r#"{"parent_id":"a"}"#);
    assert_eq!(parent(RecordPolicy::Ours, mother, aunt), "mother");
    assert_eq!(parent(RecordPolicy::Theirs, mother, aunt), "aunt");
    let other = RecordPolicy::Function(|_, _, _| Ok(r#"{"parent_id":"stranger"}"#.to_owned()));
    assert_eq!(parent(other, mother, aunt), "stranger");
    let orphan = RecordPolicy::Function(|_, _, _| Ok(r#"{"parent_id":null}"#.to_owned()));
    assert_eq!(parent(orphan, mother, aunt), "");
}

#[test]
fn a_text_of_very_many_members_is_merged_in_one_pass_and_one_of_more_not_at_all() {
    let members: Vec<String> =
        (0..limits::MERGED_MEMBERS_MAX).map(|number| format!("\"m{number}\":{number}")).collect();
    let text = format!("{{{}}}", members.join(","));
    let other = format!("{{{}}}", members.iter().rev().cloned().collect::<Vec<_>>().join(","));
    let result = merged(&model(Some(NEWEST), PLAIN), &text, &other).expect("it applies");
    assert_eq!(result.loses, (false, false));
    let one_more = format!("{{{},\"more\":1}}", members.join(","));
    merged(&model(Some(NEWEST), PLAIN), &one_more, "{}").expect_err("more than are merged");
}
