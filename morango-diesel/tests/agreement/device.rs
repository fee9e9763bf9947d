//! A device of any kind: what its application does is its own, what its engine does is verbs of the port.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use chrono::{DateTime, TimeDelta, Utc};
use morango::counter::{DatabaseMaxCounters, Fsic, Instances, PartitionCounters, RecordMaxCounters, Stamp};
use morango::id::{CertificateId, DatabaseId, InstanceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Instance, SystemFacts};
use morango::port::{
    DeserializeOrder, FailedBefore, Forgetting, Papers, Progress, ReceivedChunk, Renewal, Storage, Unsent, WaitingKind,
    WaitingRecords,
};
use morango::record::{BufferRecord, Conflict, Gate, Resolution, StoreRecord, record_id};
use morango::scope::{Filter, Reach};
use morango::session::{Direction, Side, SyncSession, TransferSession};

use crate::library::{BOOKS, PROFILE, book, book_id, note_id, owner_of, shelf, shelf_id};
use crate::steps::{Edit, End, Foreign, Step, What};

/// Records that go over at a time.
const CHUNK_RECORDS: usize = 3;

/// One device.
pub(crate) trait Device {
    fn storage(&self) -> &dyn Storage;

    /// What the application does; whether its tables allow it.
    fn edit(&mut self, edit: &Edit) -> bool;

    /// Every row, under its model and id.
    fn rows(&mut self) -> BTreeMap<String, String>;

    /// Every database max counter, under its partition and instance.
    fn claims(&mut self) -> BTreeMap<(String, String), i64>;

    /// This instance's counter.
    fn counter(&mut self) -> i64;
}

/// What a device holds, as far as another kind of device must hold the same.
#[derive(Debug, PartialEq)]
pub(crate) struct Holdings {
    counter: i64,
    records: Vec<StoreRecord>,
    rows: BTreeMap<String, String>,
    waiting: Vec<Waits>,
    dropped: Vec<Waits>,
    claims: BTreeMap<(String, String), i64>,
    unclaimed: PartitionCounters,
    conflicts: Vec<SyncId>,
    /// Of the instances with records, and of all.
    fsics: [Fsic; 2],
}

/// A record that waits, but for the words of its reason.
#[derive(Debug, PartialEq)]
struct Waits {
    model: String,
    id: SyncId,
    kind: WaitingKind,
    since: Option<DateTime<Utc>>,
    is_deleted: bool,
    transfer: Option<TransferSessionId>,
}

impl Holdings {
    pub(crate) fn of(device: &mut dyn Device) -> Self {
        let storage = device.storage();
        let everything = Filter::everything();
        let mut records = Vec::new();
        let mut keep = |record| {
            records.push(record);
            Ok(())
        };
        storage.for_each_record(PROFILE, &everything, &mut keep).expect("the records");
        let all = || WaitingRecords::of(PROFILE);
        let conflicts = storage.conflicts(PROFILE, &everything, None, 1_000).expect("the conflicts");
        let waiting = waits(storage, &all());
        let dropped = waits(storage, &all().dropped());
        let unclaimed = storage.unclaimed(&everything).expect("what is unclaimed");
        let fsics = [Instances::WithRecords, Instances::All]
            .map(|instances| storage.fsic(PROFILE, &everything, instances).expect("the counters"));
        let conflicts = conflicts.into_iter().map(|record| record.id).collect();
        let (counter, rows, claims) = (device.counter(), device.rows(), device.claims());
        Self { counter, records, rows, waiting, dropped, claims, unclaimed, conflicts, fsics }
    }

    /// In what this differs from what the law holds; nothing where it does not.
    pub(crate) fn difference(&self, law: &Self) -> Option<String> {
        fn differ<T: std::fmt::Debug + PartialEq>(what: &str, found: &T, law: &T) -> Option<String> {
            (found != law).then(|| format!("{what}\n  found {found:?}\n  law   {law:?}"))
        }
        let ids = |holdings: &Self| holdings.records.iter().map(|record| record.id).collect::<Vec<_>>();
        differ("the ids of the records", &ids(self), &ids(law))
            .or_else(|| {
                let mut pairs = self.records.iter().zip(&law.records);
                pairs.find_map(|(found, law)| differ("a record", found, law))
            })
            .or_else(|| differ("the rows", &self.rows, &law.rows))
            .or_else(|| differ("what waits", &self.waiting, &law.waiting))
            .or_else(|| differ("what was dropped", &self.dropped, &law.dropped))
            .or_else(|| differ("the counter", &self.counter, &law.counter))
            .or_else(|| differ("the database max counters", &self.claims, &law.claims))
            .or_else(|| differ("what is unclaimed", &self.unclaimed, &law.unclaimed))
            .or_else(|| differ("the conflicts", &self.conflicts, &law.conflicts))
            .or_else(|| differ("the counters that are told", &self.fsics, &law.fsics))
    }
}

