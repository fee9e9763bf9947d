use super::*;
use crate::id::InstanceId;
use crate::model::policy::compare;
use crate::model::{Field, FieldPolicy, IdRule, RecordPolicy, SourceRule};

fn stamp(instance: u8, counter: i64) -> Stamp {
    Stamp::new(InstanceId::from_bytes([instance; 16]), counter)
}

/// A record last saved at the first of these stamps, whose history holds all of them.
fn record(text: &str, stamps: &[Stamp]) -> StoreRecord {
    StoreRecord {
        id: SyncId::hash_of("note"),
        profile: "notebook".to_owned(),
        model_name: "note".to_owned(),
        partition: "me:notes".to_owned(),
        source_id: "1".to_owned(),
        serialized: text.to_owned(),
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved: stamps[0],
        self_ref_fk: String::new(),
        counters: RecordMaxCounters::from_stamps(stamps.iter().copied()).expect("good counters"),
    }
}

fn relate(ours: &[Stamp], theirs: &[Stamp]) -> Relation {
    let (ours, theirs) = (record("", ours), record("", theirs));
    relation(Some((&ours.last_saved, &ours.counters)), (&theirs.last_saved, &theirs.counters))
}

#[test]
fn what_we_do_not_have_is_new() {
    let theirs = record("", &[stamp(1, 1)]);
    assert_eq!(relation(None, (&theirs.last_saved, &theirs.counters)), Relation::New);
}

#[test]
fn the_one_that_knows_the_other_wins() {
    assert_eq!(relate(&[stamp(1, 3)], &[stamp(2, 1), stamp(1, 3)]), Relation::FastForward);
    assert_eq!(relate(&[stamp(2, 1), stamp(1, 3)], &[stamp(1, 3)]), Relation::AlreadySeen);
    assert_eq!(relate(&[stamp(1, 3)], &[stamp(1, 3)]), Relation::AlreadySeen);
    assert_eq!(relate(&[stamp(1, 3)], &[stamp(1, 4)]), Relation::FastForward);
}

#[test]
fn two_changes_without_knowledge_of_each_other_are_a_conflict() {
    assert_eq!(relate(&[stamp(1, 3), stamp(3, 1)], &[stamp(2, 5), stamp(3, 1)]), Relation::Conflict);
    assert_eq!(relate(&[stamp(1, 3)], &[stamp(2, 1), stamp(1, 2)]), Relation::Conflict);
}

#[test]
fn in_a_conflict_ours_stays_and_theirs_is_kept_before_earlier_ones() {
    let mut ours = record("ours", &[stamp(1, 3), stamp(3, 1)]);
    ours.conflicting_serialized_data = "earlier\n".to_owned();
    let mut theirs = record("theirs", &[stamp(2, 5), stamp(3, 2)]);
    theirs.deleted = true;
    let merged = merge(None, &ours, &theirs, stamp(1, 9)).record;
    assert_eq!(merged.serialized, "ours");
    assert_eq!(merged.conflicting_serialized_data, "theirs\nearlier\n");
    assert!(merged.deleted && !merged.hard_deleted);
    assert_eq!(merged.last_saved, stamp(1, 9));
    assert_eq!(merged.counters.iter().collect::<Vec<_>>(), [stamp(1, 9), stamp(2, 5), stamp(3, 2)]);
    // Whoever receives the merged record knows that it has both in its history.
    for before in [&ours, &theirs] {
        let relation = relation(Some((&before.last_saved, &before.counters)), (&merged.last_saved, &merged.counters));
        assert_eq!(relation, Relation::FastForward);
    }
}

