//! What an application does to its rows, and how that is noted.

use morango::Result;
use morango::id::SyncId;
use serde_json::{Map, Value, json};

use crate::desk::Desk;
use crate::dice::Dice;
use crate::ledger::{Event, EventId, Ledger, What, text_of};
use crate::papers::Reach;
use crate::plan::{Deed, Edit, Kind};
use crate::school::Version;

/// Who works at a desk.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) node: usize,
    pub(crate) reach: Reach,
    /// The school's dataset.
    pub(crate) dataset: SyncId,
}

/// What came of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    PutBack,
    Changed,
    /// Changed, where the device may only read: nobody else may ever hold that.
    ChangedBeyond,
    Deleted,
    DeletedForGood,
    /// There was nothing to do it to.
    Nothing,
    /// The tables refused it.
    Refused,
}

/// How often an application changes what its device may only read, of a thousand times in which it could.
const BEYOND: usize = 150;

/// Does an edit, and notes it if it was committed.
pub(crate) fn edit(worker: &Worker, desk: &mut Desk, ledger: &mut Ledger, edit: &Edit) -> Result<Outcome> {
    if !desk.version.has(edit.kind) {
        return Ok(Outcome::Nothing);
    }
    if !worker.may_edit(ledger, edit) {
        let happens = edit.deed == Deed::Save && Dice::new(edit.dice ^ 2).happens(BEYOND);
        return if happens { change_beyond(worker, desk, ledger, edit) } else { Ok(Outcome::Nothing) };
    }
    match edit.deed {
        Deed::Save => save(worker, desk, ledger, edit),
        Deed::Delete | Deed::HardDelete => delete(worker, desk, ledger, edit),
    }
}

impl Worker {
    /// A learner's device writes what is the learner's own.
    fn may_edit(&self, ledger: &Ledger, edit: &Edit) -> bool {
        match &self.reach {
            Reach::School => true,
            Reach::Learner(id) => {
                let is_own = user_of(ledger, edit).is_some_and(|user| user.to_string() == *id);
                matches!(edit.kind, Kind::Log | Kind::Feedback) && is_own
            }
        }
    }

    /// The fields that a row gets, with the text that says which edit it is, unless something that it needs was never made.
    fn fields(&self, ledger: &Ledger, edit: &Edit, text: &str) -> Option<Map<String, Value>> {
        let mut dice = Dice::new(edit.dice);
        let id_of = |kind, slot| ledger.record_of(kind, slot).map(|id| json!(id.to_string()));
        let mut fields = json!({ "dataset_id": self.dataset.to_string() });
        match edit.kind {
            Kind::Facility => fields["name"] = json!(text),
            Kind::Classroom => {
                fields["name"] = json!(text);
                fields["facility_id"] = id_of(Kind::Facility, dice.small(Kind::Facility.slots()))?;
                let parent = dice.happens(600).then(|| dice.small(Kind::Classroom.slots()));
                fields["parent_id"] = parent.and_then(|slot| id_of(Kind::Classroom, slot)).unwrap_or(Value::Null);
            }
            Kind::User => {
                fields["full_name"] = json!(text);
                let name = if dice.happens(300) { dice.small(3) } else { 10 + edit.slot };
                fields["username"] = json!(format!("user{name}"));
                fields["birth_year"] = json!(dice.happens(500).then_some(1_990));
            }
            Kind::Membership => {
                fields["user_id"] = json!(user_of(ledger, edit)?.to_string());
                fields["classroom_id"] = id_of(Kind::Classroom, edit.slot % Kind::Classroom.slots())?;
            }
            Kind::Assignment => {
                fields["user_id"] = json!(user_of(ledger, edit)?.to_string());
                fields["title"] = json!(text);
                fields["due"] = json!(dice.happens(500).then_some("2024-12-22T00:46:41Z"));
            }
            Kind::Log => {
                fields["user_id"] = json!(user_of(ledger, edit)?.to_string());
                fields["content"] = json!(text);
                fields["progress"] = json!(f64::from(dice.small(100)) / 100.0);
                fields["seconds"] = json!(dice.small(200));
                fields["started"] = json!("2024-12-22T00:46:41Z");
                fields["extra"] = json!("{}");
            }
            Kind::Feedback => {
                fields["user_id"] = json!(user_of(ledger, edit)?.to_string());
                fields["text"] = json!(text);
            }
        }
        let Value::Object(fields) = fields else { return None };
        Some(fields)
    }
}

/// The user to whom a row belongs.
fn user_of(ledger: &Ledger, edit: &Edit) -> Option<SyncId> {
    ledger.record_of(Kind::User, edit.slot % Kind::User.slots())
}

/// The records that a row points at.
fn references(fields: &Map<String, Value>) -> Vec<SyncId> {
    let names = ["facility_id", "parent_id", "user_id", "classroom_id"];
    names.iter().filter_map(|name| fields.get(*name)?.as_str()?.parse().ok()).collect()
}

