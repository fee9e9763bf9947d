//! The rules that take more than one word. Each is one function, named for what it forbids or asks.

use std::collections::HashMap;

use super::attr::Source;
use super::merge;
use super::model::{Field, Model};
use crate::diagnostics::Diagnostics;
use crate::spanned::Spanned;
use crate::symbol;
use crate::template::Template;

/// Characters of a model's name and of its profile, as the protocol gives them.
const NAME_CHARS_MAX: usize = 40;

/// The names that morango itself writes into the stored JSON.
const RESERVED_NAMES: &[&str] = &["id", "_morango_source_id", "_morango_partition"];

/// Every rule of a model.
pub(crate) fn model(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    no_generics(model, diagnostics);
    required_words(model, diagnostics);
    for name in [&model.attributes.profile, &model.attributes.model] {
        if let Some(name) = name.get() {
            name_fits(name, diagnostics);
        }
    }
    depends_on_others(model, diagnostics);
    if !model.has_named_fields {
        return;
    }
    id_field(model, diagnostics);
    for field in model.own_fields() {
        words_that_exclude_each_other(field, diagnostics);
        foreign_key_is_sent_as_one(field, diagnostics);
        merge::check_field(model, field, diagnostics);
    }
    merge::check_newest(model, diagnostics);
    one_self_reference(model, diagnostics);
    wire_names_differ(model, diagnostics);
    templates_use_fields(model, diagnostics);
}

/// A model is one type: its name on the wire stands for nothing else.
fn no_generics(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    if !model.generics.params.is_empty() {
        diagnostics.over(&model.generics.params, "a model cannot have parameters; write a struct for each kind of row");
    }
}

/// `profile`, `model` and `partition` have no default, nor has Diesel's `table_name`.
fn required_words(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    let attributes = &model.attributes;
    let missing: Vec<&str> = [
        (symbol::PROFILE, attributes.profile.word()),
        (symbol::MODEL, attributes.model.word()),
        (symbol::PARTITION, attributes.partition.word()),
    ]
    .into_iter()
    .filter(|(_, word)| word.is_none())
    .map(|(name, _)| symbol::form(name))
    .collect();
    if attributes.is_empty() {
        diagnostics.at(model.ident.span(), format_args!("a model needs `#[morango({})]`", missing.join(", ")));
    } else if !missing.is_empty() {
        diagnostics
            .at(model.ident.span(), format_args!("`#[morango(…)]` of this model lacks {}", symbol::list(missing)));
    }
    if attributes.table.word().is_none() {
        diagnostics.at(model.ident.span(), "a model needs its table: `#[diesel(table_name = …)]`");
    }
}

fn name_fits(name: &Spanned<String>, diagnostics: &mut Diagnostics) {
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX {
        diagnostics.at(
            name.span,
            format_args!("a name has 1 to {NAME_CHARS_MAX} characters, this one has {length}; change it"),
        );
    }
}

fn depends_on_others(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    for path in model.attributes.depends_on.get().into_iter().flatten() {
        if path.is_ident("Self") || path.is_ident(model.ident) {
            diagnostics.over(path, "a model cannot depend on itself; take it out");
        }
    }
}

/// The id is `id: SyncId`, and all is said of it.
fn id_field(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    match model.id() {
        None => diagnostics.at(model.ident.span(), "a model needs a field `id: SyncId`, the table's primary key"),
        Some(id) => {
            if let Some(word) = id.attributes.first_word() {
                diagnostics.at(word, "the field `id` is the record's id, which takes no attribute; take it out");
            }
        }
    }
}