#[test]
fn who_may_not_write_takes_theirs_as_it_was_saved_and_keeps_what_ours_said() {
    let mut ours = record("ours", &[stamp(1, 3), stamp(3, 1)]);
    ours.conflicting_serialized_data = "of ours\nof both\n".to_owned();
    let mut theirs = record("theirs", &[stamp(2, 5), stamp(3, 2)]);
    theirs.conflicting_serialized_data = "of both\n".to_owned();
    let kept = give_way(&ours, &theirs, false);
    assert_eq!((kept.serialized.as_str(), kept.last_saved), ("theirs", stamp(2, 5)));
    assert_eq!(kept.conflicting_serialized_data, "ours\nof ours\nof both\n");
    assert_eq!(kept.counters.iter().collect::<Vec<_>>(), [stamp(1, 3), stamp(2, 5), stamp(3, 2)]);
    // Both are known from then on, in whatever order they come again; and who merged them is followed.
    let relate = |record: &StoreRecord| {
        relation(Some((&kept.last_saved, &kept.counters)), (&record.last_saved, &record.counters))
    };
    assert_eq!((relate(&ours), relate(&theirs)), (Relation::AlreadySeen, Relation::AlreadySeen));
    assert_eq!(relate(&merge(None, &ours, &theirs, stamp(1, 9)).record), Relation::FastForward);
    // A text that is kept already is not kept twice.
    assert_eq!(give_way(&record("of both", &[stamp(1, 3)]), &theirs, false).conflicting_serialized_data, "of both\n");
}

#[test]
fn who_may_not_write_believes_the_deletions_of_others_and_not_its_own() {
    let mut ours = record("ours", &[stamp(1, 3)]);
    let theirs = record("theirs", &[stamp(2, 5)]);
    ours.deleted = true;
    assert!(give_way(&ours, &theirs, false).deleted);
    assert!(!give_way(&ours, &theirs, true).deleted);
    ours.hard_deleted = true;
    let gone = give_way(&ours, &theirs, false);
    assert!(gone.deleted && gone.hard_deleted);
    assert_eq!((gone.serialized.as_str(), gone.conflicting_serialized_data.as_str()), ("", ""));
}

#[test]
fn what_lost_earlier_on_either_side_is_kept_once() {
    let mut ours = record("ours", &[stamp(1, 3)]);
    ours.conflicting_serialized_data = "of both\nof ours\n".to_owned();
    let mut theirs = record("theirs", &[stamp(2, 5)]);
    theirs.conflicting_serialized_data = "of theirs\nof both\n".to_owned();
    let merged = merge(None, &ours, &theirs, stamp(1, 9)).record;
    assert_eq!(merged.conflicting_serialized_data, "theirs\nof theirs\nof both\nof ours\n");
}

#[test]
fn a_hard_deletion_on_either_side_empties_both_texts() {
    for (ours_gone, theirs_gone) in [(true, false), (false, true)] {
        let mut ours = record("ours", &[stamp(1, 3)]);
        let mut theirs = record("theirs", &[stamp(2, 5)]);
        ours.hard_deleted = ours_gone;
        theirs.hard_deleted = theirs_gone;
        let merged = merge(None, &ours, &theirs, stamp(1, 9)).record;
        assert!(merged.hard_deleted);
        assert_eq!((merged.serialized.as_str(), merged.conflicting_serialized_data.as_str()), ("", ""));
    }
}

#[test]
fn what_both_deleted_is_deleted_whoever_merges() {
    let mut ours = record("ours", &[stamp(1, 3)]);
    let mut theirs = record("theirs", &[stamp(2, 5)]);
    (ours.deleted, theirs.deleted) = (true, true);
    assert!(merge(None, &ours, &theirs, stamp(1, 9)).record.deleted);
    assert!(give_way(&ours, &theirs, false).deleted);
    (ours.hard_deleted, theirs.hard_deleted) = (true, true);
    assert!(merge(None, &ours, &theirs, stamp(1, 9)).record.hard_deleted);
    assert!(give_way(&ours, &theirs, false).hard_deleted);
}

#[test]
fn who_may_not_write_keeps_no_text_where_ours_says_nothing_or_the_same() {
    let mut theirs = record("theirs", &[stamp(2, 5)]);
    theirs.conflicting_serialized_data = "earlier\n".to_owned();
    for text in ["", "theirs"] {
        let kept = give_way(&record(text, &[stamp(1, 3)]), &theirs, false);
        assert_eq!((kept.serialized.as_str(), kept.conflicting_serialized_data.as_str()), ("theirs", "earlier\n"));
    }
}