fn save(worker: &Worker, desk: &mut Desk, ledger: &mut Ledger, edit: &Edit) -> Result<Outcome> {
    let text = text_of(ledger.next_event());
    let Some(fields) = worker.fields(ledger, edit, &text) else { return Ok(Outcome::Nothing) };
    let known = ledger.record_of(edit.kind, edit.slot);
    let there = match known {
        Some(id) => desk.row(edit.kind, id)?,
        None => None,
    };
    let written = Value::Object(fields.clone()).to_string();
    let (id, knew, done) = match (known, there) {
        (Some(id), Some(row)) => {
            let Some(column) = edit.kind.text_column() else { return Ok(Outcome::Nothing) };
            let knew = crate::ledger::events_in(&row);
            let mut changed: Map<String, Value> = serde_json::from_str(&row).expect("a row is a JSON object");
            let done = if Dice::new(edit.dice ^ 1).happens(400) {
                changed.insert(column.to_owned(), json!(text));
                desk.change_text(edit.kind, id, column, &text, &Value::Object(changed).to_string())
            } else {
                changed.extend(fields.clone());
                desk.change(edit.kind, id, &Value::Object(changed).to_string())
            };
            (id, knew, done.map(|()| Outcome::Changed))
        }
        (Some(id), None) if edit.kind != Kind::Membership => {
            // Only a device that knows the record can put its row back: another one would make another record.
            let Some(held) = desk.record(id)?.filter(|record| record.deleted) else { return Ok(Outcome::Nothing) };
            let knew = ledger.known_without_row(worker.node, id, Some(&held));
            (id, knew, desk.put_back(edit.kind, id, &written).map(|()| Outcome::PutBack))
        }
        (known, _) => {
            let knew = match known {
                Some(id) => ledger.known_without_row(worker.node, id, desk.record(id)?.as_ref()),
                None => Vec::new(),
            };
            match desk.create(edit.kind, &written) {
                Ok(id) => (id, knew, Ok(Outcome::Created)),
                Err(error) => (SyncId::unset(), knew, Err(error)),
            }
        }
    };
    let Ok(outcome) = done else { return Ok(Outcome::Refused) };
    ledger.take_slot(edit.kind, edit.slot, id);
    let event = Event::new(worker.node, What::Saved, knew);
    ledger.note((edit.kind, id), event, references(&fields));
    if desk.version == Version::Old && matches!(outcome, Outcome::Created | Outcome::PutBack) {
        ledger.histories.entry(id).or_default().lacks_fields = true;
    }
    Ok(outcome)
}

/// Changes the text of a row that the device may read and not write. It may lose that again without a word: whoever may write decides.
fn change_beyond(worker: &Worker, desk: &mut Desk, ledger: &mut Ledger, edit: &Edit) -> Result<Outcome> {
    let (Some(column), Some(id)) = (edit.kind.text_column(), ledger.record_of(edit.kind, edit.slot)) else {
        return Ok(Outcome::Nothing);
    };
    let Some(row) = desk.row(edit.kind, id)? else { return Ok(Outcome::Nothing) };
    let text = text_of(ledger.next_event());
    let mut changed: Map<String, Value> = serde_json::from_str(&row).expect("a row is a JSON object");
    changed.insert(column.to_owned(), json!(text));
    if desk.change_text(edit.kind, id, column, &text, &Value::Object(changed).to_string()).is_err() {
        return Ok(Outcome::Refused);
    }
    let knew = crate::ledger::events_in(&row);
    let event = Event { is_lost: true, is_beyond: true, ..Event::new(worker.node, What::Saved, knew) };
    ledger.note((edit.kind, id), event, []);
    Ok(Outcome::ChangedBeyond)
}

fn delete(worker: &Worker, desk: &mut Desk, ledger: &mut Ledger, edit: &Edit) -> Result<Outcome> {
    let Some(id) = ledger.record_of(edit.kind, edit.slot) else { return Ok(Outcome::Nothing) };
    if desk.row(edit.kind, id)?.is_none() {
        return Ok(Outcome::Nothing);
    }
    let before = desk.rows()?;
    let (what, done) = match edit.deed {
        Deed::HardDelete => (What::DeletedForGood, desk.hard_delete(edit.kind, id)),
        Deed::Delete | Deed::Save => (What::Deleted, desk.delete(edit.kind, id)),
    };
    if done.is_err() {
        return Ok(Outcome::Refused);
    }
    let after = desk.rows()?;
    let mut beside: Vec<EventId> = ledger.last[worker.node].values().copied().collect();
    beside.extend(after.values().flat_map(|row| crate::ledger::events_in(row)));
    for ((kind, id), row) in before.iter().filter(|(place, _)| !after.contains_key(place)) {
        // Whoever deletes a row knows what stood in it, and not what may wait in the store.
        let mut knew = crate::ledger::events_in(row);
        if kind.text_column().is_none() {
            knew.extend(ledger.last[worker.node].get(id));
        }
        let event = Event { beside: beside.clone(), ..Event::new(worker.node, what, knew) };
        ledger.note((*kind, *id), event, []);
    }
    Ok(if what == What::Deleted { Outcome::Deleted } else { Outcome::DeletedForGood })
}
