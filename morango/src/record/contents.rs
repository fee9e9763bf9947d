//! Two contents of one record become one, by the merge policies of its model.
//!
//! A content is the text of a JSON object. The model's policy says from which side the members come; a field with a policy of its
//! own is merged by itself. Members that the chosen side lacks are taken from the other: fields that a newer version of the
//! application has stay, whichever side has them. Whatever cannot be read or computed is an error, upon which Morango's own
//! rule is followed: no policy can lose a record.
//!
//! Where a choice is between equals, both sides must make the same: the spelling that sorts last is taken.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::length::is_longer_in_json;
use super::union::union;
use crate::id::SyncId;
use crate::limits;
use crate::model::policy::CompareValues;
use crate::model::{FieldPolicy, Fields, ModelDefinition, ObjectWriter, PARTITION_NAME, RecordPolicy, SOURCE_ID_NAME};

/// One side's content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content<'a> {
    /// The JSON text.
    pub(super) serialized: &'a str,
    /// The id of the record's parent, as the record carries it beside the text.
    pub(super) self_ref_fk: &'a str,
}

/// What two contents became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MergedContent {
    pub(super) serialized: String,
    pub(super) self_ref_fk: String,
    /// Whether it says what ours says.
    pub(super) is_ours: bool,
    /// Whether something of ours, or of theirs, is not in it, and not taken in by a policy.
    pub(super) loses: (bool, bool),
}

/// Merges two contents by the policies of their model. `None` where it has none.
///
/// # Errors
/// Why the policies cannot be applied: a text is no JSON object, a value is none of its field, a function declined or panicked, or
/// the merged text is too long.
pub(super) fn merge_contents(
    definition: &ModelDefinition,
    id: SyncId,
    ours: Content<'_>,
    theirs: Content<'_>,
) -> Option<Result<MergedContent, String>> {
    if !definition.has_merge_policy() {
        return None;
    }
    // A function of the application may panic over what a peer sent: that is no more than a function that declines.
    let merged = catch_unwind(AssertUnwindSafe(|| merge(definition, id, ours, theirs)));
    Some(merged.unwrap_or_else(|_| Err("the application's function panicked".to_owned())))
}

/// The content that is chosen, with what it lacks of the other. Id, source id and partition are those of ours.
///
/// # Errors
/// One of the two is no JSON object.
pub(super) fn complete(chosen: &str, ours: &str) -> Result<String, String> {
    let chosen = Side::read(chosen).map_err(|error| format!("the chosen content: {error}"))?;
    let Ok(ours) = Side::read(ours) else { return Ok(chosen.write([], |_, value| Cow::Borrowed(value))) };
    Ok(chosen.write([&ours], |name, value| match ours.get(name) {
        Some(fixed) if is_fixed(name) => Cow::Borrowed(fixed),
        _ => Cow::Borrowed(value),
    }))
}

fn merge(
    definition: &ModelDefinition,
    id: SyncId,
    our_content: Content<'_>,
    their_content: Content<'_>,
) -> Result<MergedContent, String> {
    let ours = Side::read(our_content.serialized).map_err(|error| format!("ours: {error}"))?;
    let theirs = Side::read(their_content.serialized).map_err(|error| format!("theirs: {error}"))?;
    let made: String;
    let made_side: Side<'_>;
    let [first, second, third] = match definition.merge {
        None | Some(RecordPolicy::Ours) => [&ours, &theirs, &theirs],
        Some(RecordPolicy::Theirs) => [&theirs, &ours, &ours],
        Some(RecordPolicy::Newest { wire_name, compare }) => {
            let texts = (our_content.serialized, their_content.serialized);
            let foremost = foremost((ours.get(wire_name), theirs.get(wire_name)), compare, Ordering::Greater)
                .map_err(|error| format!("the field `{wire_name}`: {error}"))?;
            match foremost.unwrap_or_else(|| spelled_last(texts.0, texts.1)) {
                Chosen::Ours => [&ours, &theirs, &theirs],
                Chosen::Theirs => [&theirs, &ours, &ours],
            }
        }
        Some(RecordPolicy::Function(function)) => {
            made = function(id, &ours.fields, &theirs.fields)?;
            made_side = Side::read(&made)?;
            [&made_side, &ours, &theirs]
        }
    };
    let mut singly: HashMap<&str, Cow<'_, str>> = HashMap::new();
    for field in definition.fields {
        let Some(policy) = field.merge else { continue };
        let value = merge_values(policy, ours.get(field.wire_name), theirs.get(field.wire_name))
            .map_err(|error| format!("the field `{}`: {error}", field.wire_name))?;
        singly.extend(value.map(|value| (field.wire_name, value)));
    }
    let serialized = first.write([second, third], |name, value| match (singly.get(name), ours.get(name)) {
        (Some(merged), _) => Cow::Borrowed(&**merged),
        (None, Some(fixed)) if is_fixed(name) => Cow::Borrowed(fixed),
        (None, _) => Cow::Borrowed(value),
    });
    if is_longer_in_json(&serialized, limits::SERIALIZED_BYTES_MAX) {
        return Err(format!("the merged text would have {} bytes", serialized.len()));
    }
    let merged = Side::read(&serialized)?;
    Ok(MergedContent {
        self_ref_fk: parent(definition, &merged, [(&ours, our_content), (&theirs, their_content)]),
        is_ours: merged.values.len() == ours.values.len() && ours.is_within(&merged, |_| false),
        loses: (
            !ours.is_within(&merged, |name| takes_in_both(definition, name)),
            !theirs.is_within(&merged, |name| takes_in_both(definition, name)),
        ),
        serialized,
    })
}

