//! Several programs on one database at once, a server that goes away, and one that is slow.

use std::sync::Barrier;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use morango::ErrorKind;
use morango::id::{CertificateId, InstanceId, SyncId};
use morango::identity::Instance;
use morango::port::{Forgetting, Papers, Renewal, Storage as _, Unsent, WaitingKind, WaitingRecords};
use morango::record::StoreRecord;
use morango::scope::{Filter, Reach};
use morango_diesel::{PostgresStorage, Syncable as _};

use super::database::Database;
use super::library;
use super::notebook::{CREATE_TABLES, Device, Photo, go_on, instance, registry};

#[test]
fn programs_that_start_at_one_time_make_one_set_of_tables() {
    let database = Database::new();
    database.run_elsewhere(&[CREATE_TABLES]);
    let storages: Vec<_> = (0..4).map(|_| database.open()).collect();
    let start = Barrier::new(storages.len());
    std::thread::scope(|scope| {
        for (number, storage) in storages.iter().enumerate() {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                storage.prepare(&registry()).expect("prepare");
                storage.database_id().expect("an id");
                storage.adopt_instance(&instance(&format!("device {number}"))).expect("adopt");
            });
        }
    });
    let ids: Vec<_> = storages.iter().map(|storage| storage.database_id().expect("an id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    storages[0].serialize("notebook", &Filter::everything(), &go_on).expect("exactly one instance is current");
}

#[test]
fn programs_that_serialize_at_one_time_lose_nothing_and_use_no_count_twice() {
    let mut device = Device::new();
    let storages: Vec<_> = (0..4)
        .map(|_| {
            let storage = device.database.open();
            storage.prepare(&registry()).expect("prepare");
            storage
        })
        .collect();
    for round in 0..5 {
        let photos = (0..300).map(|number| Photo { id: SyncId::unset(), name: format!("photo {round} {number}") });
        Photo::create_many(photos, &mut device.connection).expect("create many");
        let new: u64 = std::thread::scope(|scope| {
            let serializing: Vec<_> = storages
                .iter()
                .map(|storage| scope.spawn(|| storage.serialize("notebook", &Filter::everything(), &go_on)))
                .collect();
            serializing.into_iter().map(|it| it.join().expect("no panic").expect("serialize").new).sum()
        });
        assert_eq!(new, 300);
    }
    assert_eq!(device.records().len(), 1_500);
    assert!(device.marks().is_empty());
    let claimed = device.number("SELECT counter FROM morango_database_max_counter WHERE partition = ''");
    assert_eq!(claimed, device.counter());
    assert!(device.number("SELECT max(last_saved_counter) FROM morango_store") <= claimed);
}

/// What the application does with a book while the engine writes it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Act {
    Change,
    Delete,
    Insert,
}

impl Act {
    /// Each third book is changed, each third deleted, and each third inserted that was not there.
    fn on(number: usize) -> Self {
        [Self::Change, Self::Delete, Self::Insert][number % 3]
    }

    /// Does it, and says whether there was anything to do.
    fn run(self, application: &mut PgConnection, book: &StoreRecord, stands_on: SyncId, blurb: &str) -> bool {
        use library::books::dsl;

        let at = dsl::books.find(book.id);
        let done = match self {
            Self::Change => diesel::update(at).set(dsl::blurb.eq(blurb)).execute(application),
            Self::Delete => diesel::delete(at).execute(application),
            Self::Insert => diesel::insert_into(dsl::books)
                .values((
                    dsl::id.eq(book.id),
                    dsl::shelf_id.eq(stands_on),
                    dsl::owner.eq("ada"),
                    dsl::title.eq(&book.source_id),
                    dsl::blurb.eq(blurb),
                ))
                .on_conflict_do_nothing()
                .execute(application),
        };
        done.expect("the application is never refused") == 1
    }
}

/// The book as the other device has it next, whatever became of it here.
fn their_next(device: &library::Device, book: &StoreRecord, counter: i64) -> StoreRecord {
    library::changed(&device.record(book.id), counter, |record| {
        record.serialized = book.serialized.replace("null", &format!("\"theirs {counter}\""));
        record.deleted = false;
    })
}

