//! The pure parts alone, without disk and network: what each costs when nothing else does.
//!
//! ```text
//! cargo bench -p morango-tests          how long each case takes
//! cargo xtask bench --instructions      how many instructions, for machines that have something else to do
//! ```
//!
//! For the latter, `--cases` lists the cases, and `--once CASE TIMES` does one of them so often and nothing else.
#![expect(clippy::print_stdout, reason = "a command line program speaks on its standard output")]

use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;

use chrono::{DateTime, Utc};
use morango::counter::{Fsic, RecordMaxCounters, Stamp, difference};
use morango::id::{InstanceId, TransferSessionId};
use morango::model::{Fields, IdRule, Model, serialize_row};
use morango::prelude::*;
use morango::record::{BufferRecord, Gate, StoreRecord, merge, record_id, record_partition};
use morango::scope::Filter;
use morango::wire;
use morango_examples::school::{ContentLog, PROFILE};
use serde_json::json;

/// Records of a chunk, as many as go over at one time.
const CHUNK: u64 = 500;

/// Something that is measured: what is made beforehand, and the work that is done with it.
struct Case {
    name: &'static str,
    prepare: fn() -> Work,
}

type Work = Box<dyn FnMut()>;

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

const CASES: [Case; 10] = [
    Case { name: "merge 500 conflicts", prepare: merge_conflicts },
    Case { name: "look for 10000 partitions in 100 prefixes", prepare: filter_containment },
    Case { name: "compare counters of 2000 partitions", prepare: || compare_counters(2_000) },
    Case { name: "compare counters of 20000 partitions", prepare: || compare_counters(20_000) },
    Case { name: "write counters of 20000 partitions", prepare: write_counters },
    Case { name: "write a chunk of 500 records", prepare: write_chunk },
    Case { name: "read a chunk of 500 records", prepare: read_chunk },
    Case { name: "check 500 records at the gate", prepare: check_records },
    Case { name: "write the fields of 500 rows", prepare: write_fields },
    Case { name: "read the fields of 500 rows", prepare: read_fields },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--cases", ..] => CASES.iter().for_each(|case| println!("{case}")),
        ["--once", name, times, ..] => {
            let case = CASES.iter().find(|case| case.name == *name).expect("a case that `--cases` lists");
            let mut work = (case.prepare)();
            (0..times.parse::<u64>().expect("how often")).for_each(|_| work());
        }
        _ => divan::main(),
    }
}

#[divan::bench(args = &CASES)]
fn pure(bencher: divan::Bencher<'_, '_>, case: &Case) {
    let work = (case.prepare)();
    bencher.bench_local(work);
}

/// Two devices that do not know of each other changed the same records.
fn merge_conflicts() -> Work {
    let pairs: Vec<(StoreRecord, StoreRecord)> =
        (0..CHUNK).map(|number| (record(number, "our laptop"), record(number, "their tablet"))).collect();
    let saved = Stamp::new(InstanceId::hash_of("our laptop"), 8);
    Box::new(move || {
        for (ours, theirs) in &pairs {
            black_box(merge(None, ours, theirs, saved));
        }
    })
}

/// A teacher's device asks for each of the partitions that it meets whether it may see it.
fn filter_containment() -> Work {
    let filter = Filter::new((0..100).map(partition_of)).expect("prefixes of partitions");
    let partitions: Vec<String> = (0..10_000).map(partition_of).collect();
    Box::new(move || {
        let seen = partitions.iter().filter(|partition| filter.contains(partition)).count();
        assert_eq!(black_box(seen), 100);
    })
}

/// A server on which each learner's device has pushed meets one that lacks every tenth of them.
fn compare_counters(partitions: u64) -> Work {
    let filter = Filter::new([dataset().to_string()]).expect("the school's prefix");
    let mut theirs = counters(partitions);
    let lacking: Vec<String> = theirs.sub.keys().step_by(10).cloned().collect();
    for partition in &lacking {
        theirs.sub.remove(partition);
    }
    let ours = counters(partitions);
    Box::new(move || {
        let sender = ours.expand_for_use(&filter).expect("within the filter");
        let receiver = theirs.of_receiver(&filter).expect("within the filter");
        assert_eq!(black_box(difference(&sender, &receiver)).len(), lacking.len());
    })
}

