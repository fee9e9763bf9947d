//! What an application may bring, and what it is told when it contradicts itself.

use std::any::TypeId;

use super::*;
use crate::ErrorKind;
use crate::model::registry::testing::test_model;
use crate::scope::ScopeDefinitions as _;

test_model!(Owner, "owner", "${id}:profile", keys [], depends_on []);
test_model!(Note, "note", "${owner_id}:notes", keys [(owner_id => Owner)], depends_on []);
test_model!(Task, "elsewhere", "tasks", "task", "${id}", keys [], depends_on [], fields []);

const WHOLE: ScopeDefinitionSource = ScopeDefinitionSource {
    profile: "test",
    id: "whole",
    version: 1,
    primary: Some("owner_id"),
    description: "",
    read: &[],
    write: &[],
    read_write: &["${owner_id}"],
};

fn notebook() -> RegistryBuilder {
    Registry::builder()
        .definition(Note::definition)
        .definition(Owner::definition)
        .definition(Task::definition)
        .scope(&WHOLE)
}

/// What is told of a builder that holds a mistake; the message names each of these.
fn is_told(builder: RegistryBuilder, words: &[&str]) -> String {
    let error = builder.build().expect_err("something is wrong");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let report = error.report();
    for word in words {
        assert!(report.contains(word), "{word} is missing in: {report}");
    }
    report
}

#[test]
fn models_are_found_by_profile_name_and_type() {
    let registry = notebook().build().expect("nothing is wrong");
    let names = |profile| registry.models(profile).iter().map(|model| model.name).collect::<Vec<_>>();
    assert_eq!(registry.profiles().collect::<Vec<_>>(), ["elsewhere", "test"]);
    assert_eq!(names("test"), ["owner", "note"]);
    assert_eq!(names("elsewhere"), ["task"]);
    assert_eq!(names("unheard-of"), [""; 0]);
    assert_eq!(registry.all_models().count(), 3);
    assert_eq!(registry.model("test", "note").map(|model| model.rust_type), Some("test::Note"));
    assert!(registry.model("elsewhere", "note").is_none());
    assert_eq!(registry.model_of(TypeId::of::<Owner>()).map(|model| model.name), Some("owner"));
    assert!(registry.model_of(TypeId::of::<u8>()).is_none());
}

#[test]
fn scope_definitions_are_found_by_profile_and_id() {
    let registry = notebook().build().expect("nothing is wrong");
    assert_eq!(registry.definition("test", "whole").map(|scope| scope.version), Some(1));
    assert!(registry.definition("elsewhere", "whole").is_none());
    assert!(registry.definition("test", "half").is_none());
    assert_eq!(registry.scope_definitions().len(), 1);
}

#[test]
fn nothing_at_all_is_a_registry_and_a_scope_without_models_is_no_mistake() {
    assert_eq!(Registry::builder().build().expect("empty").profiles().count(), 0);
    Registry::builder().scope(&WHOLE).build().expect("the models may come with another version");
}

#[test]
fn the_same_model_twice_is_one() {
    let registry = notebook().definition(Note::definition).build().expect("nothing is wrong");
    assert_eq!(registry.models("test").len(), 2);
}

#[test]
fn two_models_may_not_share_a_name_or_a_table() {
    test_model!(Twin, "test", "twins", "note", "${id}", keys [], depends_on [], fields []);
    test_model!(Squatter, "test", "note", "squatter", "${id}", keys [], depends_on [], fields []);
    test_model!(Namesake, "elsewhere", "others", "note", "${id}", keys [], depends_on [], fields []);
    is_told(notebook().definition(Twin::definition), &["one name", "test::Note", "test::Twin", "another name"]);
    is_told(notebook().definition(Squatter::definition), &["one table `note`", "test::Note", "test::Squatter"]);
    notebook().definition(Namesake::definition).build().expect("names are those of a profile");
}

#[test]
fn two_scope_definitions_may_not_share_an_id_in_whatever_profiles() {
    let namesake = ScopeDefinitionSource { profile: "elsewhere", ..WHOLE };
    is_told(notebook().scope(&namesake), &["\"whole\"", "\"test\"", "\"elsewhere\"", "by its id alone"]);
}

#[test]
fn a_scope_definition_that_would_fall_open_is_told() {
    let open = ScopeDefinitionSource { id: "open", read: &[""], ..WHOLE };
    is_told(notebook().scope(&open), &["\"open\"", "blank", "\"test\""]);
}

#[test]
fn what_a_model_points_at_must_be_there_and_in_its_profile() {
    test_model!(Chore, "chore", "${id}", keys [(task_id => Task)], depends_on []);
    test_model!(Diary, "diary", "${id}", keys [], depends_on [Task]);
    let alone = Registry::builder().definition(Note::definition);
    is_told(alone, &["test/note (test::Note)", "`owner_id`", "test/owner (test::Owner)", "not registered"]);
    is_told(notebook().definition(Chore::definition), &["test::Chore", "`task_id`", "test::Task", "another profile"]);
    is_told(
        notebook().definition(Diary::definition),
        &["test::Diary", "`depends_on`", "test::Task", "another profile"],
    );
}

