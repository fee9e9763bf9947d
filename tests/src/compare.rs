//! How two peers are compared: store records, counters and rows, field by field.
//!
//! A stored text is compared as the JSON that it holds, because each side writes it in its own way; where it holds no
//! JSON, as it is.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use morango::counter::{RecordMaxCounters, Stamp};
use morango::model::{Model, serialize_row};
use morango::prelude::*;
use morango::record::StoreRecord;
use morango_diesel::Syncable;
use morango_examples::school::{
    Assignment, Classroom, ContentLog, Dataset, Facility, Feedback, Membership, User, assignment, classroom,
    contentlog, dataset, facility, feedback, membership, user,
};
use serde_json::{Value, json};

use crate::database::over;
use crate::device::Device;
use crate::python::PythonPeer;
use crate::sampler::{Sampler, sampler};

/// A store record as both kinds of peer can tell it.
pub type Told = BTreeMap<String, Value>;

/// The store records of a device under these prefixes (all of them under none), by id.
pub fn told_by_device(device: &Device, prefixes: &[&str]) -> BTreeMap<String, Told> {
    device
        .store()
        .into_values()
        .filter(|record| is_under(&record.partition, prefixes))
        .map(|record| (record.id.to_string(), tell(&record)))
        .collect()
}

/// The store records of a Python peer under these prefixes (all of them under none), by id.
pub fn told_by_python(peer: &mut PythonPeer, prefixes: &[&str]) -> BTreeMap<String, Told> {
    peer.store("school")
        .iter()
        .map(record_of_python)
        .filter(|record| is_under(&record.partition, prefixes))
        .map(|record| (record.id.to_string(), tell(&record)))
        .collect()
}

/// A store record as a Python peer's `dump_store` tells it.
pub fn record_of_python(told: &Value) -> StoreRecord {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let flag = |name: &str| told[name].as_bool().expect("it is or it is not");
    let stamp = |instance: &str, counter: &Value| {
        Stamp::new(instance.parse().expect("an instance's id"), counter.as_i64().expect("a counter is a number"))
    };
    let counters = told["record_max_counters"].as_object().expect("the counters by instance");
    let counters = counters.iter().map(|(instance, counter)| stamp(instance, counter));
    StoreRecord {
        id: text("id").parse().expect("a record's id"),
        profile: text("profile"),
        model_name: text("model_name"),
        partition: text("partition"),
        source_id: text("source_id"),
        serialized: text("serialized"),
        conflicting_serialized_data: text("conflicting_serialized_data"),
        deleted: flag("deleted"),
        hard_deleted: flag("hard_deleted"),
        last_saved: stamp(&text("last_saved_instance"), &told["last_saved_counter"]),
        self_ref_fk: text("_self_ref_fk"),
        counters: RecordMaxCounters::from_stamps(counters).expect("good counters"),
    }
}

fn is_under(partition: &str, prefixes: &[&str]) -> bool {
    prefixes.is_empty() || prefixes.iter().any(|prefix| partition.starts_with(prefix))
}

/// A store record, field by field.
pub fn tell(record: &StoreRecord) -> Told {
    let counters: BTreeMap<String, i64> =
        record.counters.iter().map(|stamp| (stamp.instance.to_string(), stamp.counter)).collect();
    [
        ("profile", json!(record.profile)),
        ("model_name", json!(record.model_name)),
        ("partition", json!(record.partition)),
        ("source_id", json!(record.source_id)),
        ("deleted", json!(record.deleted)),
        ("hard_deleted", json!(record.hard_deleted)),
        ("last_saved_instance", json!(record.last_saved.instance.to_string())),
        ("last_saved_counter", json!(record.last_saved.counter)),
        ("_self_ref_fk", json!(record.self_ref_fk)),
        ("record_max_counters", json!(counters)),
        ("serialized", texts(&record.serialized)),
        ("conflicting_serialized_data", texts(&record.conflicting_serialized_data)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Stored texts, one a line, each as the JSON that it holds.
fn texts(lines: &str) -> Value {
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| json!(line))).collect()
}

/// Asserts that two devices hold the same records and rows under these prefixes (everything under none).
pub fn assert_equal(one: &Device, other: &Device, prefixes: &[&str]) {
    assert_same(&told_by_device(one, prefixes), &told_by_device(other, prefixes), one.name, other.name);
    assert_same(&rows_of_device(one, prefixes), &rows_of_device(other, prefixes), one.name, other.name);
}

/// Asserts that a device and a Python peer hold the same records and rows under these prefixes (everything under none).
pub fn assert_equal_to_python(device: &Device, peer: &mut PythonPeer, prefixes: &[&str]) {
    assert_same(&told_by_device(device, prefixes), &told_by_python(peer, prefixes), device.name, "Python");
    assert_same(&rows_of_device(device, prefixes), &rows_of_python(peer, prefixes), device.name, "Python");
}

/// Asserts that a device and a Python peer hold the same records under these prefixes, whatever their rows are.
pub fn assert_equal_records_to_python(device: &Device, peer: &mut PythonPeer, prefixes: &[&str]) {
    assert_same(&told_by_device(device, prefixes), &told_by_python(peer, prefixes), device.name, "Python");
}

/// Asserts that what a receiver says it has is at least what the producer had under these prefixes, for every instance
/// that saved a record there.
pub fn assert_counters_cover(
    receiver: &BTreeSet<(String, String, i64)>,
    producer: &BTreeSet<(String, String, i64)>,
    records: &BTreeMap<String, Told>,
    prefixes: &[&str],
) {
    let writers: BTreeSet<&str> =
        records.values().filter_map(|record| record["last_saved_instance"].as_str()).collect();
    for prefix in prefixes {
        for writer in &writers {
            let had = highest(producer, prefix, writer);
            let has = highest(receiver, prefix, writer);
            assert!(has >= had, "of {writer} under {prefix} the producer has {had}, but the receiver says {has}");
        }
    }
}

/// Asserts that no database max counter has fallen, or gone.
pub fn assert_none_fell(before: &BTreeSet<(String, String, i64)>, after: &BTreeSet<(String, String, i64)>) {
    for (partition, instance, counter) in before {
        let is_kept =
            after.iter().any(|(place, writer, now)| (place, writer) == (partition, instance) && now >= counter);
        assert!(is_kept, "the counter {counter} of {instance} under {partition:?} fell: {after:?}");
    }
}

fn highest(counters: &BTreeSet<(String, String, i64)>, partition: &str, instance: &str) -> i64 {
    counters
        .iter()
        .filter(|(prefix, writer, _)| partition.starts_with(prefix.as_str()) && writer == instance)
        .map(|(_, _, counter)| *counter)
        .max()
        .unwrap_or(0)
}

/// The database max counters of a Python peer.
pub fn counters_of_python(peer: &mut PythonPeer) -> BTreeSet<(String, String, i64)> {
    let Value::Array(entries) = peer.run("dump_counters", json!({})) else { panic!("counters are a list") };
    entries
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            (text("partition"), text("instance_id"), entry["counter"].as_i64().expect("a counter is a number"))
        })
        .collect()
}