#[test]
fn the_oldest_conflicts_are_cut_in_whole_lines() {
    // A line break takes two bytes where the texts travel.
    for (bytes_max, kept) in [(15, "b\nä\nc\n"), (14, "b\nä\n"), (12, "b\nä\n"), (11, "b\n"), (7, ""), (2, "")] {
        assert_eq!(put_before_within("new", "b\nä\nc\n", bytes_max), format!("new\n{kept}"), "{bytes_max}");
    }
    assert_eq!(put_before_within("new", "\"long\"\nc\n", 12), "new\n", "nothing older than what is cut is kept");
}

/// What may be a record's text may be what it lost.
#[test]
fn the_longest_text_that_loses_is_kept_whole() {
    for character in ["x", "\n", "\u{1}"] {
        let bytes = super::length_in_json(character);
        let longest = character.repeat(limits::SERIALIZED_BYTES_MAX / bytes);
        let kept = put_before(&longest, "older\n");
        assert_eq!(kept.len(), longest.len() + 1);
        assert!(!is_longer_in_json(&kept, limits::CONFLICTING_BYTES_MAX));
    }
}

/// A model whose greatest `count` is kept.
static COUNTED: ModelDefinition = ModelDefinition {
    profile: "notebook",
    name: "note",
    rust_type: "test::Note",
    type_id: std::any::TypeId::of::<u8>,
    table: "notes",
    id_column: "id",
    partition: "me:notes",
    id_rule: IdRule::Calculated,
    source: SourceRule::Random,
    fields: &[
        Field { name: "title", wire_name: "title", column: "title", is_skipped: false, merge: None },
        Field {
            name: "count",
            wire_name: "count",
            column: "count",
            is_skipped: false,
            merge: Some(FieldPolicy::Max(compare::<i64>)),
        },
    ],
    foreign_keys: &[],
    depends_on: &[],
    merge: None,
};

/// The same model, of which nothing is said.
static PLAIN: ModelDefinition = ModelDefinition { fields: &[], ..COUNTED };