#[test]
fn a_cycle_is_told_whole() {
    test_model!(Hen, "hen", "${id}", keys [(egg_id => Egg)], depends_on []);
    test_model!(Egg, "egg", "${id}", keys [(hen_id => Hen, may_be_missing)], depends_on []);
    is_told(
        notebook().definition(Hen::definition).definition(Egg::definition),
        &["test::Hen", "`egg_id`", "test::Egg", "`hen_id`"],
    );
}

#[test]
fn a_model_points_at_its_own_kind_once() {
    test_model!(Folder, "folder", "${id}", keys [(parent_id => Folder)], depends_on []);
    test_model!(Person, "person", "${id}", keys [(mother_id => Person), (father_id => Person)], depends_on []);
    notebook().definition(Folder::definition).build().expect("once is well");
    is_told(notebook().definition(Person::definition), &["test::Person", "`mother_id`, `father_id`"]);
}

#[test]
fn names_must_fit_where_peers_keep_them() {
    test_model!(Nameless, "", "${id}", keys [], depends_on []);
    test_model!(Long, "a-model-name-that-has-forty-one-characters", "${id}", keys [], depends_on []);
    is_told(notebook().definition(Nameless::definition), &["test::Nameless", "name \"\"", "1 to 40"]);
    is_told(notebook().definition(Long::definition), &["test::Long", "forty-one"]);
}

#[test]
fn a_template_that_no_row_could_fill_is_told() {
    test_model!(Stray, "stray", "${id}:$", keys [], depends_on []);
    test_model!(Blank, "blank", "", keys [], depends_on []);
    test_model!(Spaced, "spaced", "${id}: x", keys [], depends_on []);
    test_model!(Unknown, "unknown", "${ownr_id}:x", keys [(owner_id => Owner)], depends_on []);
    is_told(notebook().definition(Stray::definition), &["test::Stray", "partition", "`$`", "`$$`"]);
    is_told(notebook().definition(Blank::definition), &["test::Blank", "blank"]);
    is_told(notebook().definition(Spaced::definition), &["test::Spaced", "white space"]);
    is_told(notebook().definition(Unknown::definition), &["test::Unknown", "`ownr_id`", "`${id}`"]);
}

#[test]
fn a_source_id_cannot_be_made_of_the_id_that_follows_from_it() {
    fn definition() -> &'static ModelDefinition {
        static DEFINITION: ModelDefinition = ModelDefinition {
            profile: "test",
            name: "snake",
            rust_type: "test::Snake",
            type_id: TypeId::of::<u32>,
            table: "snakes",
            id_column: "id",
            partition: "${id}",
            id_rule: crate::model::IdRule::Calculated,
            source: SourceRule::Template("${id}:tail"),
            fields: &[],
            foreign_keys: &[],
            depends_on: &[],
            merge: None,
        };
        &DEFINITION
    }
    is_told(notebook().definition(definition), &["test::Snake", "source id", "`id`", "follows from the source id"]);
}

#[test]
fn a_torn_foreign_key_is_told_with_scope_types_and_field() {
    let notes =
        ScopeDefinitionSource { id: "reader", primary: None, read_write: &[], read: &["${owner_id}:notes"], ..WHOLE };
    is_told(notebook().scope(&notes), &["\"reader\"", "test::Note", "`owner_id`", "test::Owner", "`may_be_missing`"]);
    let both = ScopeDefinitionSource { read: &["${owner_id}:profile", "${owner_id}:notes"], ..notes };
    notebook().scope(&both).build().expect("the owner comes along");
    let of_others = ScopeDefinitionSource { profile: "elsewhere", ..notes };
    notebook().scope(&of_others).build().expect("a scope reaches the models of its own profile only");
}

#[test]
fn all_mistakes_are_told_at_once_whatever_order_they_come_in() {
    test_model!(Twin, "test", "twins", "note", "${id}:$", keys [], depends_on [], fields []);
    let open = ScopeDefinitionSource { id: "open", read: &[""], ..WHOLE };
    let parts: [fn() -> &'static ModelDefinition; 3] = [Twin::definition, Note::definition, Task::definition];
    let forth = parts.iter().fold(Registry::builder(), |all, part| all.definition(*part)).scope(&open);
    let back = parts.iter().rev().fold(Registry::builder().scope(&open), |all, part| all.definition(*part));
    let report = is_told(forth, &["4 things are wrong", "\n  - ", "one name", "not registered", "`$$`", "\"open\""]);
    assert_eq!(report, is_told(back, &[]));
    assert_eq!(report.lines().count(), 5, "{report}");
}