fn words_that_exclude_each_other(field: &Field<'_>, diagnostics: &mut Diagnostics) {
    let words = &field.attributes;
    if words.skip.word().is_some() {
        for (name, word) in [
            (symbol::FOREIGN_KEY, words.foreign_key.word()),
            (symbol::RENAME, words.rename.word()),
            (symbol::WITH, words.with.word()),
        ] {
            if let Some(word) = word {
                diagnostics.at(
                    word,
                    format_args!(
                        "`{name}` says how the field travels, but `skip` keeps it at home; take one of them out"
                    ),
                );
            }
        }
    }
    if let (Some(word), Some(_)) = (words.with.word(), words.foreign_key.word()) {
        diagnostics.at(word, "a foreign key is sent as an id and cannot have a format of its own; take `with` out");
    }
    if let (Some(word), None) = (words.may_be_missing.word(), words.foreign_key.word()) {
        diagnostics.at(word, "`may_be_missing` says something of a foreign key; write `foreign_key = Model` beside it");
    }
    if let (Some(word), Some(_)) = (words.max_length.word(), words.foreign_key.word()) {
        diagnostics.at(word, "an id has one length; take `max_length` out");
    }
}

/// Peers find a foreign key under a name that ends in `_id`.
fn foreign_key_is_sent_as_one(field: &Field<'_>, diagnostics: &mut Diagnostics) {
    if let (Some(_), Some(name)) = (field.attributes.foreign_key.word(), field.attributes.rename.get())
        && !name.ends_with("_id")
    {
        diagnostics.at(
            name.span,
            format_args!("a foreign key's name on the wire ends in `_id`; write `rename = \"{}_id\"`", name.value),
        );
    }
}

/// The protocol gives a record one place for the id of its parent.
fn one_self_reference(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    for field in model.own_fields().filter(|field| field.is_self_reference(model.ident)).skip(1) {
        diagnostics.over(
            field.attributes.foreign_key.required(),
            "a model can point at its own kind once; make this a plain field, or a model of its own that joins two records",
        );
    }
}

fn wire_names_differ(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<String, String> = HashMap::new();
    for field in model.own_fields().filter(|field| !field.is_skipped()) {
        let name = field.wire_name();
        if name.is_empty() {
            diagnostics.at(field.wire_name_span(), "a name on the wire cannot be empty; write one");
        } else if RESERVED_NAMES.contains(&name.as_str()) {
            diagnostics.at(
                field.wire_name_span(),
                format_args!("morango itself writes `{name}` on the wire; write `rename = \"…\"` with another name"),
            );
        } else if let Some(other) = seen.get(&name) {
            diagnostics.at(
                field.wire_name_span(),
                format_args!("`{other}` is called `{name}` on the wire too; write `rename = \"…\"` with another name"),
            );
        } else {
            seen.insert(name, field.name());
        }
    }
}

fn templates_use_fields(model: &Model<'_>, diagnostics: &mut Diagnostics) {
    if let Some(Source::Template(template)) = model.attributes.source_id.get()
        && template.names.iter().any(|name| name == "id")
    {
        diagnostics.at(
            template.text.span,
            "the id follows from the source id, so `${id}` cannot stand in it; name the fields that identify the row",
        );
    }
    for (template, what) in model.templates() {
        template_uses_fields(model, template, what, diagnostics);
    }
}

/// What a template names are fields that travel: others have no value when a record arrives.
fn template_uses_fields(model: &Model<'_>, template: &Template, what: &str, diagnostics: &mut Diagnostics) {
    for name in template.names.iter().filter(|name| *name != "id") {
        let Some(field) = model.own_fields().find(|field| field.name() == *name) else {
            let names: Vec<String> = model.own_fields().filter(|field| !field.is_skipped()).map(Field::name).collect();
            let known = names.iter().map(String::as_str);
            let advice = match symbol::nearest(name, known.clone()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None if names.is_empty() => "it has none that a template could use".to_owned(),
                None => format!("it can use {}", symbol::list(known)),
            };
            diagnostics
                .at(template.text.span, format_args!("{what} uses `{name}`, which is no field of the model; {advice}"));
            continue;
        };
        if field.is_skipped() {
            diagnostics.at(
                template.text.span,
                format_args!(
                    "{what} uses `{name}`, which `skip` keeps at home; take out one of them, so that all peers compute the same"
                ),
            );
        }
    }
}
