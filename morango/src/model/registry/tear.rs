//! Torn foreign keys: scopes that let a record out without the record that its foreign key points at.
//!
//! Whoever gets such a record can never make a row of it: it waits in the store for ever. This is found before any record
//! exists, from the templates alone, and told only where it is certain.
//!
//! *When it is certain.* A prefix of the scope matches the partition of the model that holds the key, with scope parameters that
//! can be had. The record it points at has the key's value as its id. With the parameters that this match asks for, whichever
//! way it is made, no prefix of the scope can match the partition of the model pointed at: their literals contradict each other.
//! Two records are not taken to share any other field, nor to differ in one. Where a match hangs on values of which nothing
//! is known, it is taken to be possible, and nothing is told.
//!
//! *Which prefixes count.* What a holder may *read*, it pulls from a peer, and must be able to pull the other record as well:
//! prefixes to read are held against prefixes to read. What a holder may *write*, it pushes to the peer from which it pulls; that
//! peer has what the holder may read, for it gave it out. So prefixes to write are held against all prefixes of the scope: a
//! learner's phone may push answers without pushing the learner.
//!
//! Each scope is judged alone, because one sync speaks with one certificate. Whoever means to give the two records by two
//! certificates marks the key `may_be_missing`.

use super::cover::{Binding, Cover, Token, cover, tokens};
use super::order::is_same;
use super::problem::{Named, RegistryProblem, Side};
use crate::model::definition::{ForeignKey, ModelDefinition};
use crate::scope::{ScopeDefinition, Template};

/// The foreign keys that this scope certainly tears.
pub(super) fn find(scope: &ScopeDefinition, models: &[&'static ModelDefinition]) -> Vec<RegistryProblem> {
    let mut problems = Vec::new();
    for model in models {
        for key in model.foreign_keys.iter().filter(|key| !key.may_be_missing) {
            let target = (key.target.definition)();
            if models.iter().any(|other| is_same(other, target)) {
                problems.extend(find_for_key(scope, model, key, target));
            }
        }
    }
    problems
}

fn find_for_key(
    scope: &ScopeDefinition,
    model: &ModelDefinition,
    key: &ForeignKey,
    target: &ModelDefinition,
) -> Option<RegistryProblem> {
    let source_tokens = partition_tokens(model)?;
    let target_tokens = partition_tokens(target)?;
    let read: Vec<&Template> = scope.read_write.iter().chain(&scope.read).collect();
    let write: Vec<&Template> = scope.read_write.iter().chain(&scope.write).collect();
    let either: Vec<&Template> = read.iter().copied().chain(&scope.write).collect();
    [(Side::Read, read.clone(), read), (Side::Write, write, either)].into_iter().find_map(|(side, out, present)| {
        let prefix = out.into_iter().find(|prefix| is_torn(prefix, &source_tokens, &present, &target_tokens))?;
        Some(RegistryProblem::Torn {
            scope: scope.id.clone(),
            side,
            prefix: prefix.as_str().to_owned(),
            model: Named::from(model),
            field: key.field,
            target: Named::from(target),
            partition: target.partition,
        })
    })
}

/// The tokens of a model's partition: its own id and its foreign keys are ids. Nothing where the template is malformed.
fn partition_tokens(model: &ModelDefinition) -> Option<Vec<Token>> {
    let template = Template::parse(model.partition).ok()?;
    Some(tokens(&template, |name| name == "id" || model.foreign_keys.iter().any(|key| key.field == name)))
}

/// Whether this prefix lets a record out, and none of those present can ever match what the record points at.
fn is_torn(prefix: &Template, source: &[Token], present: &[&Template], target: &[Token]) -> bool {
    let Cover::Ways(ways) = cover(prefix, source, &Binding::new()) else {
        return false;
    };
    let is_unreachable =
        |way: &Binding<'_>| present.iter().all(|other| cover(other, target, way) == Cover::Ways(Vec::new()));
    !ways.is_empty() && ways.iter().all(is_unreachable)
}

#[cfg(test)]
mod tests;
