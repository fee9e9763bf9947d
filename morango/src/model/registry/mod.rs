//! All models and scope definitions of the program, checked and in order.
//!
//! The derive and `scope_definitions!` leave an entry for each; [`Registry::collect`] finds them once, at start, and after
//! that nothing is looked up globally. What only the whole program can show to be wrong is found here, all of it at once.

mod build;
mod cover;
mod order;
mod problem;
mod tear;
#[cfg(test)]
mod testing;

use std::any::TypeId;
use std::collections::HashMap;

use super::definition::ModelDefinition;
use crate::scope::{ScopeDefinition, ScopeDefinitions};

pub use build::RegistryBuilder;

/// The models and scope definitions of this application. It never changes once it is built.
#[derive(Debug)]
pub struct Registry {
    /// Sorted by name.
    profiles: Vec<Profile>,
    by_type: HashMap<TypeId, &'static ModelDefinition>,
    scopes: Vec<ScopeDefinition>,
}

/// The models of one profile.
#[derive(Debug)]
struct Profile {
    name: &'static str,
    /// In foreign key order.
    models: Vec<&'static ModelDefinition>,
    by_name: HashMap<&'static str, &'static ModelDefinition>,
}

impl Registry {
    /// Finds every model and scope definition that is linked into the program.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) with everything that is wrong: two models of one name or
    /// table, two scope definitions of one id, a foreign key to a model that is not there, a cycle of foreign keys, a malformed
    /// template or name, or a scope that lets a record out without what its foreign key points at.
    pub fn collect() -> crate::Result<Self> {
        Self::builder().everything_linked().build()
    }

    /// Makes a registry by hand, for tests.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The profiles that have models, sorted.
    pub fn profiles(&self) -> impl Iterator<Item = &'static str> {
        self.profiles.iter().map(|profile| profile.name)
    }

    /// The models of a profile, each after those that it points at or depends on, and otherwise by name.
    /// No models where nothing is known of the profile.
    pub fn models(&self, profile: &str) -> &[&'static ModelDefinition] {
        self.profile(profile).map_or(&[], |profile| &profile.models)
    }

    /// The models of every profile, one profile after the other.
    pub fn all_models(&self) -> impl Iterator<Item = &'static ModelDefinition> {
        self.profiles.iter().flat_map(|profile| profile.models.iter().copied())
    }

    /// The model that goes by this name on the wire.
    pub fn model(&self, profile: &str, name: &str) -> Option<&'static ModelDefinition> {
        self.profile(profile)?.by_name.get(name).copied()
    }

    /// The model whose rows are of this Rust type.
    pub fn model_of(&self, row_type: TypeId) -> Option<&'static ModelDefinition> {
        self.by_type.get(&row_type).copied()
    }

    /// The scope definitions, sorted by id.
    pub fn scope_definitions(&self) -> &[ScopeDefinition] {
        &self.scopes
    }

    fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.binary_search_by(|profile| profile.name.cmp(name)).ok().map(|position| &self.profiles[position])
    }
}

impl ScopeDefinitions for Registry {
    fn definition(&self, profile: &str, id: &str) -> Option<&ScopeDefinition> {
        self.scopes.definition(profile, id)
    }
}