fn waits(storage: &dyn Storage, which: &WaitingRecords) -> Vec<Waits> {
    let page = storage.waiting(which, None, 1_000).expect("what waits");
    let records = page.records.into_iter().map(|record| Waits {
        model: record.model,
        id: record.id,
        kind: record.kind,
        since: record.since,
        is_deleted: record.is_deleted,
        transfer: record.source.map(|source| source.transfer_session),
    });
    records.collect()
}

/// The instance that the device of this number is, whatever its kind.
pub(crate) fn instance(number: usize) -> Instance {
    let name = format!("device {number}");
    Instance::derive(DatabaseId::hash_of(&name), name, &SystemFacts::default())
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The time of a step.
fn time(number: usize) -> DateTime<Utc> {
    let start = DateTime::from_timestamp_millis(1_700_000_000_000).expect("a time");
    start + TimeDelta::seconds(i64::try_from(number).expect("a short history"))
}

/// Lives through one step, and tells what was answered. `number` is the step's place in the history.
pub(crate) fn live(devices: &mut [Box<dyn Device>], number: usize, step: &Step) -> String {
    match step {
        Step::Edit { on, edit } => format!("{}", devices[*on].edit(edit)),
        Step::Serialize { on, under } => serialize(devices[*on].storage(), &under.filter()),
        Step::Transfer { from, to, under, end } => {
            let (from, to) = (devices[*from].storage(), devices[*to].storage());
            transfer(from, to, number, &under.filter(), *end)
        }
        Step::Deserialize { on, under, skips_failed } => {
            let failed_before = if *skips_failed { FailedBefore::Skip } else { FailedBefore::TryAgain };
            deserialize(devices[*on].storage(), number, &under.filter(), failed_before)
        }
        Step::Receive { on, foreign } => receive(devices[*on].storage(), number, foreign),
        Step::WaitAgain { on } => {
            format!("{:?}", devices[*on].storage().wait_again(&WaitingRecords::of(PROFILE).dropped()).expect("waits"))
        }
        Step::DropWaiting { on } => {
            let which = WaitingRecords::of(PROFILE).kind(WaitingKind::Constraint);
            format!("{:?}", devices[*on].storage().drop_waiting(&which).expect("it is dropped"))
        }
        Step::Forget { on, loses_unsent } => {
            forget(devices[*on].storage(), number, if *loses_unsent { Unsent::Lost } else { Unsent::Refused })
        }
        Step::Resolve { on, takes_theirs } => resolve(devices[*on].storage(), *takes_theirs),
    }
}

fn serialize(storage: &dyn Storage, filter: &Filter) -> String {
    let report = storage.serialize(PROFILE, filter, &go_on).expect("it serializes");
    let mut set_aside: Vec<String> = report.set_aside.into_iter().map(|row| row.id).collect();
    set_aside.sort();
    format!("{} {} {} {} {set_aside:?}", report.new, report.updated, report.deleted, report.conflicts)
}

fn deserialize(storage: &dyn Storage, number: usize, filter: &Filter, failed_before: FailedBefore) -> String {
    let order = DeserializeOrder { profile: PROFILE, filter, failed_before, now: time(number) };
    let mut report = storage.deserialize(&order, &go_on).expect("it deserializes");
    report.failures.sort_by_key(|failure| failure.id);
    let failures: Vec<_> = report.failures.iter().map(|failure| (&failure.model, failure.id, failure.kind)).collect();
    format!(
        "written {} deleted {} conflicts {} skipped {} unknown {} failures {} {failures:?}",
        report.written, report.deleted, report.conflicts, report.skipped, report.unknown_models, report.failures_total
    )
}

fn transfer(from: &dyn Storage, to: &dyn Storage, number: usize, filter: &Filter, end: End) -> String {
    // As the engine does before anything leaves.
    let saved_anew = from.save_what_gave_way(PROFILE, filter).expect("it is saved");
    let mut told = vec![format!("saved anew {saved_anew}"), serialize(from, filter), serialize(to, filter)];
    let mut session = session(to, number, Side::Client, filter);
    let theirs = self::session(from, number, Side::Server, filter);
    session.server_fsic = from.fsic(PROFILE, filter, Instances::WithRecords).expect("the producer's counters").into();
    session.client_fsic = to.fsic(PROFILE, filter, Instances::All).expect("the receiver's counters").into();
    let had = session.client_fsic.fsic().expect("good counters").of_receiver(filter).expect("within the filter");
    let total = from.queue(&theirs, &had).expect("it queues");
    let chunks_max = match end {
        End::Cut { chunks } => usize::from(chunks),
        End::Dequeued | End::Deserialized => usize::MAX,
    };
    let mut offset = 0;
    let mut chunks = 0;
    while chunks < chunks_max && offset < total {
        let chunk = from.queued_chunk(&theirs.id, offset, CHUNK_RECORDS).expect("a chunk");
        assert_eq!(chunk.total, total);
        let ids: Vec<SyncId> = chunk.records.iter().map(|record| record.id).collect();
        note_unclaimed(to, &session, &chunk.records, offset);
        // The answer to a chunk is lost, and it comes twice.
        for _ in 0..2 {
            let transferred = take(to, &session, offset, &chunk.records);
            told.push(format!("{transferred} of {total}: {ids:?}"));
        }
        offset += chunk.records.len() as u64;
        chunks += 1;
    }
    if !matches!(end, End::Cut { .. }) {
        told.push(format!("{:?}", to.dequeue(&session, &writable(number), &go_on).expect("it dequeues")));
        // As the engine notes who has what.
        from.note_handed_over(&session.completed_by().expect("good counters")).expect("it is noted");
        from.note_handed_over(&session.client_fsic.fsic().expect("good counters").under(filter)).expect("it is noted");
        to.note_handed_over(&session.server_fsic.fsic().expect("good counters").under(filter)).expect("it is noted");
    }
    if matches!(end, End::Deserialized) {
        told.push(deserialize(to, number, filter, FailedBefore::TryAgain));
    }
    for (storage, session) in [(to, &session), (from, &theirs)] {
        storage.clean_up(&session.id, time(number)).expect("it cleans up");
    }
    told.join("\n")
}

/// What a receiver may write in this step: all, the books, or nothing.
fn writable(number: usize) -> Reach {
    match number % 4 {
        0 => Reach::Nothing,
        1 => Reach::Within(Filter::new([BOOKS]).expect("a prefix")),
        _ => Reach::everything(),
    }
}

/// All books are taken off, and the device is the instance of this step from then on.
fn forget(storage: &dyn Storage, number: usize, unsent: Unsent) -> String {
    let successor = |database_id| Instance {
        id: InstanceId::hash_of(&format!("instance of step {number}")),
        database_id,
        ..instance(number)
    };
    let renewal = Renewal { successor: &successor, now: time(number), unless_since: None };
    let root: CertificateId = BOOKS.parse().expect("an id");
    match storage.forget(&Forgetting { profile: PROFILE, root, papers: Papers::Kept, unsent, renewal }) {
        Ok(it) => format!(
            "forgot {} rows, {} records, unsent {}, restamped {}",
            it.rows, it.records, it.unsent, it.renewed.restamped
        ),
        Err(error) => format!("forgets nothing: {:?}", error.kind()),
    }
}

/// As the engine notes what the store is about to hold without a claim.
fn note_unclaimed(storage: &dyn Storage, session: &TransferSession, records: &[StoreRecord], offset: u64) {
    let mut unclaimed = DatabaseMaxCounters::new();
    if offset == 0 {
        unclaimed.raise_all(&session.completed_by().expect("good counters"));
    }
    for record in records.iter().filter(|record| {
        !session.server_fsic.fsic().expect("good counters").covers(&record.partition, record.last_saved)
    }) {
        unclaimed.raise(&record.partition, record.last_saved);
    }
    storage.note_unclaimed(unclaimed.partitions()).expect("it is noted");
}

fn take(storage: &dyn Storage, session: &TransferSession, offset: u64, records: &[StoreRecord]) -> u64 {
    let gate = Gate { transfer_session_id: session.id, profile: PROFILE, filter: &session.filter };
    let check = |record: &StoreRecord| BufferRecord::check(&gate, None, record.clone()).expect("it passes the gate");
    let records: Vec<BufferRecord> = records.iter().map(check).collect();
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(SyncId::hash_of(&offset.to_string()).as_bytes());
    let chunk = ReceivedChunk {
        session: &session.id,
        offset: Some(offset),
        digest: &digest,
        records: &records,
        rejections: &[],
        received_at: session.started_at,
    };
    // Some chunks are put aside first, and some of those are left to dequeuing.
    let asides = SyncId::hash_of(&format!("{} {offset}", records.len())).as_bytes()[0] % 3;
    let aside = (asides > 0).then(|| storage.buffer_chunk(&chunk).expect("it is put aside"));
    match aside {
        Some(transferred) if asides == 2 => transferred,
        _ => storage.receive_chunk(&chunk).expect("it is kept"),
    }
}

/// Records of a stranger come in one chunk, and are merged.
fn receive(storage: &dyn Storage, number: usize, foreign: &[Foreign]) -> String {
    let session = session(storage, number, Side::Client, &Filter::everything());
    let records: Vec<StoreRecord> = foreign.iter().map(|foreign| foreign_record(foreign, number)).collect();
    note_unclaimed(storage, &session, &records, 0);
    take(storage, &session, 0, &records);
    let dequeued = storage.dequeue(&session, &writable(number), &go_on).expect("it dequeues");
    storage.clean_up(&session.id, time(number)).expect("it cleans up");
    format!("{dequeued:?}")
}

fn foreign_record(foreign: &Foreign, number: usize) -> StoreRecord {
    let saved = Stamp::new(InstanceId::hash_of("stranger"), i64::try_from(number).expect("a short history") + 1);
    let of_book = |key: u8| (book_id(key), "book", format!("{BOOKS}:{}", owner_of(key)), format!("b{key}"));
    let of_shelf = |key: u8| (shelf_id(key), "shelf", "lib:shelves".to_owned(), format!("s{key}"));
    let of_note = |key: u8| (note_id(key), "note", "lib:notes".to_owned(), format!("n{key}"));
    let mut parent = None;
    let ((id, model_name, partition, source_id), serialized) = match foreign {
        Foreign::Malformed { book } => (of_book(*book), "no json".to_owned()),
        Foreign::Incomplete { book } => (of_book(*book), "{}".to_owned()),
        Foreign::UnknownModel { key } => {
            let source_id = format!("p{key}");
            (
                (record_id("lib:papers", &source_id, "paper"), "paper", "lib:papers".to_owned(), source_id),
                "{}".to_owned(),
            )
        }
        Foreign::Shelf { key, parent: above } => {
            parent = above.map(shelf_id);
            (of_shelf(*key), crate::library::row_text(&shelf(*key, 9, *above)).1)
        }
        Foreign::Book { key, shelf, title } => (of_book(*key), crate::library::row_text(&book(*key, *shelf, *title)).1),
        Foreign::Deleted { what, key, .. } => match what {
            What::Shelf => (of_shelf(*key), "{}".to_owned()),
            What::Book => (of_book(*key), "{}".to_owned()),
            What::Note => (of_note(*key), "{}".to_owned()),
        },
    };
    StoreRecord {
        id,
        profile: PROFILE.to_owned(),
        model_name: model_name.to_owned(),
        partition,
        source_id,
        serialized,
        conflicting_serialized_data: String::new(),
        deleted: matches!(foreign, Foreign::Deleted { .. }),
        hard_deleted: matches!(foreign, Foreign::Deleted { is_hard: true, .. }),
        last_saved: saved,
        self_ref_fk: parent.map(|id| id.to_string()).unwrap_or_default(),
        counters: RecordMaxCounters::from_stamps([saved]).expect("good counters"),
    }
}

fn resolve(storage: &dyn Storage, takes_theirs: bool) -> String {
    let mut found = storage.conflicts(PROFILE, &Filter::everything(), None, 1).expect("the conflicts");
    let Some(conflict) = found.pop().and_then(Conflict::of) else { return "no conflict".to_owned() };
    let resolution = if takes_theirs { Resolution::TakeTheirs(0) } else { Resolution::KeepOurs };
    let Ok(content) = conflict.content_of(&resolution) else { return "no content".to_owned() };
    let outcome = storage.resolve_conflict(&conflict.id, &conflict.last_saved, content.as_deref());
    format!("{:?}", outcome.map_err(|error| error.kind()))
}

/// A sync session and in it a transfer session, whose ids follow from the step.
fn session(storage: &dyn Storage, number: usize, side: Side, filter: &Filter) -> TransferSession {
    let certificate = CertificateId::hash_of("certificate");
    let name = format!("{number} {side:?}");
    let (id, now) = (SyncSessionId::hash_of(&name), time(number));
    let sync = SyncSession::begin(id, side, PROFILE, (certificate, certificate), now);
    storage.create_sync_session(&sync).expect("a sync session");
    let id = TransferSessionId::hash_of(&name);
    let transfer = TransferSession::begin(&sync, id, Direction::Pull, filter.clone(), now);
    storage.create_transfer_session(&transfer).expect("a transfer session")
}
