//! How a registry is made: everything is gathered, everything is checked, and everything that is wrong is told at once.

use std::collections::{BTreeMap, HashMap};

use super::order::{is_same, needs, sort};
use super::problem::{Named, PARTITION, RegistryProblem, SOURCE_ID, into_error};
use super::{Profile, Registry, tear};
use crate::limits;
use crate::model::definition::{ModelDefinition, ModelEntry, SourceRule};
use crate::model::syncable::Model;
use crate::scope::{ScopeDefinition, ScopeDefinitionSource, Template};

/// Gathers models and scope definitions.
///
/// # Example
///
/// ```
/// use morango::model::Registry;
/// use morango::scope::ScopeDefinitionSource;
///
/// let registry = Registry::builder()
///     .scope(&ScopeDefinitionSource {
///         profile: "notebook",
///         id: "whole-notebook",
///         version: 1,
///         primary: Some("owner_id"),
///         description: "Everything that belongs to owner ${owner_id}.",
///         read: &[],
///         write: &[],
///         read_write: &["${owner_id}"],
///     })
///     .build()?;
/// assert_eq!(registry.scope_definitions().len(), 1);
/// # Ok::<(), morango::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a registry is made by `build`"]
pub struct RegistryBuilder {
    models: Vec<&'static ModelDefinition>,
    scopes: Vec<ScopeDefinition>,
    problems: Vec<RegistryProblem>,
}

impl RegistryBuilder {
    /// Adds a model.
    pub fn model<M: Model>(self) -> Self {
        self.definition(M::definition)
    }

    /// Adds a model by its definition. The same one added twice is one.
    pub fn definition(mut self, definition: fn() -> &'static ModelDefinition) -> Self {
        let definition = definition();
        if !self.models.iter().any(|model| is_same(model, definition)) {
            self.models.push(definition);
        }
        self
    }

    /// Adds a scope definition. What is wrong with it is told by [`build`](Self::build).
    pub fn scope(mut self, source: &ScopeDefinitionSource) -> Self {
        match ScopeDefinition::new(*source) {
            Ok(definition) => self.scopes.push(definition),
            Err(error) => {
                self.problems.push(RegistryProblem::Scope { profile: crate::id::excerpt(source.profile), error });
            }
        }
        self
    }

    /// Adds a scope definition that was checked before.
    pub fn scope_definition(mut self, definition: ScopeDefinition) -> Self {
        self.scopes.push(definition);
        self
    }

    /// Adds every model and scope definition that is linked into the program.
    pub fn everything_linked(self) -> Self {
        let with_models =
            inventory::iter::<ModelEntry>.into_iter().fold(self, |all, entry| all.definition(entry.definition));
        inventory::iter::<ScopeDefinitionSource>.into_iter().fold(with_models, Self::scope)
    }

    /// Checks everything together.
    ///
    /// # Errors
    /// See [`Registry::collect`].
    pub fn build(self) -> crate::Result<Registry> {
        let Self { mut models, mut scopes, mut problems } = self;
        // Neither the order of linking nor that of adding may show in messages.
        models.sort_by_key(|model| (model.profile, model.name, model.rust_type));
        scopes.sort_by(|one, two| (&one.id, &one.profile).cmp(&(&two.id, &two.profile)));

        for model in &models {
            check_names(model, &mut problems);
            check_templates(model, &mut problems);
            check_links(model, &models, &mut problems);
        }
        check_unique(&models, &scopes, &mut problems);
        let mut by_profile: BTreeMap<&'static str, Vec<&'static ModelDefinition>> = BTreeMap::new();
        for model in &models {
            by_profile.entry(model.profile).or_default().push(model);
        }
        for scope in &scopes {
            if let Some(models) = by_profile.get(scope.profile.as_str()) {
                problems.extend(tear::find(scope, models));
            } else {
                tracing::warn!(scope = scope.id, profile = scope.profile, "no model is of the profile of this scope");
            }
        }
        let profiles: Vec<Profile> = by_profile
            .into_iter()
            .map(|(name, models)| Profile {
                name,
                by_name: models.iter().map(|model| (model.name, *model)).collect(),
                models: sort(models, &mut problems),
            })
            .collect();
        if !problems.is_empty() {
            return Err(into_error(&problems));
        }
        let by_type: HashMap<_, _> = models.iter().map(|model| ((model.type_id)(), *model)).collect();
        Ok(Registry { profiles, by_type, scopes })
    }
}

