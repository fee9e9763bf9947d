//! What happens to a received record: the only place that decides.
//!
//! A storage may carry the decision out for many records in one statement, but it is this decision that it carries out.

use std::borrow::Cow;
use std::collections::HashSet;

use super::StoreRecord;
use super::contents::{Content, MergedContent, merge_contents};
use super::length::{is_longer_in_json, length_in_json};
use crate::counter::{RecordMaxCounters, Stamp};
use crate::id::SyncId;
use crate::limits;
use crate::model::ModelDefinition;

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
    /// Both were changed without knowledge of each other: [`merge`].
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

/// A record after a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The record as it is to be kept.
    pub record: StoreRecord,
    /// Why the model's policies could not be applied, so that Morango's own rule was.
    pub failure: Option<String>,
}

/// Our record after a conflict with theirs, saved anew as this instance at its new count.
///
/// Without a merge policy, or where either side deleted the record, this is Morango's own rule: ours stays as `serialized`; theirs
/// goes before the earlier conflicts of both. (The Python package drops those of theirs: where three devices change a record,
/// the first to lose would be forgotten.) Either side's deletion holds, and a hard deletion empties both texts.
///
/// With a policy of the model or of its fields, `serialized` is what that makes of both, and a text goes to the conflicts only if
/// it says something that is not in there and was not taken in by a policy. A policy that fails is as good as none.
///
/// Either way the record max counters are the higher ones of both: to every other peer the result is a newer record that knows both.
///
/// # Source
/// Protocol, chapter 7.
pub fn merge(definition: Option<&ModelDefinition>, ours: &StoreRecord, theirs: &StoreRecord, saved: Stamp) -> Merged {
    let mut record = ours.clone();
    record.counters.merge_max(&theirs.counters);
    record.counters.raise(saved);
    record.last_saved = saved;
    record.deleted |= theirs.deleted;
    record.hard_deleted |= theirs.hard_deleted;
    if record.hard_deleted {
        record.serialized.clear();
        record.conflicting_serialized_data.clear();
        return Merged { record, failure: None };
    }
    let earlier = joined(&theirs.conflicting_serialized_data, &ours.conflicting_serialized_data);
    let by_policy = definition
        .filter(|_| !record.deleted)
        .and_then(|definition| merge_contents(definition, ours.id, ours.into(), theirs.into()));
    let failure = match by_policy {
        Some(Ok(merged)) => {
            record.conflicting_serialized_data =
                merged.put_losers_before(&ours.serialized, &theirs.serialized, &earlier);
            record.serialized = merged.serialized;
            record.self_ref_fk = merged.self_ref_fk;
            return Merged { record, failure: None };
        }
        Some(Err(failure)) => Some(failure),
        None => None,
    };
    record.conflicting_serialized_data = put_before(&theirs.serialized, &earlier);
    Merged { record, failure }
}

/// Our record after a conflict with theirs where this instance may not write: theirs, as it was saved. `is_own` is whether ours was
/// saved last by this instance, or by one that this database was before.
///
/// Were the merged record saved anew here, that version could never leave: to everybody else it would not exist, and every later
/// change of theirs would be a conflict again, in which what is oldest stays. So this instance follows those who may write. The
/// record max counters are the higher ones of both, since both were here; what ours said is kept with the texts that lost.
///
/// What this says is not what the stamp says elsewhere, so it is to stay here; a storage notes it, and saves it anew before it leaves
/// after all ([`Storage::save_what_gave_way`](crate::port::Storage::save_what_gave_way)).
///
/// Another's deletion holds until somebody who may write has merged the two. What was only deleted here, where nobody had the
/// right to, comes back.
pub fn give_way(ours: &StoreRecord, theirs: &StoreRecord, is_own: bool) -> StoreRecord {
    let mut record = theirs.clone();
    record.counters.merge_max(&ours.counters);
    if !is_own {
        record.deleted |= ours.deleted;
        record.hard_deleted |= ours.hard_deleted;
    }
    if record.hard_deleted {
        record.serialized.clear();
        record.conflicting_serialized_data.clear();
        return record;
    }
    let earlier = joined(&ours.conflicting_serialized_data, &theirs.conflicting_serialized_data);
    let is_known = ours.serialized == theirs.serialized || earlier.lines().any(|text| text == ours.serialized);
    record.conflicting_serialized_data = if ours.serialized.is_empty() || is_known {
        earlier.into_owned()
    } else {
        put_before(&ours.serialized, &earlier)
    };
    record
}