/// Every row of a device under these prefixes, as it travels, by id.
pub fn rows_of_device(device: &Device, prefixes: &[&str]) -> BTreeMap<String, Told> {
    let origins: BTreeMap<SyncId, (String, String)> =
        device.store().into_values().map(|record| (record.id, (record.source_id, record.partition))).collect();
    let mut rows = BTreeMap::new();
    macro_rules! gather {
        ($($model:ident from $table:ident),+ $(,)?) => {$(
            let loaded: Vec<$model> =
                over!(&mut device.connection(), connection => $table::table.select($model::as_select()).load(connection))
                    .expect("the rows can be read");
            for row in loaded {
                let (source_id, partition) = origins.get(&row.id()).cloned().unwrap_or_default();
                if is_under(&partition, prefixes) {
                    rows.insert(row.id().to_string(), row_as_told(&row, &source_id, &partition));
                }
            }
        )+};
    }
    gather!(
        Dataset from dataset,
        Facility from facility,
        Classroom from classroom,
        User from user,
        Membership from membership,
        Assignment from assignment,
        ContentLog from contentlog,
        Feedback from feedback,
        Sampler from sampler,
    );
    rows
}

/// Every row of a Python peer under these prefixes, as it travels, by id.
pub fn rows_of_python(peer: &mut PythonPeer, prefixes: &[&str]) -> BTreeMap<String, Told> {
    let mut rows = BTreeMap::new();
    for model in
        ["dataset", "facility", "classroom", "user", "membership", "assignment", "contentlog", "feedback", "sampler"]
    {
        for row in peer.rows(model) {
            if is_under(row["_morango_partition"].as_str().unwrap_or_default(), prefixes) {
                rows.insert(row["id"].as_str().unwrap_or_default().to_owned(), members(row));
            }
        }
    }
    rows
}

fn row_as_told<M: Syncable>(row: &M, source_id: &str, partition: &str) -> Told {
    let text = serialize_row(row, source_id, partition, None);
    members(serde_json::from_str(&text).expect("a row is written as JSON"))
}

/// The members of a row; a member that holds JSON text is compared as that JSON.
pub fn members(row: Value) -> Told {
    let Value::Object(members) = row else { panic!("a row is an object, not {row}") };
    members
        .into_iter()
        .map(|(name, value)| {
            let is_json = matches!(name.as_str(), "extra" | "json");
            let value = match (is_json, value.as_str()) {
                (true, Some(text)) => serde_json::from_str(text).unwrap_or(value),
                _ => value,
            };
            (name, value)
        })
        .collect()
}

fn assert_same(one: &BTreeMap<String, Told>, other: &BTreeMap<String, Told>, one_name: &str, other_name: &str) {
    let differences = differences(one, other, one_name, other_name);
    assert!(differences.is_empty(), "{one_name} and {other_name} differ:\n{}", differences.join("\n"));
}

/// In what two peers differ, a line for each field.
pub fn differences(
    one: &BTreeMap<String, Told>,
    other: &BTreeMap<String, Told>,
    one_name: &str,
    other_name: &str,
) -> Vec<String> {
    let mut differences = Vec::new();
    for id in one.keys().chain(other.keys()).collect::<BTreeSet<_>>() {
        match (one.get(id), other.get(id)) {
            (Some(left), Some(right)) => {
                for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                    let (left, right) = (left.get(name), right.get(name));
                    if left != right {
                        differences.push(format!("{id} {name}: {one_name} {left:?}, {other_name} {right:?}"));
                    }
                }
            }
            (Some(record), None) => differences.push(format!("{id} is on {one_name} alone: {record:?}")),
            (None, Some(record)) => differences.push(format!("{id} is on {other_name} alone: {record:?}")),
            (None, None) => {}
        }
    }
    differences
}