/// One value out of two of a field, where there is any.
fn merge_values<'a>(
    policy: FieldPolicy,
    ours: Option<&'a str>,
    theirs: Option<&'a str>,
) -> Result<Option<Cow<'a, str>>, String> {
    let (our_value, their_value) = match (ours, theirs) {
        (Some(ours), Some(theirs)) => (ours, theirs),
        // A version of the application that lacks the field says nothing of it.
        (only, None) | (None, only) => return Ok(only.map(Cow::Borrowed)),
    };
    let of = |chosen: Chosen| match chosen {
        Chosen::Ours => Cow::Borrowed(our_value),
        Chosen::Theirs => Cow::Borrowed(their_value),
    };
    let by_order = |compare, wanted| {
        let foremost = foremost((ours, theirs), compare, wanted)?;
        Ok::<_, String>(of(foremost.unwrap_or_else(|| spelled_last(our_value, their_value))))
    };
    let value = match policy {
        FieldPolicy::Ours => of(Chosen::Ours),
        FieldPolicy::Theirs => of(Chosen::Theirs),
        FieldPolicy::Max(compare) => by_order(compare, Ordering::Greater)?,
        FieldPolicy::Min(compare) => by_order(compare, Ordering::Less)?,
        FieldPolicy::Union if our_value == "null" => of(Chosen::Theirs),
        FieldPolicy::Union if their_value == "null" => of(Chosen::Ours),
        FieldPolicy::Union => Cow::Owned(union(our_value, their_value)?),
        FieldPolicy::Function(function) => Cow::Owned(function(our_value, their_value)?),
    };
    Ok(Some(value))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    Ours,
    Theirs,
}

/// The side whose value is foremost. What holds nothing, or has no place in the order, is behind everything; `None` where
/// neither side is ahead.
fn foremost(
    (ours, theirs): (Option<&str>, Option<&str>),
    compare: CompareValues,
    wanted: Ordering,
) -> Result<Option<Chosen>, String> {
    let placed = |value: Option<&str>| match value {
        None | Some("null") => Ok(false),
        Some(value) => compare(value, value).map(|order| order.is_some()),
    };
    Ok(match (placed(ours)?, placed(theirs)?) {
        (false, false) => None,
        (true, false) => Some(Chosen::Ours),
        (false, true) => Some(Chosen::Theirs),
        (true, true) => match compare(ours.unwrap_or_default(), theirs.unwrap_or_default())? {
            None | Some(Ordering::Equal) => None,
            Some(order) if order == wanted => Some(Chosen::Ours),
            Some(_) => Some(Chosen::Theirs),
        },
    })
}

/// Of two equals both sides take the same one.
fn spelled_last(ours: &str, theirs: &str) -> Chosen {
    if theirs > ours { Chosen::Theirs } else { Chosen::Ours }
}

/// Whether a member says where the record belongs, which never changes.
fn is_fixed(name: &str) -> bool {
    matches!(name, "id" | SOURCE_ID_NAME | PARTITION_NAME)
}

/// Whether the merged value of a member takes in both.
fn takes_in_both(definition: &ModelDefinition, name: &str) -> bool {
    let Some(field) = definition.fields.iter().find(|field| !field.is_skipped && field.wire_name == name) else {
        return false;
    };
    let saw_both = matches!(definition.merge, Some(RecordPolicy::Function(_)));
    field.merge.map_or(saw_both, |policy| policy.takes_in_both())
}

/// The id of the merged record's parent: as the side says from which the foreign key comes.
fn parent(definition: &ModelDefinition, merged: &Side<'_>, sides: [(&Side<'_>, Content<'_>); 2]) -> String {
    let Some(key) = definition.self_reference() else { return sides[0].1.self_ref_fk.to_owned() };
    let value = merged.get(key.wire_name);
    let same = sides.iter().find(|(side, _)| side.get(key.wire_name) == value);
    same.map_or_else(
        || merged.fields.get_text(key.wire_name).unwrap_or_default(),
        |(_, content)| content.self_ref_fk.to_owned(),
    )
}

/// The members of one content. A peer may have sent very many of them: each is found at once.
struct Side<'a> {
    fields: Fields<'a>,
    values: HashMap<String, &'a str>,
}

impl<'a> Side<'a> {
    fn read(text: &'a str) -> Result<Self, String> {
        let fields = Fields::parse(text).map_err(|error| error.to_string())?;
        if fields.iter().nth(limits::MERGED_MEMBERS_MAX).is_some() {
            return Err(format!("it has more than {} members", limits::MERGED_MEMBERS_MAX));
        }
        let values = fields.iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Self { fields, values })
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).copied()
    }

    /// These members, and behind them those that only the others have. `value` may give a member another value.
    fn write<'v, const N: usize>(
        &'v self,
        others: [&'v Self; N],
        value: impl Fn(&str, &'v str) -> Cow<'v, str>,
    ) -> String {
        let mut object = ObjectWriter::new();
        let mut written = HashSet::with_capacity(self.values.len());
        for side in std::iter::once(self).chain(others) {
            for (name, _) in side.fields.iter() {
                if written.insert(name) {
                    object.raw_member(name, &value(name, side.values[name]));
                }
            }
        }
        object.finish()
    }

    /// Whether the other says all that this one says, of what is not passed over.
    fn is_within(&self, other: &Self, passes_over: impl Fn(&str) -> bool) -> bool {
        self.values.iter().all(|(name, value)| {
            is_fixed(name) || passes_over(name) || other.get(name).is_some_and(|found| is_same_value(value, found))
        })
    }
}

/// Whether two raw JSON values say the same, however they are spelled. Bare numbers are held against each other by their digits.
fn is_same_value(one: &str, other: &str) -> bool {
    let parse = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
    one == other || (one.starts_with(['"', '{', '[']) && parse(one).is_some_and(|value| Some(value) == parse(other)))
}

#[cfg(test)]
mod tests;