fn write_counters() -> Work {
    let counters = counters(20_000);
    Box::new(move || drop(black_box(counters.to_json())))
}

fn write_chunk() -> Work {
    let (session, records) = (session(), records());
    Box::new(move || {
        let mut body = Vec::new();
        wire::write_chunk(&session, &records, &mut body);
        drop(black_box(body));
    })
}

fn read_chunk() -> Work {
    let mut body = Vec::new();
    wire::write_chunk(&session(), &records(), &mut body);
    Box::new(move || {
        let read = wire::read_chunk(&body).expect("what was just written");
        assert_eq!(black_box(read).len() as u64, CHUNK);
    })
}

/// Each record is given away, so each is copied first; that is a part of what is measured.
fn check_records() -> Work {
    let records = records();
    let filter = Filter::new([dataset().to_string()]).expect("the school's prefix");
    Box::new(move || {
        let gate = Gate { transfer_session_id: session(), profile: PROFILE, filter: &filter };
        for record in &records {
            let checked = BufferRecord::check(&gate, Some(IdRule::Calculated), record.clone());
            black_box(checked.expect("a good record"));
        }
    })
}

fn write_fields() -> Work {
    let rows: Vec<(ContentLog, String)> = (0..CHUNK).map(|number| (row(number), partition_of(number))).collect();
    Box::new(move || {
        for (row, partition) in &rows {
            black_box(serialize_row(row, "a source id", partition, None));
        }
    })
}

fn read_fields() -> Work {
    let texts: Vec<(SyncId, String)> = (0..CHUNK).map(row).map(|row| (row.id, serialized(&row, ""))).collect();
    Box::new(move || {
        for (id, text) in &texts {
            let fields = Fields::parse(text).expect("an object");
            drop(black_box(ContentLog::read_fields(*id, &fields).expect("every field is there")));
        }
    })
}

fn dataset() -> SyncId {
    SyncId::hash_of("dataset")
}

fn session() -> TransferSessionId {
    TransferSessionId::hash_of("session")
}

fn learner(number: u64) -> SyncId {
    SyncId::hash_of(&format!("learner {number}"))
}

fn partition_of(number: u64) -> String {
    format!("{}:user-rw:{}", dataset(), learner(number))
}

/// One counter of one device in each partition.
fn counters(partitions: u64) -> Fsic {
    let counter = |number: u64| {
        let device = InstanceId::hash_of(&format!("device {number}"));
        (partition_of(number), BTreeMap::from([(device, 3)]))
    };
    Fsic { sub: (0..partitions).map(counter).collect(), super_: BTreeMap::new() }
}

fn row(number: u64) -> ContentLog {
    ContentLog {
        id: SyncId::hash_of(&format!("log {number}")),
        dataset_id: dataset(),
        user_id: learner(number % 100),
        content: format!("a piece of content with number {number}"),
        progress: 0.5,
        seconds: 7,
        started: DateTime::<Utc>::UNIX_EPOCH,
        extra: json!({"attempts": number % 7, "answers": ["a", "b", "c"], "note": "as long as such things are"}),
    }
}

fn serialized(row: &ContentLog, partition: &str) -> String {
    serialize_row(row, "a source id", partition, None)
}

fn records() -> Vec<StoreRecord> {
    (0..CHUNK).map(|number| record(number, "a device")).collect()
}

/// A record as this device saved it last.
fn record(number: u64, device: &str) -> StoreRecord {
    let last_saved = Stamp::new(InstanceId::hash_of(device), 7);
    let mut counters = RecordMaxCounters::new();
    counters.raise(Stamp::new(InstanceId::hash_of("whoever made it"), 1));
    counters.raise(last_saved);
    let source_id = format!("{number:032x}");
    let template = partition_of(number % 100);
    let id = record_id(&template, &source_id, "contentlog");
    let partition = record_partition(&template, &id);
    let row = ContentLog { id, content: format!("changed by {device}"), ..row(number) };
    StoreRecord {
        id,
        profile: PROFILE.to_owned(),
        model_name: "contentlog".to_owned(),
        serialized: serialized(&row, &partition),
        partition,
        source_id,
        conflicting_serialized_data: String::new(),
        deleted: false,
        hard_deleted: false,
        last_saved,
        self_ref_fk: String::new(),
        counters,
    }
}
