//! The attributes of a struct and of a field, read into slots.
//!
//! None of these functions returns a `Result`: unknown, malformed and repeated words are noted and otherwise ignored, so
//! that all of them are told at once. What needs more than one word is left to `check`.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt;
use syn::{Attribute, Meta, Path};

use super::merge::{self, FieldMerge, RecordMerge};
use crate::diagnostics::Diagnostics;
use crate::item::{self, Item, Slot, Value};
use crate::spanned::Spanned;
use crate::symbol;
use crate::template::{SOURCE_ID_TEMPLATE, Template};

/// What stands on the struct.
#[derive(Default)]
pub(crate) struct StructAttributes {
    pub(crate) profile: Slot<Spanned<String>>,
    pub(crate) model: Slot<Spanned<String>>,
    pub(crate) partition: Slot<Template>,
    pub(crate) source_id: Slot<Source>,
    pub(crate) record_id: Slot<()>,
    pub(crate) depends_on: Slot<Vec<Path>>,
    pub(crate) merge: Slot<RecordMerge>,
    pub(crate) database: Slot<Database>,
    pub(crate) krate: Slot<Path>,
    /// Diesel's `table_name`.
    pub(crate) table: Slot<Path>,
}

/// The one kind of database in which a model's rows are.
#[derive(Clone, Copy)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// Where a record's source id comes from.
#[derive(Clone)]
pub(crate) enum Source {
    Random,
    Template(Template),
    Function(Path),
}

/// What stands on a field.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) foreign_key: Slot<Path>,
    pub(crate) may_be_missing: Slot<()>,
    pub(crate) skip: Slot<()>,
    pub(crate) rename: Slot<Spanned<String>>,
    pub(crate) with: Slot<Path>,
    pub(crate) max_length: Slot<usize>,
    pub(crate) validate: Slot<Path>,
    pub(crate) merge: Slot<FieldMerge>,
    /// Diesel's `column_name`.
    pub(crate) column: Slot<Ident>,
}

impl StructAttributes {
    pub(crate) fn parse(attributes: &[Attribute], diagnostics: &mut Diagnostics) -> Self {
        let mut found = Self::default();
        for item in items(attributes, "morango", diagnostics) {
            match item.name().as_str() {
                symbol::PROFILE => found.profile.fill(&item, diagnostics, Item::text),
                symbol::MODEL => found.model.fill(&item, diagnostics, Item::text),
                symbol::PARTITION => found.partition.fill(&item, diagnostics, partition),
                symbol::SOURCE_ID => found.source_id.fill(&item, diagnostics, source),
                symbol::RECORD_ID => found.record_id.fill(&item, diagnostics, record_id),
                symbol::DEPENDS_ON => found.depends_on.fill(&item, diagnostics, |item, diagnostics| {
                    item::paths(item, "models in parentheses", diagnostics)
                }),
                symbol::MERGE => found.merge.fill(&item, diagnostics, merge::of_record),
                symbol::DATABASE => found.database.fill(&item, diagnostics, database),
                symbol::CRATE => {
                    found.krate.fill(&item, diagnostics, |item, diagnostics| item.path("a path", diagnostics));
                }
                _ => item.is_unknown(symbol::STRUCT_WORDS, Some((symbol::FIELD_WORDS, "a field")), diagnostics),
            }
        }
        for item in diesel_items(attributes) {
            if item.name() == symbol::TABLE_NAME {
                found.table.fill(&item, diagnostics, |item, diagnostics| item.path("the table's path", diagnostics));
            }
        }
        found
    }

    /// Whether none of our attributes stands here.
    pub(crate) fn is_empty(&self) -> bool {
        [
            self.profile.word(),
            self.model.word(),
            self.partition.word(),
            self.source_id.word(),
            self.record_id.word(),
            self.depends_on.word(),
            self.merge.word(),
            self.database.word(),
            self.krate.word(),
        ]
        .iter()
        .all(Option::is_none)
    }
}

