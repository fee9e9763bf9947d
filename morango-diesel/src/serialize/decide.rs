//! What becomes of one marked row: decided from the mark, the row and the record in the store, without the database.

use std::collections::HashMap;

use morango::id::SyncId;
use morango::limits;
use morango::model::{Fields, Origin};
use morango::record::{is_longer_in_json, merge_row, put_before};

use super::mark::Mark;
use super::stored::Stored;
use crate::models::InstalledModel;
use crate::rows::RecordRow;

/// What becomes of a marked row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The record is as it should be, or there never was one.
    Nothing,
    /// The row becomes a new record.
    Insert(Origin, Content),
    /// The record gets the row's content, and lives again if it was deleted.
    Update(Content),
    /// The record is marked deleted.
    Delete(Deletion),
    /// The row stays marked, for this reason.
    SetAside(String),
}

/// What a record takes over from its row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// The stored JSON.
    pub(super) serialized: String,
    /// The id of the record's parent of the same model, or nothing.
    pub(super) self_reference: String,
    /// The texts that lost, where that is not the same as before.
    pub(super) conflicting: Option<String>,
    /// What the row is, where this is something else, which the row is to become: so the application's merge policy has it.
    pub(super) row: Option<String>,
}

impl Content {
    fn of_row(serialized: String, self_reference: String) -> Self {
        Self { serialized, self_reference, conflicting: None, row: None }
    }

    /// What the row becomes that was changed here while its record, changed elsewhere, waited.
    fn meet(self, stored: &Stored, id: SyncId, model: &InstalledModel) -> Self {
        if !stored.is_dirty || stored.is_hard_deleted {
            return self;
        }
        let (waiting, earlier) = (&stored.serialized, &stored.conflicting_while_dirty);
        if stored.is_deleted {
            return Self { conflicting: Some(put_before(waiting, earlier)), ..self };
        }
        let (row, waiting) = ((&*self.serialized, &*self.self_reference), (&**waiting, &*stored.self_reference));
        let merged = merge_row(model.definition, id, row, waiting, earlier);
        if let Some(reason) = merged.failure {
            let model = model.definition.name;
            tracing::warn!(model, %id, reason, "no merge policy could be applied, so the row stays and what waited is kept");
        }
        Self {
            row: (!merged.is_row).then_some(self.serialized),
            serialized: merged.serialized,
            self_reference: merged.self_ref_fk,
            conflicting: Some(merged.conflicting_serialized_data),
        }
    }
}

/// How a row was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Its last content stays in the store.
    Plain,
    /// Its content goes too.
    Hard,
}

impl Decision {
    /// The table has a row of this id, but the model does not find it.
    pub(super) fn unreachable_row() -> Self {
        Self::SetAside(
            "read the row: its id is not 32 lower-case hexadecimal digits, or not in the form that the model's column has"
                .to_owned(),
        )
    }
}

/// Decides about a row that is there.
pub(super) fn with_row(row: &dyn RecordRow, mark: &Mark, stored: Option<&Stored>, model: &InstalledModel) -> Decision {
    let self_reference = row.self_reference().map(|id| id.to_string()).unwrap_or_default();
    let checked = |serialized: String| {
        if is_longer_in_json(&serialized, limits::SERIALIZED_BYTES_MAX) {
            return Err(format!(
                "serialize the row: its {} bytes are more in JSON than the {} that peers take",
                serialized.len(),
                limits::SERIALIZED_BYTES_MAX
            ));
        }
        Ok(Content::of_row(serialized, self_reference))
    };
    let Some(stored) = stored else {
        let origin = match &mark.origin {
            Some((source_id, partition)) => {
                Ok(Origin { id: row.id(), source_id: source_id.clone(), partition: partition.clone() })
            }
            None => row.identify(None),
        };
        return match origin {
            Ok(origin) => checked(row.serialize(&origin.source_id, &origin.partition, None))
                .map_or_else(Decision::SetAside, |content| Decision::Insert(origin, content)),
            Err(error) => Decision::SetAside(error.to_string()),
        };
    };
    if let Some(reason) = stored.reason_against(model) {
        return Decision::SetAside(reason);
    }
    if mark.is_hard {
        // It was deleted for good and is there again. Nothing is left of what was known of it before.
        let serialized = row.serialize(&stored.source_id, &stored.partition, None);
        let alone = |content| Decision::Update(Content { conflicting: Some(String::new()), ..content });
        return checked(serialized).map_or_else(Decision::SetAside, alone);
    }
    if stored.row_before.as_deref().is_some_and(|before| is_as_before(row, before, stored)) {
        return Decision::Nothing;
    }
    let fields = Fields::parse(&stored.serialized).ok();
    let serialized = row.serialize(&stored.source_id, &stored.partition, fields.as_ref());
    // Peers that have the record have this content too: a new stamp would only make it travel once more.
    if stored.is_live_and_clean() && fields.as_ref().is_some_and(|fields| has_same_members(fields, &serialized)) {
        return Decision::Nothing;
    }
    checked(serialized)
        .map_or_else(Decision::SetAside, |content| Decision::Update(content.meet(stored, row.id(), model)))
}

