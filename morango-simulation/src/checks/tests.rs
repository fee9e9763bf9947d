//! That what is wrong is found: a world is lived in for a while, then something is spoiled behind the engine's back.

use diesel::connection::SimpleConnection as _;
use morango::id::{InstanceId, SyncId};

use crate::desk::Access;
use crate::ledger::{Event, What};
use crate::plan::{Kind, Plan};
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

/// A world at rest, in which something is spoiled in the book or in what a device was seen to hold.
fn at_rest() -> World {
    let (mut world, _) = world();
    world.rest().expect("all are equal");
    world
}

#[test]
fn a_device_that_ends_with_something_else_is_found() {
    let world = at_rest();
    let node = (1..world.nodes.len()).find(|node| world.check_equal(*node).is_ok()).expect("they are equal");
    let mut ledger = world.ledger();
    let seen = ledger.seen[node].values_mut().find(|seen| !seen.record.deleted).expect("a record");
    seen.record.serialized.push(' ');
    drop(ledger);
    let found = world.check_equal(node).expect_err("it is found");
    assert!(found.contains("at rest node"), "{found}");
}

#[test]
fn a_deletion_that_is_undone_is_found_whatever_was_deleted_and_how() {
    for kind in [Kind::Membership, Kind::Log] {
        for what in [What::Deleted, What::DeletedForGood] {
            let world = at_rest();
            let mut ledger = world.ledger();
            let live = ledger.seen[0].values().find(|seen| !seen.record.deleted && !seen.texts.is_empty());
            let id = live.expect("one that lives").record.id;
            let history = ledger.histories.get_mut(&id).expect("it was saved");
            history.kind = Some(kind);
            let knew = history.events.clone();
            ledger.note((kind, id), Event::new(0, what, knew), []);
            drop(ledger);
            let found = world.check_histories().expect_err("it is found");
            assert!(found.contains("lives, though whoever deleted it knew"), "{found}");
        }
    }
}

#[test]
fn a_deletion_that_nobody_made_is_found() {
    let world = at_rest();
    let mut ledger = world.ledger();
    let never_deleted = |id: &SyncId| !ledger.was_deleted(*id, &[What::Deleted, What::DeletedForGood]);
    let live = ledger.seen[0].iter().filter(|(_, seen)| !seen.record.deleted && !seen.texts.is_empty());
    let id = *live.map(|(id, _)| id).find(|id| never_deleted(id)).expect("one that nobody deleted");
    ledger.seen[0].get_mut(&id).expect("it is there").record.deleted = true;
    drop(ledger);
    let found = world.check_histories().expect_err("it is found");
    assert!(found.contains("is deleted, and nobody did that"), "{found}");
}

#[test]
fn a_row_that_points_at_nothing_is_found() {
    let found = found(
        "PRAGMA foreign_keys = OFF;
         DELETE FROM \"user\" WHERE id IN (SELECT user_id FROM contentlog);
         DELETE FROM morango_change;
         DELETE FROM morango_mark",
    );
    assert!(found.contains("point"), "{found}");
}

#[test]
fn a_stamp_that_stands_for_two_states_is_found() {
    let (mut world, node) = world();
    let seen = world.ledger().seen[node].values().next().cloned().expect("a record");
    let id = seen.record.id;
    if let Access::Sqlite(connection) = &mut world.nodes[node].desk().access {
        let spoiled =
            format!("UPDATE morango_store SET serialized = CAST('{{\"a\":1}}' AS BLOB) WHERE record_id = X'{id}'");
        connection.batch_execute(&spoiled).expect("it is spoiled");
    }
    world.ledger().seen[node].clear();
    let found = world.look_at(node).expect_err("it is found");
    assert!(found.contains("the stamp") && found.contains("stands for"), "{found}");
}
