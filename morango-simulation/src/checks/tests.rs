//! That what is wrong is found: a world is lived in for a while, then something is spoiled behind the engine's back.

use diesel::connection::SimpleConnection as _;
use morango::id::InstanceId;

use crate::desk::Access;
use crate::plan::Plan;
use crate::world::World;

const SEED: u64 = 3;
const STEPS: u32 = 120;

/// A world in which much has happened, and one of its devices whose database is a file.
fn world() -> (World, usize) {
    let plan = Plan::draw(SEED, STEPS, 5);
    let mut world = World::new(plan.seed, plan.nodes);
    for step in &plan.steps {
        world.live(step).expect("all is well so far");
    }
    let is_file = |node: &usize| matches!(world.nodes[*node].desk().access, Access::Sqlite(_));
    let node = (0..plan.nodes).find(is_file).expect("a device on SQLite");
    (world, node)
}

/// What is found wrong once these statements were run on a device.
fn found(statements: &str) -> String {
    let (mut world, node) = world();
    assert!(world.look_at(node).is_ok());
    if let Access::Sqlite(connection) = &mut world.nodes[node].desk().access {
        connection.batch_execute(statements).expect("it is spoiled");
    }
    world.look_at(node).expect_err("it is found")
}

#[test]
fn a_record_that_is_gone_is_found() {
    let found = found("DELETE FROM morango_store WHERE sequence = (SELECT max(sequence) FROM morango_store)");
    assert!(found.contains("has lost the record"), "{found}");
}

#[test]
fn a_change_that_is_forgotten_is_found() {
    let found = found("UPDATE morango_store SET serialized = CAST('{}' AS BLOB) WHERE model_name = 'facility'");
    assert!(found.contains("is forgotten"), "{found}");
}

#[test]
fn a_field_that_is_gone_is_found() {
    let found = found(
        "UPDATE morango_store SET serialized = CAST(json_remove(CAST(serialized AS TEXT), '$.birth_year') AS BLOB)
         WHERE model_name = 'user'",
    );
    assert!(found.contains("the field birth_year is gone"), "{found}");
}

#[test]
fn a_record_outside_the_scope_is_found() {
    let found = found("UPDATE morango_store SET partition = 'elsewhere' WHERE model_name = 'facility'");
    assert!(found.contains("outside its scope"), "{found}");
}

#[test]
fn a_record_that_silently_is_no_row_is_found() {
    let found = found(
        "UPDATE morango_store SET is_dirty = 0;
         PRAGMA foreign_keys = OFF;
         DELETE FROM contentlog;
         DELETE FROM morango_change;
         DELETE FROM morango_mark",
    );
    assert!(found.contains("does not wait") || found.contains("forgotten"), "{found}");
}

#[test]
fn a_counter_that_goes_back_is_found() {
    let found = found("UPDATE morango_instance SET counter = 1, told_counter = 1 WHERE is_current = 1");
    assert!(found.contains("goes back"), "{found}");
}

#[test]
fn a_claim_that_goes_back_is_found() {
    let found = found("UPDATE morango_database_max_counter SET counter = 1");
    assert!(found.contains("goes back"), "{found}");
}

#[test]
fn a_claim_beyond_what_is_there_is_found() {
    let (mut world, node) = world();
    // One that saved something which this one has.
    let instances = world.nodes.iter().enumerate().filter(|(other, _)| *other != node);
    let mut instances = instances.map(|(_, node)| node.engine.instance().id);
    let has_some_of = |instance: &InstanceId| {
        world.ledger().seen[node].values().any(|seen| seen.record.last_saved.instance == *instance)
    };
    let own = instances.find(has_some_of).expect("they have met");
    // Whatever the other one has saved and told since, this one claims to have.
    let statements = format!(
        "DELETE FROM morango_store WHERE last_saved_instance = X'{own}';
         INSERT INTO morango_database_max_counter (partition, instance, counter) VALUES ('', X'{own}', 1000000)"
    );
    if let Access::Sqlite(connection) = &mut world.nodes[node].desk().access {
        connection.batch_execute(&statements).expect("it is spoiled");
    }
    world.ledger().seen[node].clear();
    let found = world.look_at(node).expect_err("it is found");
    assert!(found.contains("claims"), "{found}");
}

#[test]
fn a_change_that_nobody_had_a_right_to_is_found() {
    let (mut world, node) = world();
    let mut ledger = world.ledger();
    let held = ledger.seen[node].values().find_map(|seen| seen.texts.first().copied()).expect("a record with a text");
    ledger.events[held as usize].is_beyond = true;
    ledger.seen[node].clear();
    drop(ledger);
    let found = world.look_at(node).expect_err("it is found");
    assert!(found.contains("had no right to it"), "{found}");
}
