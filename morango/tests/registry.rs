//! What is linked into a program finds its way into the registry without being listed.

use std::any::TypeId;

use morango::model::{IdRule, ModelDefinition, ModelEntry, Registry, SourceRule};
use morango::scope::ScopeDefinitionSource;

struct Owner;

fn owner() -> &'static ModelDefinition {
    static DEFINITION: ModelDefinition = ModelDefinition {
        profile: "notebook",
        name: "owner",
        rust_type: "registry::Owner",
        type_id: TypeId::of::<Owner>,
        table: "owners",
        id_column: "id",
        partition: "${id}:profile",
        id_rule: IdRule::SourceId,
        source: SourceRule::Random,
        fields: &[],
        foreign_keys: &[],
        depends_on: &[],
        merge: None,
    };
    &DEFINITION
}

inventory::submit! { ModelEntry { definition: owner } }

inventory::submit! {
    ScopeDefinitionSource {
        profile: "notebook",
        id: "whole-notebook",
        version: 1,
        primary: Some("owner_id"),
        description: "Everything that belongs to owner ${owner_id}.",
        read: &[],
        write: &[],
        read_write: &["${owner_id}"],
    }
}

#[test]
fn what_is_linked_is_found() {
    let registry = Registry::collect().expect("nothing is wrong");
    assert_eq!(registry.model("notebook", "owner").map(|model| model.rust_type), Some("registry::Owner"));
    assert_eq!(registry.scope_definitions()[0].id, "whole-notebook");
}