/// Decides about a row that is gone.
pub(super) fn without_row(mark: &Mark, stored: Option<&Stored>, model: &InstalledModel) -> Decision {
    let Some(stored) = stored else { return Decision::Nothing };
    if let Some(reason) = stored.reason_against(model) {
        return Decision::SetAside(reason);
    }
    if stored.had_no_row() && !mark.is_hard {
        return Decision::Nothing;
    }
    let is_done = stored.is_deleted && !stored.is_dirty && (stored.is_hard_deleted || !mark.is_hard);
    match (is_done, mark.is_hard || stored.is_hard_deleted) {
        (true, _) => Decision::Nothing,
        (false, true) => Decision::Delete(Deletion::Hard),
        (false, false) => Decision::Delete(Deletion::Plain),
    }
}

/// Whether the row of a record that waits says what it said when that came: then it was marked, and not changed.
fn is_as_before(row: &dyn RecordRow, before: &str, stored: &Stored) -> bool {
    let (source_id, partition) = (&*stored.source_id, &*stored.partition);
    let Ok(fields) = Fields::parse(before) else { return false };
    // A field that the model got since holds in the row what it would get with the record.
    let before = row.serialize_before(source_id, partition, &fields);
    let Some(before) = before.as_deref().and_then(|before| Fields::parse(before).ok()) else { return false };
    has_same_members(&before, &row.serialize(source_id, partition, Some(&fields)))
}

/// Whether two stored texts hold the same members, in whatever order.
fn has_same_members(before: &Fields<'_>, now: &str) -> bool {
    let Ok(now) = Fields::parse(now) else { return false };
    // Of two members with one name the last counts. A peer may have sent a million members: each is looked at once.
    let (before, now): (HashMap<_, _>, HashMap<_, _>) = (before.iter().collect(), now.iter().collect());
    before.len() == now.len()
        && before.iter().all(|(name, one)| now.get(name).is_some_and(|other| is_same_value(one, other)))
}

/// Two raw JSON values. Numbers are compared by their digits: what a float cannot tell apart may still differ.
fn is_same_value(one: &str, other: &str) -> bool {
    let text = |raw: &str| serde_json::from_str::<String>(raw).ok();
    one == other || (one.starts_with('"') && other.starts_with('"') && text(one).is_some() && text(one) == text(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_the_same_in_whatever_order_and_escapes() {
        let same = |one: &str, other: &str| has_same_members(&Fields::parse(one).expect("an object"), other);
        assert!(same(r#"{"a": "\u00e9", "b": 1}"#, r#"{"b":1,"a":"é"}"#));
        assert!(!same(r#"{"a": 1}"#, r#"{"a":1,"b":null}"#));
        assert!(!same(r#"{"a": 1, "b": null}"#, r#"{"a":1}"#));
        assert!(!same(r#"{"a": 0.1}"#, r#"{"a":0.1000000000000000055}"#));
        assert!(same(r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#));
        assert!(!same(r#"{"a": 1, "a": 2}"#, r#"{"a":1}"#));
    }

    #[test]
    fn a_text_of_very_many_members_is_compared_in_one_pass() {
        let members: Vec<String> = (0..200_000).map(|number| format!("\"m{number}\":{number}")).collect();
        let text = format!("{{{}}}", members.join(","));
        let now = members.iter().rev().cloned().collect::<Vec<_>>().join(",");
        assert!(has_same_members(&Fields::parse(&text).expect("an object"), &format!("{{{now}}}")));
    }
}
