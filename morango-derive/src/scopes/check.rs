//! The rules of scope definitions. Each is one function, named for what it forbids or asks.

use std::collections::HashSet;

use super::parse::{Definition, Definitions};
use crate::diagnostics::Diagnostics;
use crate::spanned::Spanned;
use crate::symbol;

/// Characters of a scope definition's id and of its profile, as the protocol gives them.
const NAME_CHARS_MAX: usize = 20;

/// Every rule.
pub(crate) fn definitions(definitions: &Definitions, diagnostics: &mut Diagnostics) {
    if let Some(profile) = definitions.profile.get() {
        name_fits(profile, "profile", diagnostics);
    }
    ids_differ(definitions, diagnostics);
    for definition in &definitions.definitions {
        name_fits(&definition.id, "scope definition's id", diagnostics);
        has_a_version(definition, diagnostics);
        reaches_something(definition, diagnostics);
        templates_begin_with_primary(definition, diagnostics);
    }
}

fn name_fits(name: &Spanned<String>, what: &str, diagnostics: &mut Diagnostics) {
    let length = name.chars().count();
    if length == 0 || length > NAME_CHARS_MAX {
        diagnostics.at(
            name.span,
            format_args!("a {what} has 1 to {NAME_CHARS_MAX} characters, this one has {length}; change it"),
        );
    }
}

/// Certificates name a definition by its id.
fn ids_differ(definitions: &Definitions, diagnostics: &mut Diagnostics) {
    let mut seen = HashSet::new();
    for definition in &definitions.definitions {
        if !seen.insert(&definition.id.value) {
            diagnostics.at(
                definition.id.span,
                format_args!(
                    "a scope definition {:?} stands above already; change one of the ids",
                    definition.id.value
                ),
            );
        }
    }
}

/// Certificates name the version too: there is no number that could be meant by default.
fn has_a_version(definition: &Definition, diagnostics: &mut Diagnostics) {
    if definition.version.word().is_none() {
        diagnostics.at(
            definition.id.span,
            format_args!("this scope definition lacks its version; write `{}`", symbol::form(symbol::VERSION)),
        );
    }
}

fn reaches_something(definition: &Definition, diagnostics: &mut Diagnostics) {
    let lists = [&definition.read, &definition.write, &definition.read_write];
    let is_empty = lists.into_iter().filter_map(|list| list.get()).all(Vec::is_empty);
    let is_whole = lists.into_iter().all(|list| list.word().is_some() == list.get().is_some());
    if is_whole && is_empty && !definition.has_unknown_reach {
        let place = if definition.names_a_reach() { definition.id.span } else { definition.reach };
        diagnostics.at(
            place,
            format_args!("this scope reaches nothing; write a template, as in `{}`", symbol::form(symbol::READ_WRITE)),
        );
    }
}

/// A root certificate reaches only what begins with its own id, which it holds under the primary parameter.
fn templates_begin_with_primary(definition: &Definition, diagnostics: &mut Diagnostics) {
    let Some(primary) = definition.primary.get() else { return };
    let name = primary.to_string();
    for template in definition.templates().filter(|template| !template.begins_with(&name)) {
        diagnostics.at(
            template.text.span,
            format_args!(
                "a root certificate reaches only what begins with its own id; begin with `${{{name}}}`, or take `primary` out"
            ),
        );
    }
}