/// The row that the engine is about to write is changed, deleted or inserted by the application at every moment around it.
#[test]
fn a_change_that_the_application_makes_while_records_become_rows_is_never_lost() {
    let mut device = library::Device::new("laptop");
    let shelf = library::foreign_shelf("fiction", None);
    let books: Vec<_> = (0..60).map(|number| library::foreign_book(&number.to_string(), shelf.id)).collect();
    device.dequeue(books.iter().cloned().chain([shelf.clone()]).collect());
    device.deserialize();
    let mut application = device.storage.connect().expect("a connection of the application");
    let serialize = |device: &library::Device| {
        device.storage.serialize(library::PROFILE, &Filter::everything(), &library::go_on).expect("serialize");
    };
    for round in 1..12 {
        for (_, book) in books.iter().enumerate().filter(|(number, _)| Act::on(*number) == Act::Insert) {
            Act::Delete.run(&mut device.connection, book, shelf.id, "");
        }
        serialize(&device);
        device.dequeue(books.iter().map(|book| their_next(&device, book, round * 2)).collect());
        let (ours, theirs) = (format!("ours {round}"), format!("theirs {}", round * 2));
        let did: Vec<bool> = std::thread::scope(|scope| {
            let acting = scope.spawn(|| {
                let act = |(number, book)| Act::on(number).run(&mut application, book, shelf.id, &ours);
                books.iter().enumerate().map(act).collect()
            });
            assert_eq!(device.deserialize().failures_total, 0);
            acting.join().expect("no panic")
        });
        serialize(&device);
        for (number, book) in books.iter().enumerate() {
            let record = device.record(book.id);
            let row = library::books::table.find(book.id).select(library::books::blurb);
            let row: Option<Option<String>> = row.first(&mut device.connection).optional().expect("look for the row");
            let expected = match (Act::on(number), did[number]) {
                (Act::Delete, _) => None,
                (Act::Change, _) | (Act::Insert, true) => Some(&ours),
                (Act::Insert, false) => Some(&theirs),
            };
            assert_eq!(row.flatten().as_ref(), expected, "round {round}, book {number}: what was done last stays");
            assert_eq!(record.deleted, expected.is_none(), "round {round}, book {number}: {record:?}");
            assert!(expected.is_none_or(|text| record.serialized.contains(text)), "round {round}: {record:?}");
        }
        // All of them are there again for the next round.
        device.dequeue(books.iter().map(|book| their_next(&device, book, round * 2 + 1)).collect());
        device.deserialize();
    }
}

#[test]
fn clients_that_push_at_one_time_are_all_taken_in() {
    let device = library::Device::new("server");
    let filter = Filter::everything();
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (session, storage, filter) = (device.receiving(&filter), device.storage.clone(), &filter);
            scope.spawn(move || {
                let shelf = library::foreign_shelf(&format!("shelf {client}"), None);
                let books = (0..200).map(|number| library::foreign_book(&format!("{client} {number}"), shelf.id));
                // One record that all of them send.
                let common = library::foreign_shelf("common", None);
                super::transfers::take(&storage, &session, books.chain([shelf.clone(), common]).collect());
                storage.dequeue(&session, &Reach::everything(), &library::go_on).expect("dequeue");
                storage.deserialize(&library::order(filter), &library::go_on).expect("deserialize");
            });
        }
    });
    device.deserialize();
    assert_eq!(device.records().len(), 8 * 201 + 1);
    let mut device = device;
    assert_eq!(device.titles().len(), 8 * 200);
    assert_eq!(device.number("SELECT count(*) FROM morango_store WHERE is_dirty = 1"), 0);
}