impl FieldAttributes {
    pub(crate) fn parse(attributes: &[Attribute], diagnostics: &mut Diagnostics) -> Self {
        let mut found = Self::default();
        for item in items(attributes, "morango", diagnostics) {
            match item.name().as_str() {
                symbol::FOREIGN_KEY => {
                    found.foreign_key.fill(&item, diagnostics, |item, diagnostics| item.path("a model", diagnostics));
                }
                symbol::MAY_BE_MISSING => found.may_be_missing.fill(&item, diagnostics, Item::alone),
                symbol::SKIP => found.skip.fill(&item, diagnostics, Item::alone),
                symbol::RENAME => found.rename.fill(&item, diagnostics, Item::text),
                symbol::WITH => {
                    found.with.fill(&item, diagnostics, |item, diagnostics| item.path("a module", diagnostics));
                }
                symbol::MAX_LENGTH => {
                    found.max_length.fill(&item, diagnostics, |item, diagnostics| item.number(&1, diagnostics));
                }
                symbol::VALIDATE => {
                    found.validate.fill(&item, diagnostics, |item, diagnostics| item.path("a function", diagnostics));
                }
                symbol::MERGE => found.merge.fill(&item, diagnostics, merge::of_field),
                _ => item.is_unknown(symbol::FIELD_WORDS, Some((symbol::STRUCT_WORDS, "the struct")), diagnostics),
            }
        }
        for item in diesel_items(attributes) {
            match item.name().as_str() {
                symbol::COLUMN_NAME => {
                    found.column.fill(&item, diagnostics, |item, diagnostics| item.ident("a column", diagnostics));
                }
                "embed" => diagnostics.at(
                    item.word.span(),
                    "a model's field is one column; write the embedded struct's fields here instead of `embed`",
                ),
                _ => {}
            }
        }
        found
    }

    /// The first of our attributes that stands here.
    pub(crate) fn first_word(&self) -> Option<proc_macro2::Span> {
        self.foreign_key
            .word()
            .or(self.may_be_missing.word())
            .or(self.skip.word())
            .or(self.rename.word())
            .or(self.with.word())
            .or(self.max_length.word())
            .or(self.validate.word())
            .or(self.merge.word())
    }
}

fn items(attributes: &[Attribute], name: &str, diagnostics: &mut Diagnostics) -> Vec<Item> {
    let mut items = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        match &attribute.meta {
            Meta::List(list) => items.extend(item::split(list.tokens.clone(), '=', diagnostics)),
            Meta::Path(_) | Meta::NameValue(_) => {
                diagnostics.over(&attribute.meta, format_args!("expected parentheses: `#[{name}(…)]`"));
            }
        }
    }
    items
}

/// What stands in `#[diesel(…)]`. Diesel's own derives tell what is wrong there, so no mistake is noted.
fn diesel_items(attributes: &[Attribute]) -> Vec<Item> {
    let mut ignored = Diagnostics::new();
    let items = items(attributes, "diesel", &mut ignored);
    let _ = ignored.finish();
    items
}

fn partition(item: &Item, diagnostics: &mut Diagnostics) -> Option<Template> {
    let text = item.text(diagnostics)?;
    Template::read(text, "the partition", diagnostics)
}

fn source(item: &Item, diagnostics: &mut Diagnostics) -> Option<Source> {
    if let Some(text) = item.parsed::<syn::LitStr>() {
        let text = Spanned::new(text.value(), text.span());
        return Template::read(text, SOURCE_ID_TEMPLATE, diagnostics).map(Source::Template);
    }
    if item.parsed::<Ident>().is_some_and(|word| word == "random") {
        return Some(Source::Random);
    }
    if let Value::Arguments(group) = &item.value
        && let Some(path) = source_function(group.stream())
    {
        return Some(Source::Function(path));
    }
    item.is_malformed("`random`, a template in quotes, or a function", diagnostics);
    None
}

/// The path in `with = path`, which stands alone.
fn source_function(tokens: TokenStream) -> Option<Path> {
    let with: syn::MetaNameValue = syn::parse2(tokens).ok()?;
    let syn::Expr::Path(path) = with.value else { return None };
    with.path.is_ident(symbol::WITH).then_some(path.path)
}

fn database(item: &Item, diagnostics: &mut Diagnostics) -> Option<Database> {
    let kind: Option<Ident> = item.parsed();
    match kind.map(|kind| kind.unraw().to_string()).as_deref() {
        Some("sqlite") => Some(Database::Sqlite),
        Some("postgres") => Some(Database::Postgres),
        _ => {
            item.is_malformed("the word `sqlite` or `postgres`", diagnostics);
            None
        }
    }
}

fn record_id(item: &Item, diagnostics: &mut Diagnostics) -> Option<()> {
    let rule: Option<Ident> = item.parsed();
    if rule.is_some_and(|rule| rule.unraw() == symbol::SOURCE_ID) {
        return Some(());
    }
    item.is_malformed("the word `source_id`", diagnostics);
    None
}