/// What a live record becomes whose row was changed here while the record, changed elsewhere, waited to become the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedRow {
    /// The record's content.
    pub serialized: String,
    /// The id of the record's parent of the same model, or nothing.
    pub self_ref_fk: String,
    /// Texts that lost, the newest first.
    pub conflicting_serialized_data: String,
    /// Whether the content is that of the row, so that nothing waits any more.
    pub is_row: bool,
    /// Why the model's policies could not be applied, so that Morango's own rule was.
    pub failure: Option<String>,
}

/// Merges a row that was changed here (*ours*) with its record, changed elsewhere, that waits (*theirs*); of both the text and the
/// id of the parent. `earlier` are the texts that lost before.
///
/// Without a policy the row's text is the record's, and what waited goes before the texts that lost earlier. Policies are
/// applied as by [`merge`]; where they give the row another content, the record goes on waiting to become the row.
pub fn merge_row(
    definition: &ModelDefinition,
    id: SyncId,
    row: (&str, &str),
    waiting: (&str, &str),
    earlier: &str,
) -> MergedRow {
    let failure = match merge_contents(definition, id, row.into(), waiting.into()) {
        Some(Ok(merged)) => {
            return MergedRow {
                conflicting_serialized_data: merged.put_losers_before(row.0, waiting.0, earlier),
                serialized: merged.serialized,
                self_ref_fk: merged.self_ref_fk,
                is_row: merged.is_ours,
                failure: None,
            };
        }
        Some(Err(failure)) => Some(failure),
        None => None,
    };
    MergedRow {
        serialized: row.0.to_owned(),
        self_ref_fk: row.1.to_owned(),
        conflicting_serialized_data: put_before(waiting.0, earlier),
        is_row: true,
        failure,
    }
}

impl<'a> From<&'a StoreRecord> for Content<'a> {
    fn from(record: &'a StoreRecord) -> Self {
        Self { serialized: &record.serialized, self_ref_fk: &record.self_ref_fk }
    }
}

impl<'a> From<(&'a str, &'a str)> for Content<'a> {
    fn from((serialized, self_ref_fk): (&'a str, &'a str)) -> Self {
        Self { serialized, self_ref_fk }
    }
}

impl MergedContent {
    /// The texts that say what the merged one does not, before those that lost earlier. One that is there already stays there.
    fn put_losers_before(&self, ours: &str, theirs: &str, earlier: &str) -> String {
        let mut texts = Cow::Borrowed(earlier);
        for (text, _) in [(ours, self.loses.0), (theirs, self.loses.1)].into_iter().filter(|(_, loses)| *loses) {
            if !texts.lines().any(|known| known == text) {
                texts = Cow::Owned(put_before(text, &texts));
            }
        }
        texts.into_owned()
    }
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
/// Past [`limits::CONFLICTING_BYTES_MAX`], as they stand in JSON, the oldest are cut, whole lines at a time; the new one always stays.
pub fn put_before(text: &str, older: &str) -> String {
    put_before_within(text, older, limits::CONFLICTING_BYTES_MAX)
}

/// Bytes of a line break in JSON.
const LINE_BREAK_BYTES: usize = 2;

fn put_before_within(text: &str, older: &str, bytes_max: usize) -> String {
    let all = [text, "\n", older].concat();
    if !is_longer_in_json(&all, bytes_max) {
        return all;
    }
    let mut room = bytes_max.saturating_sub(length_in_json(text) + LINE_BREAK_BYTES);
    let fits = |line: &&str| {
        let length = length_in_json(line);
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let kept: usize = older.split_inclusive('\n').take_while(fits).map(str::len).sum();
    [text, "\n", &older[..kept]].concat()
}

#[cfg(test)]
mod tests;