fn check_names(model: &'static ModelDefinition, problems: &mut Vec<RegistryProblem>) {
    for (what, text) in [("name", model.name), ("profile", model.profile)] {
        if text.is_empty() || text.chars().count() > limits::NAME_CHARS_MAX {
            problems.push(RegistryProblem::NameLength { model: model.into(), what, text, max: limits::NAME_CHARS_MAX });
        }
    }
}

/// Checks that the templates can be filled from a row. What a field holds is seen only when there is one.
fn check_templates(model: &'static ModelDefinition, problems: &mut Vec<RegistryProblem>) {
    let source_id = match model.source {
        SourceRule::Template(template) => Some((SOURCE_ID, template)),
        SourceRule::Random | SourceRule::Function => None,
    };
    for (what, template) in [(PARTITION, model.partition)].into_iter().chain(source_id) {
        let refuse = |reason: String| RegistryProblem::Template { model: model.into(), what, template, reason };
        let parsed = match Template::parse(template) {
            Ok(parsed) => parsed,
            Err(error) => {
                problems.push(refuse(error.to_string()));
                continue;
            }
        };
        if template.is_empty() {
            problems.push(refuse("it is blank".to_owned()));
        }
        if what == PARTITION && template.contains(char::is_whitespace) {
            problems.push(refuse("it has white space in it, which no partition may have".to_owned()));
        }
        for name in parsed.names() {
            let is_own_id = what == PARTITION && name == "id";
            if !is_own_id && !model.fields.iter().any(|field| field.name == name) {
                problems.push(RegistryProblem::TemplateField {
                    model: model.into(),
                    what,
                    template,
                    field: name.to_owned(),
                });
            }
        }
    }
}

/// Checks that what a model points at or depends on is there.
fn check_links(
    model: &'static ModelDefinition,
    models: &[&'static ModelDefinition],
    problems: &mut Vec<RegistryProblem>,
) {
    let to_itself = |key: &&crate::model::ForeignKey| is_same((key.target.definition)(), model);
    let fields: Vec<&'static str> = model.foreign_keys.iter().filter(to_itself).map(|key| key.field).collect();
    if fields.len() > 1 {
        problems.push(RegistryProblem::SelfReferences { model: model.into(), fields });
    }
    for (link, target) in needs(model) {
        let named = (Named::from(model), Named::from(target));
        if !models.iter().any(|other| is_same(other, target)) {
            problems.push(RegistryProblem::TargetMissing { model: named.0, link, target: named.1 });
        } else if target.profile != model.profile {
            problems.push(RegistryProblem::TargetElsewhere { model: named.0, link, target: named.1 });
        }
    }
}

/// Checks that no two share what only one may have. Each is held against the first that had it.
fn check_unique(models: &[&'static ModelDefinition], scopes: &[ScopeDefinition], problems: &mut Vec<RegistryProblem>) {
    let mut names: HashMap<(&str, &str), &ModelDefinition> = HashMap::new();
    let mut tables: HashMap<&str, &ModelDefinition> = HashMap::new();
    for model in models.iter().copied() {
        let first = *names.entry((model.profile, model.name)).or_insert(model);
        if !is_same(first, model) {
            problems.push(RegistryProblem::ModelTwice { models: [first.into(), model.into()] });
        }
        let first = *tables.entry(model.table).or_insert(model);
        if !is_same(first, model) {
            problems.push(RegistryProblem::TableTwice { table: model.table, models: [first.into(), model.into()] });
        }
    }
    for pair in scopes.windows(2) {
        if pair[0].id == pair[1].id {
            let profiles = [pair[0].profile.clone(), pair[1].profile.clone()];
            problems.push(RegistryProblem::ScopeTwice { id: pair[0].id.clone(), profiles });
        }
    }
}

#[cfg(test)]
mod tests;
