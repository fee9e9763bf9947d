//! The end of a history: all have synced with all until nothing moves.

use std::collections::{BTreeMap, BTreeSet};

use morango::prelude::Direction;
use morango_tests::compare::{Told, differences, members};
use serde_json::Value;

use super::judge::{Judge, told};
use super::meet;
use super::plan::{ALL, Calls, Sync, Under, Who};
use super::world::{Look, World};

/// Rounds in which three devices come to rest, at most: what one of them makes of it goes to the others, who may make something of it.
const ROUNDS_MAX: usize = 8;

/// Brings all devices to rest, and judges what they hold: the same records, and rows that say what the records do.
pub(super) fn come_to_rest(world: &mut World, judge: &mut Judge, calls: Calls) {
    let is_at_rest = (0..ROUNDS_MAX).any(|_| round(world, judge, calls) == 0 || !judge.found.is_empty());
    assert!(is_at_rest, "after {ROUNDS_MAX} rounds records still move");
    let looks = ALL.map(|who| (who, world.look(who)));
    let [(_, first), rest @ ..] = &looks;
    for (who, look) in rest {
        judge.found.extend(differences(&told(first), &told(look), "First", &format!("{who:?}")));
    }
    for (who, look) in &looks {
        let rows = world.rows(*who);
        judge.found.extend(rows_that_differ(*who, look, &rows));
    }
}

/// Each device syncs with each; how many records moved.
fn round(world: &mut World, judge: &mut Judge, calls: Calls) -> u64 {
    let mut moved = 0;
    for (one, other) in [(Who::First, Who::Second), (Who::First, Who::Python), (Who::Second, Who::Python)] {
        for who in [one, other] {
            world.deserialize(who);
        }
        let (client, server) = if calls == Calls::Python { (other, one) } else { (one, other) };
        let (directions, under) = (&[Direction::Pull, Direction::Push], Under::Everything);
        let sync = Sync { client, server, directions, under, chunk_records_max: 100, is_settled: true };
        moved += meet(world, judge, &sync);
    }
    moved
}

/// Where rows are not what the records say. A record that waits has the row that it had before, or none.
fn rows_that_differ(who: Who, look: &Look, rows: &BTreeMap<String, Told>) -> Vec<String> {
    let mut found = Vec::new();
    let ids: BTreeSet<String> = look.records.keys().map(ToString::to_string).chain(rows.keys().cloned()).collect();
    for id in ids {
        let (key, row) = (id.parse().expect("an id"), rows.get(&id));
        let Some(record) = look.records.get(&key) else {
            found.push(format!("{who:?} has a row {id} without a record"));
            continue;
        };
        if look.waiting.contains(&key) {
            continue;
        }
        let model = &record.model_name;
        match (row, record.deleted) {
            (None, true) => {}
            (Some(_), true) => found.push(format!("{who:?} has a row of the deleted {model} {id}")),
            (None, false) => found.push(format!("{who:?} has no row of the {model} {id}")),
            (Some(row), false) => {
                let mut fields = serde_json::from_str(&record.serialized).map(members).unwrap_or_default();
                fields.retain(|name, _: &mut Value| row.contains_key(name));
                let [fields, row] = [&fields, row].map(|told| BTreeMap::from([(id.clone(), told.clone())]));
                found.extend(differences(&fields, &row, &format!("{who:?}'s store"), &format!("{who:?}'s table")));
            }
        }
    }
    found
}