#[test]
fn without_a_policy_a_conflict_ends_as_it_does_for_a_model_that_nobody_knows() {
    let mut ours = record(r#"{"title": "a", "count": 1}"#, &[stamp(1, 3)]);
    let mut theirs = record(r#"{"title": "b", "count": 2}"#, &[stamp(2, 5)]);
    for (ours_deleted, theirs_deleted) in [(false, false), (true, false), (false, true)] {
        (ours.deleted, theirs.deleted) = (ours_deleted, theirs_deleted);
        let unknown = merge(None, &ours, &theirs, stamp(1, 9));
        assert_eq!(merge(Some(&PLAIN), &ours, &theirs, stamp(1, 9)), unknown);
        assert_eq!(unknown.record.conflicting_serialized_data, format!("{}\n", theirs.serialized));
    }
}

#[test]
fn a_policy_merges_contents_and_the_counters_are_as_without_one() {
    let mut ours = record(r#"{"title":"a","count":1}"#, &[stamp(1, 3)]);
    ours.conflicting_serialized_data = "of ours\n".to_owned();
    let mut theirs = record(r#"{"title":"a","count":2}"#, &[stamp(2, 5)]);
    theirs.conflicting_serialized_data = "of theirs\n".to_owned();
    let here = merge(Some(&COUNTED), &ours, &theirs, stamp(1, 9));
    assert_eq!(here.record.serialized, r#"{"title":"a","count":2}"#);
    assert_eq!(here.record.conflicting_serialized_data, "of theirs\nof ours\n", "nothing of either is lost");
    assert_eq!((here.record.last_saved, here.failure), (stamp(1, 9), None));
    assert_eq!(here.record.counters, merge(None, &ours, &theirs, stamp(1, 9)).record.counters);

    theirs.serialized = r#"{"title":"b","count":0}"#.to_owned();
    let there = merge(Some(&COUNTED), &ours, &theirs, stamp(1, 9)).record;
    assert_eq!(there.serialized, r#"{"title":"a","count":1}"#);
    assert_eq!(there.conflicting_serialized_data, format!("{}\nof theirs\nof ours\n", theirs.serialized));
    theirs.conflicting_serialized_data.clone_from(&there.conflicting_serialized_data);
    let again = merge(Some(&COUNTED), &ours, &theirs, stamp(1, 10)).record;
    assert_eq!(again.conflicting_serialized_data, there.conflicting_serialized_data, "what was kept is kept once");
}

#[test]
fn two_peers_that_merge_the_same_two_apart_agree_when_they_meet() {
    let newest = ModelDefinition {
        merge: Some(RecordPolicy::Newest { wire_name: "count", compare: compare::<i64> }),
        fields: PLAIN.fields,
        ..COUNTED
    };
    let one = record(r#"{"title":"a","count":7}"#, &[stamp(1, 3)]);
    let other = record(r#"{"title":"b","count":7}"#, &[stamp(2, 5)]);
    let here = merge(Some(&newest), &one, &other, stamp(1, 9)).record;
    let there = merge(Some(&newest), &other, &one, stamp(2, 9)).record;
    assert_eq!(
        (&here.serialized, &here.conflicting_serialized_data),
        (&there.serialized, &there.conflicting_serialized_data)
    );
    let met = merge(Some(&newest), &here, &there, stamp(1, 10)).record;
    assert_eq!((met.serialized, met.conflicting_serialized_data), (here.serialized, here.conflicting_serialized_data));
}

#[test]
fn a_deletion_and_what_a_policy_cannot_read_follow_the_rule_of_morango() {
    let ours = record(r#"{"title":"a","count":1}"#, &[stamp(1, 3)]);
    let mut theirs = record(r#"{"title":"b","count":2}"#, &[stamp(2, 5)]);
    theirs.deleted = true;
    let deleted = merge(Some(&COUNTED), &ours, &theirs, stamp(1, 9));
    assert_eq!(deleted, merge(None, &ours, &theirs, stamp(1, 9)));
    assert!(deleted.record.deleted);
    theirs.deleted = false;
    for odd in ["no JSON", r#"{"title":"b","count":"many"}"#] {
        theirs.serialized = odd.to_owned();
        let merged = merge(Some(&COUNTED), &ours, &theirs, stamp(1, 9));
        assert_eq!(merged.record, merge(None, &ours, &theirs, stamp(1, 9)).record);
        assert!(merged.failure.is_some(), "{odd}");
    }
}

#[test]
fn a_row_meets_what_waited_for_it_as_two_peers_meet() {
    let id = SyncId::hash_of("note");
    let (row, waiting) = (r#"{"title":"row","count":1}"#, r#"{"title":"record","count":2}"#);
    let plain = merge_row(&PLAIN, id, (row, "mother"), (waiting, "aunt"), "earlier\n");
    assert_eq!((plain.serialized.as_str(), plain.self_ref_fk.as_str(), plain.is_row), (row, "mother", true));
    assert_eq!(plain.conflicting_serialized_data, format!("{waiting}\nearlier\n"));
    let merged = merge_row(&COUNTED, id, (row, ""), (waiting, ""), "earlier\n");
    assert_eq!((merged.serialized.as_str(), merged.is_row), (r#"{"title":"row","count":2}"#, false));
    assert_eq!(merged.conflicting_serialized_data, format!("{waiting}\nearlier\n"), "its title is not in there");
    let same = merge_row(&COUNTED, id, (row, ""), (r#"{"title":"row","count":0}"#, ""), "");
    assert_eq!((same.serialized.as_str(), same.is_row, same.conflicting_serialized_data.as_str()), (row, true, ""));
    let odd = merge_row(&COUNTED, id, (row, ""), ("no JSON", ""), "");
    assert!(odd.is_row && odd.failure.is_some());
    assert_eq!(odd.conflicting_serialized_data, "no JSON\n");
}
