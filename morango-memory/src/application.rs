//! The application's rows: what a table is to an application, with the constraints that it has, and what is noted of changes.
//!
//! Every change of a row is noted as a *mark*, whoever made it and by whatever way: the next serialization looks at the rows that are
//! marked, and at no others. What the storage itself writes is not noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use morango::id::SyncId;
use morango::model::{self, Model};
use morango::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::model::{MemoryModel, OnDelete, Row};

/// What is noted of a row that changed since it was last serialized.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// Whether the row was deleted for good, be it there again or not.
    pub(crate) is_hard: bool,
    /// Source id and partition, where the row was created with them.
    pub(crate) origin: Option<(String, String)>,
    /// Why the row could not be serialized when that was last tried.
    pub(crate) reason: Option<String>,
}

/// What is noted of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// They are marked.
    On,
    /// They are marked, deletions as hard ones.
    Hard,
    /// Nothing.
    Off,
    /// They are traced: see [`Application::traces`].
    Trace,
}

/// Why a table refuses a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    Check(String),
    /// Another row, of this id, holds what may stand in one row only.
    Unique(String, SyncId),
    ForeignKey(String),
}

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Check(column) => write!(formatter, "the check of {column} fails"),
            Self::Unique(columns, rival) => write!(formatter, "the row {rival} has the same {columns}"),
            Self::ForeignKey(column) => write!(formatter, "the foreign key {column} would point at no row"),
        }
    }
}

/// The place of a model in the order of all models, and a row's id.
pub(crate) type Place = (usize, SyncId);

/// The application's tables, and what changed in them. Each of its calls is a statement: it does all of it or nothing.
#[derive(Clone)]
pub struct Application {
    /// All models, each after those that it points at.
    pub(crate) models: Arc<Vec<MemoryModel>>,
    pub(crate) rows: BTreeMap<Place, Arc<dyn Row>>,
    pub(crate) marks: BTreeMap<Place, Mark>,
    pub(crate) capture: Capture,
    /// The rows that changed while changes are traced, and whether each is gone.
    pub(crate) traces: BTreeMap<Place, bool>,
    /// Rows whose places others may take: they are about to be written anew, and count for no constraint until then.
    pub(crate) parked: BTreeSet<Place>,
}

impl Application {
    pub(crate) fn new(models: Vec<MemoryModel>) -> Self {
        Self {
            models: Arc::new(models),
            rows: BTreeMap::new(),
            marks: BTreeMap::new(),
            capture: Capture::On,
            traces: BTreeMap::new(),
            parked: BTreeSet::new(),
        }
    }

    /// The row of this id.
    pub fn get<M: Model + Sync + Clone>(&self, id: SyncId) -> Option<M> {
        let number = self.number_of::<M>().ok()?;
        self.rows.get(&(number, id))?.as_any().downcast_ref::<M>().cloned()
    }

    /// All rows of a model, in the order of their ids.
    pub fn all<M: Model + Sync + Clone>(&self) -> Vec<M> {
        let Ok(number) = self.number_of::<M>() else { return Vec::new() };
        let of_model = self.rows.iter().filter(|((of, _), _)| *of == number);
        of_model.filter_map(|(_, row)| row.as_any().downcast_ref::<M>().cloned()).collect()
    }

    /// What changed since it was last serialized: the model and id of each such row, and whether it was deleted for good.
    pub fn changed(&self) -> Vec<(&'static str, SyncId, bool)> {
        let marks = self.marks.iter();
        marks.map(|((number, id), mark)| (self.models[*number].definition.name, *id, mark.is_hard)).collect()
    }

    /// Gives a row its source id, partition and id, and inserts it.
    ///
    /// # Errors
    /// The row cannot be identified, is not valid, is there already, or the table refuses it.
    pub fn create<M: Model + Sync>(&mut self, mut row: M) -> Result<SyncId> {
        row.validate().map_err(|errors| Error::new(ErrorKind::InvalidInput, format!("create a row: {errors}")))?;
        let source_id = model::new_source_id(&row)?;
        let origin = model::identify(&row, Some(&source_id))?;
        row.set_id(origin.id);
        let number = self.number_of::<M>()?;
        self.insert(row)?;
        if let Some(mark) = self.marks.get_mut(&(number, origin.id)) {
            mark.origin = Some((origin.source_id, origin.partition));
        }
        Ok(origin.id)
    }

    /// Inserts a row with the id that it has.
    ///
    /// # Errors
    /// It is there already, or the table refuses it.
    pub fn insert<M: Model + Sync>(&mut self, row: M) -> Result<()> {
        let number = self.number_of::<M>()?;
        if self.rows.contains_key(&(number, Model::id(&row))) {
            return Err(refused(&format!("insert a row that is there already, {}", Model::id(&row))));
        }
        self.write(number, Arc::new(row)).map_err(|violation| refused(&format!("insert a row: {violation}")))
    }

    /// Changes the row of this id, and says whether there is one.
    ///
    /// # Errors
    /// The table refuses what it becomes.
    pub fn update<M: Model + Sync + Clone>(&mut self, id: SyncId, change: impl FnOnce(&mut M)) -> Result<bool> {
        let Some(mut row) = self.get::<M>(id) else { return Ok(false) };
        change(&mut row);
        let number = self.number_of::<M>()?;
        self.write(number, Arc::new(row)).map_err(|violation| refused(&format!("change a row: {violation}")))?;
        Ok(true)
    }

    /// Deletes the row of this id, and what goes with it; says whether there was one.
    ///
    /// # Errors
    /// Another row points there.
    pub fn delete<M: Model + Sync>(&mut self, id: SyncId) -> Result<bool> {
        let number = self.number_of::<M>()?;
        self.remove((number, id)).map_err(|violation| refused(&format!("delete a row: {violation}")))
    }