/// Lets others run until somebody waits for a lock in this database, or the work is done without waiting.
fn until_it_waits<T>(storage: &PostgresStorage, work: &std::thread::ScopedJoinHandle<'_, T>) {
    #[derive(QueryableByName)]
    struct Waiting {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    let mut connection = storage.connect().expect("another connection");
    let waiting = "SELECT count(*) AS number FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while !work.is_finished() {
        let found = diesel::sql_query(waiting).get_result::<Waiting>(&mut connection).expect("a number");
        if found.number > 0 {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_sync_session_that_is_being_opened_is_not_overlooked_by_whoever_forgets_its_root() {
    let device = Device::new();
    let root = CertificateId::random();
    device.database.run_elsewhere(&[&format!(
        "INSERT INTO morango_certificate (id, profile, scope_definition, serialized, signature)
         VALUES ('{root}', 'notebook', '', '', '')"
    )]);
    let mut other = device.database.plain_connection();
    let opening = format!(
        "BEGIN; INSERT INTO morango_sync_session (id, side, profile, client_certificate, server_certificate,
             client_instance_json, server_instance_json, connection_path, client_ip, server_ip, capabilities, started_at,
             last_activity_at, is_active)
         VALUES ('{root}', 'server', 'notebook', '{root}', '{root}', '{{}}', '{{}}', '', '', '', '', 1, 1, 1)"
    );
    other.batch_execute(&opening).expect("it is being opened");
    let forgotten = std::thread::scope(|scope| {
        let storage = device.storage.clone();
        let forgetting = scope.spawn(move || {
            let successor = |id| Instance { id: InstanceId::random(), database_id: id, ..instance("the next") };
            let renewal = Renewal { successor: &successor, now: chrono::Utc::now(), unless_since: None };
            let (papers, unsent) = (Papers::Kept, Unsent::Refused);
            storage.forget(&Forgetting { profile: "notebook", root, papers, unsent, renewal })
        });
        until_it_waits(&device.storage, &forgetting);
        other.batch_execute("COMMIT").expect("the session is open");
        forgetting.join().expect("no panic")
    });
    let error = forgotten.expect_err("a session of it is open");
    assert_eq!(error.kind(), ErrorKind::SessionConflict, "{}", error.report());
}

#[test]
fn what_was_settled_or_replaced_meanwhile_is_not_dropped() {
    for settled in ["is_dirty = 0, row_serialized = NULL", "last_saved_counter = last_saved_counter + 1"] {
        let mut device = library::Device::new("laptop");
        device.dequeue(vec![library::foreign_book("Emma", library::foreign_shelf("fiction", None).id)]);
        let which = WaitingRecords::of(library::PROFILE);
        let mut other = device.storage.connect().expect("another connection");
        other.batch_execute(&format!("BEGIN; UPDATE morango_store SET {settled}")).expect("somebody is at it");
        let dropped = std::thread::scope(|scope| {
            let (storage, which) = (device.storage.clone(), &which);
            let dropping = scope.spawn(move || storage.drop_waiting(which));
            until_it_waits(&device.storage, &dropping);
            other.batch_execute("COMMIT").expect("it is done");
            dropping.join().expect("no panic")
        });
        assert_eq!(dropped.expect("it is asked to"), 0, "{settled}");
        assert_eq!(device.number("SELECT count(*) FROM morango_store WHERE is_dirty = 2"), 0, "{settled}");
    }
}

#[test]
fn a_lock_that_another_holds_makes_the_database_busy_after_the_timeout() {
    let device = Device::new();
    let storage = PostgresStorage::builder(device.database.url());
    let storage = storage.lock_timeout(Duration::from_millis(150)).open().expect("open it");
    let mut other = device.database.plain_connection();
    other.batch_execute("BEGIN; LOCK TABLE morango_fact").expect("another holds it");
    let error = storage.renew_database_id().expect_err("it is busy");
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{}", error.report());
    assert!(error.is_retryable() && error.hint().is_some());
    other.batch_execute("COMMIT").expect("the other is done");
    storage.renew_database_id().expect("now it goes on");
}

#[test]
fn connections_that_were_cut_are_thrown_away_and_others_made() {
    let device = Device::new();
    device.storage.database_id().expect("a connection is in the pool");
    device.database.run_elsewhere(&[
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    ]);
    // The first call may meet the dead connection; it says so, and that it is worth another try.
    if let Err(error) = device.storage.database_id() {
        assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{}", error.report());
        assert!(error.is_retryable(), "{}", error.report());
    }
    device.storage.database_id().expect("a new connection");
}

#[test]
fn a_server_that_is_not_there_is_told_without_the_password() {
    let error = PostgresStorage::open("postgres://ada:secret@127.0.0.1:1/school").expect_err("nobody listens there");
    assert_eq!(error.kind(), ErrorKind::StorageUnavailable, "{}", error.report());
    assert!(error.is_retryable() && error.hint().is_some(), "{}", error.report());
    assert!(error.report().contains("127.0.0.1:1/school") && !error.report().contains("secret"), "{}", error.report());
}

#[test]
fn the_same_transfer_is_taken_up_by_whoever_comes_second() {
    let device = library::Device::new("server");
    let filter = Filter::everything();
    let mut template = device.receiving(&filter);
    device.storage.clean_up(&template.id, library::time()).expect("closed");
    let start = Barrier::new(4);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let created: Vec<_> = (0..4)
            .map(|_| {
                template.id = morango::id::TransferSessionId::random();
                let (session, storage, start) = (template.clone(), device.storage.clone(), &start);
                scope.spawn(move || {
                    start.wait();
                    storage.create_transfer_session(&session).expect("one or the other").id
                })
            })
            .collect();
        created.into_iter().map(|it| it.join().expect("no panic")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

/// The application puts one shelf within another, and a peer that other one within the first.
#[test]
fn a_ring_that_the_application_and_a_peer_close_together_waits() {
    let mut device = library::Device::new("laptop");
    let [inner, outer] = ["inner", "outer"].map(|name| library::foreign_shelf(name, None));
    device.dequeue(vec![inner.clone(), outer.clone()]);
    assert_eq!(device.deserialize().written, 2);
    device.dequeue(vec![library::moved(&outer, 2, Some(inner.id))]);
    let mut other = device.storage.connect().expect("another connection");
    let statement = format!("BEGIN; UPDATE shelves SET parent_id = '{}' WHERE id = '{}'", outer.id, inner.id);
    other.batch_execute(&statement).expect("somebody is at it");

    let report = std::thread::scope(|scope| {
        let storage = device.storage.clone();
        let everything = Filter::everything();
        let deserializing = scope
            .spawn(move || storage.deserialize(&library::order(&everything), &library::go_on).expect("it is done"));
        until_it_waits(&device.storage, &deserializing);
        other.batch_execute("COMMIT").expect("it is done");
        deserializing.join().expect("no panic")
    });

    assert_eq!(library::kinds(&report.failures), [WaitingKind::Cycle], "{report:?}");
    let parents: Vec<Option<SyncId>> =
        device.all::<library::Shelf>().into_iter().map(|shelf| shelf.parent_id).collect();
    assert!(parents.contains(&None) && parents.contains(&Some(outer.id)), "{parents:?}");
}
