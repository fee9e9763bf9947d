//! Scope definitions, and what the registry finds of them.

use morango::scope::ScopeDefinitionSource;

morango::scope_definitions! {
    profile = "notebook";
    /// Everything that belongs to
    /// owner ${owner_id}.
    "whole-notebook" (version = 1, primary = owner_id) {
        read_write: ["${owner_id}"],
        read: ["$owner_id:$$:${part}"],
    }
    "reader" (version = 0) { read: ["${owner_id}:notes", "public"] }
}

morango_diesel::scope_definitions! {
    profile = "empty";
}

#[test]
fn scope_definitions_are_found_as_they_were_written() {
    let mut found: Vec<ScopeDefinitionSource> =
        morango::__private::inventory::iter::<ScopeDefinitionSource>().copied().collect();
    found.sort_by_key(|source| source.id);
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].profile, found[0].id, found[0].version), ("notebook", "reader", 0));
    assert_eq!((found[0].primary, found[0].description), (None, ""));
    assert_eq!(found[0].read, ["${owner_id}:notes", "public"]);
    assert_eq!(found[1].primary, Some("owner_id"));
    assert_eq!(found[1].description, "Everything that belongs to\nowner ${owner_id}.");
    assert_eq!(found[1].read_write, ["${owner_id}"]);
}
