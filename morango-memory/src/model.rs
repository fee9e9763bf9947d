//! Models without their type, and what their tables would not allow.

use std::any::Any;
use std::sync::Arc;

use morango::id::SyncId;
use morango::model::{self, FieldErrors, Fields, IdentifyError, Model, ModelDefinition, ObjectWriter, Origin};
use morango::{Error, ErrorKind, Result};
use serde_json::Value;

/// A row, whatever its type. It never changes: a row that is changed is another one in its place.
pub(crate) trait Row: Send + Sync {
    fn id(&self) -> SyncId;
    fn identify(&self) -> Result<Origin, IdentifyError>;
    fn serialize(&self, source_id: &str, partition: &str, stored_before: Option<&Fields<'_>>) -> String;
    /// What the row of these fields would say; `None` where they make no row.
    fn serialize_before(&self, source_id: &str, partition: &str, fields: &Fields<'_>) -> Option<String>;
    /// Where the row as it is now says that it belongs.
    fn place(&self) -> Option<String>;
    /// The fields that travel, as the text of a JSON object.
    fn fields(&self) -> String;
    fn as_any(&self) -> &dyn Any;
}

impl<M: Model + Sync> Row for M {
    fn id(&self) -> SyncId {
        Model::id(self)
    }

    fn identify(&self) -> Result<Origin, IdentifyError> {
        model::identify(self, None)
    }

    fn serialize(&self, source_id: &str, partition: &str, stored_before: Option<&Fields<'_>>) -> String {
        model::serialize_row(self, source_id, partition, stored_before)
    }

    fn serialize_before(&self, source_id: &str, partition: &str, fields: &Fields<'_>) -> Option<String> {
        let before = M::read_fields(Model::id(self), fields).ok()?;
        Some(model::serialize_row(&before, source_id, partition, Some(fields)))
    }

    fn place(&self) -> Option<String> {
        model::partition_of(self, Model::id(self))
    }

    fn fields(&self) -> String {
        let mut object = ObjectWriter::new();
        self.write_fields(&mut object);
        object.finish()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What a foreign key of a table does when the row that it points at is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion is refused.
    Refuse,
    /// The row that points there is deleted as well.
    Cascade,
    /// The key of the row that points there is emptied.
    SetNull,
}

/// Makes received fields a row.
type Read = fn(SyncId, &Fields<'_>) -> Result<Arc<dyn Row>, FieldErrors>;

/// The first row with what stays at home as the second has it.
type AtHome = Arc<dyn Fn(&dyn Row, &dyn Row) -> Arc<dyn Row> + Send + Sync>;

/// A condition that a value has to meet.
type Condition = fn(&Value) -> bool;

/// A model, and the constraints of its table.
///
/// A column is called by its name in the stored JSON. That a column holds something follows from the type of its field.
#[derive(Clone)]
pub struct MemoryModel {
    pub(crate) definition: &'static ModelDefinition,
    read: Read,
    at_home: Option<AtHome>,
    pub(crate) unique: Vec<Vec<&'static str>>,
    pub(crate) checks: Vec<(&'static str, Condition)>,
    pub(crate) references: Vec<Reference>,
}

/// A foreign key of a table.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) column: &'static str,
    pub(crate) target: &'static ModelDefinition,
    pub(crate) on_delete: OnDelete,
}

impl MemoryModel {
    /// A model whose table has no constraints yet.
    pub fn of<M: Model + Sync>() -> Self {
        Self {
            definition: M::definition(),
            read: |id, fields| Ok(Arc::new(M::read_fields(id, fields)?)),
            at_home: None,
            unique: Vec::new(),
            checks: Vec::new(),
            references: Vec::new(),
        }
    }

    /// No two rows hold the same in all of these columns; one that holds nothing in one of them is like no other.
    #[must_use]
    pub fn unique(mut self, columns: impl IntoIterator<Item = &'static str>) -> Self {
        self.unique.push(columns.into_iter().collect());
        self
    }

    /// What a row holds in a column meets a condition.
    #[must_use]
    pub fn check(mut self, column: &'static str, condition: fn(&Value) -> bool) -> Self {
        self.checks.push((column, condition));
        self
    }

    /// A foreign key of the model is one of the table as well.
    ///
    /// # Panics
    /// The model has no such foreign key.
    #[must_use]
    pub fn references(mut self, column: &'static str, on_delete: OnDelete) -> Self {
        let key = self.definition.foreign_keys.iter().find(|key| key.wire_name == column);
        let key = key.unwrap_or_else(|| panic!("{} has no foreign key {column}", self.definition.describe()));
        self.references.push(Reference { column, target: (key.target.definition)(), on_delete });
        self
    }

    /// Fields stay at home: `keep` gives a row what another holds in them, which is the row that it takes the place of.
    ///
    /// # Panics
    /// The model is another one.
    #[must_use]
    pub fn stays_at_home<M: Model + Sync + Clone>(mut self, keep: fn(&mut M, &M)) -> Self {
        let is_same = (self.definition.type_id)() == (M::definition().type_id)();
        assert!(is_same, "{} is another model than {}", M::definition().describe(), self.definition.describe());
        let of_model =
            |row: &dyn Row| row.as_any().downcast_ref::<M>().expect("rows are of their model's type").clone();
        self.at_home = Some(Arc::new(move |row: &dyn Row, before: &dyn Row| {
            let mut row = of_model(row);
            keep(&mut row, &of_model(before));
            Arc::new(row)
        }));
        self
    }

    /// Makes received fields a row.
    pub(crate) fn read(&self, id: SyncId, fields: &Fields<'_>) -> Result<Arc<dyn Row>, FieldErrors> {
        (self.read)(id, fields)
    }

    /// Makes received fields a row in the place of the one that is there: what stays at home is as it was.
    pub(crate) fn read_over(
        &self,
        there: Option<&dyn Row>,
        id: SyncId,
        fields: &Fields<'_>,
    ) -> Result<Arc<dyn Row>, FieldErrors> {
        let row = self.read(id, fields)?;
        Ok(match (&self.at_home, there) {
            (Some(at_home), Some(there)) => at_home(&*row, there),
            (None, _) | (_, None) => row,
        })
    }

    /// The row with a foreign key emptied.
    pub(crate) fn without(&self, row: &dyn Row, column: &str) -> Result<Arc<dyn Row>, FieldErrors> {
        let text = row.fields();
        let fields = Fields::parse(&text).expect("a row writes a JSON object");
        let mut object = ObjectWriter::new();
        for (name, value) in fields.iter() {
            object.raw_member(name, if name == column { "null" } else { value });
        }
        let text = object.finish();
        self.read_over(Some(row), row.id(), &Fields::parse(&text).expect("an object was written"))
    }

    /// The id of the parent of the same model that a row stands below.
    pub(crate) fn parent(&self, row: &dyn Row) -> Option<SyncId> {
        let key = self.definition.self_reference()?;
        id_in(&row.fields(), key.wire_name)
    }

    /// # Errors
    /// A field stays at home, and nothing is said of how a row keeps it.
    pub(crate) fn check_supported(&self) -> Result<()> {
        match self.definition.fields.iter().find(|field| field.is_skipped && self.at_home.is_none()) {
            None => Ok(()),
            Some(field) => {
                let model = self.definition.describe();
                let message = format!("keep rows of {model} in memory: its field `{}` stays at home", field.name);
                let error = Error::new(ErrorKind::Configuration, message);
                Err(error.with_hint("say with `MemoryModel::stays_at_home` how a row keeps it"))
            }
        }
    }
}

/// The id that a member of a JSON object holds.
pub(crate) fn id_in(object: &str, name: &str) -> Option<SyncId> {
    Fields::parse(object).ok()?.get_text(name)?.parse().ok()
}