    /// Deletes the row of this id for good, and what goes with it.
    ///
    /// # Errors
    /// As [`Application::delete`].
    pub fn hard_delete<M: Model + Sync>(&mut self, id: SyncId) -> Result<bool> {
        let before = std::mem::replace(&mut self.capture, Capture::Hard);
        let deleted = self.delete::<M>(id);
        self.capture = before;
        deleted
    }

    fn number_of<M: Model>(&self) -> Result<usize> {
        let definition = M::definition();
        let found = self.models.iter().position(|model| (model.definition.type_id)() == (definition.type_id)());
        found.ok_or_else(|| {
            let message = format!("use rows of {}: it was not prepared", definition.describe());
            Error::new(ErrorKind::Configuration, message)
        })
    }

    /// Puts a row where it belongs, as the only one of its id.
    pub(crate) fn write(&mut self, number: usize, row: Arc<dyn Row>) -> Result<(), Violation> {
        self.check(number, &*row)?;
        let place = (number, row.id());
        self.parked.remove(&place);
        self.rows.insert(place, row);
        self.note(place, false);
        Ok(())
    }

    fn check(&self, number: usize, row: &dyn Row) -> Result<(), Violation> {
        let model = &self.models[number];
        let fields = values(row);
        for (column, condition) in &model.checks {
            if !condition(&fields[*column]) {
                return Err(Violation::Check((*column).to_owned()));
            }
        }
        for columns in &model.unique {
            if let Some(rival) = self.rivals(number, row, columns).first() {
                return Err(Violation::Unique(columns.join(", "), *rival));
            }
        }
        for reference in &model.references {
            let Some(target) = fields[reference.column].as_str().and_then(|text| text.parse::<SyncId>().ok()) else {
                continue;
            };
            let of = self.number_of_name(reference.target.profile, reference.target.name);
            let is_itself = of == Some(number) && target == row.id();
            if !is_itself && of.is_none_or(|of| !self.rows.contains_key(&(of, target))) {
                return Err(Violation::ForeignKey(reference.column.to_owned()));
            }
        }
        Ok(())
    }

    /// The place of the model of this name among all models.
    pub(crate) fn number_of_name(&self, profile: &str, name: &str) -> Option<usize> {
        self.models.iter().position(|model| model.definition.profile == profile && model.definition.name == name)
    }

    /// The rows that hold what this one is to hold in columns that are unique together.
    pub(crate) fn rivals(&self, number: usize, row: &dyn Row, columns: &[&str]) -> Vec<SyncId> {
        let held = |row: &dyn Row| {
            let fields = values(row);
            let held: Vec<Value> = columns.iter().map(|column| fields[*column].clone()).collect();
            (!held.iter().any(Value::is_null)).then_some(held)
        };
        let Some(wanted) = held(row) else { return Vec::new() };
        let others = self.rows.iter().filter(|(place, _)| place.0 == number && place.1 != row.id());
        let rivals = others.filter(|(place, _)| !self.parked.contains(place));
        rivals.filter(|(_, other)| held(&***other).as_ref() == Some(&wanted)).map(|(place, _)| place.1).collect()
    }

    /// Deletes a row with what goes with it, and says whether there was one.
    pub(crate) fn remove(&mut self, place: Place) -> Result<bool, Violation> {
        if !self.rows.contains_key(&place) {
            return Ok(false);
        }
        let before = self.clone();
        let removed = self.remove_all(place);
        if removed.is_err() {
            *self = before;
        }
        removed.map(|()| true)
    }

    fn remove_all(&mut self, first: Place) -> Result<(), Violation> {
        let mut gone = vec![first];
        let mut next = 0;
        while let Some(place) = gone.get(next).copied() {
            next += 1;
            if self.rows.remove(&place).is_none() {
                continue;
            }
            self.parked.remove(&place);
            self.note(place, true);
            for (from, column, on_delete) in self.pointing_at(place) {
                match on_delete {
                    OnDelete::Refuse => {}
                    OnDelete::Cascade => gone.push(from),
                    OnDelete::SetNull => {
                        let emptied = self.models[from.0].without(&*self.rows[&from], column);
                        let emptied = emptied.map_err(|errors| Violation::Check(errors.to_string()))?;
                        self.rows.insert(from, emptied);
                        self.note(from, false);
                    }
                }
            }
        }
        // At the end of the statement nothing points at what is gone.
        match gone.into_iter().flat_map(|place| self.pointing_at(place)).next() {
            Some((_, column, _)) => Err(Violation::ForeignKey(column.to_owned())),
            None => Ok(()),
        }
    }

    fn pointing_at(&self, place: Place) -> Vec<(Place, &'static str, OnDelete)> {
        let target = self.models[place.0].definition;
        let mut found = Vec::new();
        for (from, row) in &self.rows {
            for reference in &self.models[from.0].references {
                let is_of_model = (reference.target.profile, reference.target.name) == (target.profile, target.name);
                if is_of_model && crate::model::id_in(&row.fields(), reference.column) == Some(place.1) {
                    found.push((*from, reference.column, reference.on_delete));
                }
            }
        }
        found
    }

    fn note(&mut self, place: Place, is_gone: bool) {
        let is_hard = match self.capture {
            Capture::Off => return,
            Capture::Trace => {
                self.traces.insert(place, is_gone);
                return;
            }
            Capture::On => false,
            Capture::Hard => true,
        };
        let mark = self.marks.entry(place).or_default();
        mark.is_hard |= is_gone && is_hard;
        mark.reason = None;
    }
}

fn refused(operation: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, operation.to_owned())
}

fn values(row: &dyn Row) -> Value {
    serde_json::from_str(&row.fields()).expect("a row writes a JSON object")
}
