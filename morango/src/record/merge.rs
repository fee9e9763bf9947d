//! What happens to a received record: the only place that decides.
//!
//! A storage may carry the decision out for many records in one statement, but it is this decision that it carries out.

use std::borrow::Cow;
use std::collections::HashSet;

use super::StoreRecord;
use crate::counter::{RecordMaxCounters, Stamp};
use crate::limits;

/// How a received record stands to ours of the same id.
///
/// # Source
/// Protocol, chapter 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relation {
    /// We have none: theirs is inserted.
    New,
    /// Theirs has ours in its history: it replaces ours, and its counters are taken in.
    FastForward,
    /// Ours has theirs in its history, or is the same: theirs is dropped.
    AlreadySeen,
    /// Both were changed without knowledge of each other: [`merge_conflict`].
    Conflict,
}

/// How a received record stands to ours: of each its last stamp and its record max counters.
pub fn relation(ours: Option<(&Stamp, &RecordMaxCounters)>, theirs: (&Stamp, &RecordMaxCounters)) -> Relation {
    let Some((our_stamp, our_counters)) = ours else {
        return Relation::New;
    };
    let (their_stamp, their_counters) = theirs;
    if our_counters.covers(their_stamp) {
        Relation::AlreadySeen
    } else if their_counters.covers(our_stamp) {
        Relation::FastForward
    } else {
        Relation::Conflict
    }
}

/// Our record after a conflict with theirs, saved anew as this instance at its new count.
///
/// Ours stays as `serialized`; theirs goes before the earlier conflicts of both. (The Python package drops those of theirs: where
/// three devices change a record, the first to lose would be forgotten.) Either side's deletion holds, and a hard deletion
/// empties both texts.
pub fn merge_conflict(ours: &StoreRecord, theirs: &StoreRecord, saved: Stamp) -> StoreRecord {
    let mut merged = ours.clone();
    merged.deleted |= theirs.deleted;
    merged.hard_deleted |= theirs.hard_deleted;
    if merged.hard_deleted {
        merged.serialized.clear();
        merged.conflicting_serialized_data.clear();
    } else {
        let earlier = joined(&theirs.conflicting_serialized_data, &ours.conflicting_serialized_data);
        merged.conflicting_serialized_data = put_before(&theirs.serialized, &earlier);
    }
    merged.counters.merge_max(&theirs.counters);
    merged.counters.raise(saved);
    merged.last_saved = saved;
    merged
}

/// The texts of both that lost earlier: those of theirs that we do not have, then ours.
fn joined<'a>(theirs: &str, ours: &'a str) -> Cow<'a, str> {
    let known: HashSet<&str> = ours.lines().collect();
    let mut both: String =
        theirs.lines().filter(|line| !known.contains(line)).fold(String::new(), |lines, line| lines + line + "\n");
    if both.is_empty() {
        return Cow::Borrowed(ours);
    }
    both.push_str(ours);
    Cow::Owned(both)
}

/// A text that has lost, put with a line break before those that lost earlier.
///
/// Past [`limits::CONFLICTING_BYTES_MAX`] the oldest are cut, whole lines at a time; the new one always stays.
pub fn put_before(text: &str, older: &str) -> String {
    put_before_within(text, older, limits::CONFLICTING_BYTES_MAX)
}

fn put_before_within(text: &str, older: &str, bytes_max: usize) -> String {
    let room = bytes_max.saturating_sub(text.len() + 1);
    let kept = if older.len() <= room {
        older
    } else {
        // A byte that is a line break begins and ends a character, so the cut is between characters.
        let end = older.as_bytes()[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        &older[..end]
    };
    [text, "\n", kept].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{InstanceId, SyncId};

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
        let merged = merge_conflict(&ours, &theirs, stamp(1, 9));
        assert_eq!(merged.serialized, "ours");
        assert_eq!(merged.conflicting_serialized_data, "theirs\nearlier\n");
        assert!(merged.deleted && !merged.hard_deleted);
        assert_eq!(merged.last_saved, stamp(1, 9));
        assert_eq!(merged.counters.iter().collect::<Vec<_>>(), [stamp(1, 9), stamp(2, 5), stamp(3, 2)]);
        // Whoever receives the merged record knows that it has both in its history.
        for before in [&ours, &theirs] {
            let relation =
                relation(Some((&before.last_saved, &before.counters)), (&merged.last_saved, &merged.counters));
            assert_eq!(relation, Relation::FastForward);
        }
    }

    #[test]
    fn what_lost_earlier_on_either_side_is_kept_once() {
        let mut ours = record("ours", &[stamp(1, 3)]);
        ours.conflicting_serialized_data = "of both\nof ours\n".to_owned();
        let mut theirs = record("theirs", &[stamp(2, 5)]);
        theirs.conflicting_serialized_data = "of theirs\nof both\n".to_owned();
        let merged = merge_conflict(&ours, &theirs, stamp(1, 9));
        assert_eq!(merged.conflicting_serialized_data, "theirs\nof theirs\nof both\nof ours\n");
    }

    #[test]
    fn a_hard_deletion_on_either_side_empties_both_texts() {
        for (ours_gone, theirs_gone) in [(true, false), (false, true)] {
            let mut ours = record("ours", &[stamp(1, 3)]);
            let mut theirs = record("theirs", &[stamp(2, 5)]);
            ours.hard_deleted = ours_gone;
            theirs.hard_deleted = theirs_gone;
            let merged = merge_conflict(&ours, &theirs, stamp(1, 9));
            assert!(merged.hard_deleted);
            assert_eq!((merged.serialized.as_str(), merged.conflicting_serialized_data.as_str()), ("", ""));
        }
    }

    #[test]
    fn the_oldest_conflicts_are_cut_in_whole_lines() {
        assert_eq!(put_before_within("new", "b\nä\nc\n", 20), "new\nb\nä\nc\n");
        assert_eq!(put_before_within("new", "b\nä\nc\n", 10), "new\nb\nä\n");
        assert_eq!(put_before_within("new", "b\nä\nc\n", 7), "new\nb\n");
        assert_eq!(put_before_within("new", "b\n", 2), "new\n");
    }
}
