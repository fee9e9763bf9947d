//! Databases that are locked by another, or fail, on the side of the server or on that of the client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use morango::prelude::*;
use morango_tests::database::{Database, Hold};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::proxy::Proxy;

use super::papers::Papers;
use super::school::{School, failure, holding, member};
use super::visitor::assert_refused;

/// How long a statement waits for a lock in these stories.
const PATIENCE: Duration = Duration::from_millis(30);

/// What locks a device's database against writers, as another program would. Readers go on.
fn locking(device: &Device) -> impl Fn() -> Hold + Send + Sync + use<> {
    let (kind, take) = (device.kind(), device.holder());
    move || match kind {
        Database::Sqlite => take("BEGIN IMMEDIATE"),
        Database::Postgres => take(
            "BEGIN; DO $$ BEGIN EXECUTE (
                 SELECT format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', string_agg(quote_ident(tablename), ', '))
                 FROM pg_tables WHERE schemaname = current_schema()
             ); END $$",
        ),
    }
}

#[test]
fn a_server_whose_database_is_locked_asks_for_patience() {
    let mut school = School::open();
    school.city.be_patient_for(PATIENCE);
    school.url = school.city.serve(SchoolAccounts::admin());
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1);
    let request = visitor.session_request();
    let record = visitor.record(&push, &filter, "while it is locked");
    let lock = locking(&school.city)();
    for answer in [
        visitor.send(morango_tests::http::Request::new("POST", "nonces/")),
        visitor.post("syncsessions/", &request),
        visitor.push(std::slice::from_ref(&record)),
        visitor.delete(&format!("transfersessions/{push}/")),
    ] {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 503, "{text}");
        assert_eq!(answer.value()["code"], "storage-busy");
        assert!(!text.contains("school.db") && !text.contains('/'), "nothing of this machine is told: {text}");
    }
    assert_eq!(visitor.get("morangoinfo/1/").status, 200, "what needs no writing goes on");
    assert_eq!(visitor.get(&format!("transfersessions/{push}/")).status, 200);

    let home = member("home");
    let before = holding(&home);
    let error = failure(&home, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::PeerRefused, "{error:?}");
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(holding(&home), before);

    lock.commit();
    assert_eq!(visitor.push(&[record]).status, 201, "the same calls go well now");
    visitor.finish_push(&push);
    assert_eq!(visitor.post("syncsessions/", &request).status, 201, "and the nonce was not used up");
    school.assert_syncs(&home);
}

#[test]
fn a_client_whose_database_is_locked_loses_nothing() {
    let school = School::open();
    let mut home = school.synced_member("home");
    home.be_patient_for(PATIENCE);
    let class = school.add_class(&home, "waits");
    let lock = locking(&home)();
    let error = failure(&home, &school.url, SyncOptions::both_ways());
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{error:?}");
    assert!(error.is_retryable());
    lock.commit();
    home.sync(&school.url, &Papers::member().certificate(), SyncOptions::both_ways());
    assert!(school.city.store().contains_key(&class));
    school.assert_syncs(&home);
}

#[test]
fn a_database_that_gets_locked_at_any_call_of_a_sync_loses_nothing() {
    let mut school = School::open();
    school.city.be_patient_for(PATIENCE);
    school.url = school.city.serve(SchoolAccounts::admin());
    let mut home = member("home");
    home.be_patient_for(PATIENCE);
    let certificate = Papers::member().certificate();
    home.sync(&school.url, &certificate, SyncOptions::both_ways());
    for call in [
        "POST nonces/",
        "POST syncsessions/",
        "POST transfersessions/",
        "PATCH transfersessions/ID/",
        "GET buffers/",
        "POST buffers/",
        "DELETE transfersessions/ID/",
    ] {
        for locked in [&home, &school.city] {
            println!("{call}, {}", locked.name);
            let (here, there) = (school.add_class(&home, call), school.add_class(&school.city, call));
            // The lock is held for a few calls: a client may well wait for a server that is busy.
            let held: Arc<Mutex<(usize, Option<Hold>)>> = Arc::default();
            let (holder, lock) = (Arc::clone(&held), locking(locked));
            let proxy = Proxy::start(&school.url, move |request, onward| {
                let mut holder = holder.lock().expect("no story panics with the lock");
                if holder.0 > 0 || request.call() == call {
                    holder.0 += 1;
                }
                match holder.0 {
                    1 => holder.1 = Some(lock()),
                    5 => holder.1.take().into_iter().for_each(Hold::commit),
                    _ => {}
                }
                drop(holder);
                onward.forward(request)
            });
            let peer = super::school::impatient(&proxy.url());
            if let Err(error) = home.engine.sync(&peer, &certificate, SyncOptions::both_ways()) {
                println!("  {error:?}");
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::StorageBusy | ErrorKind::PeerRefused | ErrorKind::PeerStageFailed
                    ),
                    "{error:?}"
                );
            }
            held.lock().expect("no story panics with the lock").1.take().into_iter().for_each(Hold::commit);
            home.sync(&school.url, &certificate, SyncOptions::both_ways());
            assert!(home.store().contains_key(&there) && school.city.store().contains_key(&here));
        }
    }
    assert!(home.waiting().is_empty() && school.city.waiting().is_empty());
    school.assert_syncs(&home);
}

#[test]
fn a_server_whose_database_fails_says_so_and_nothing_of_itself() {
    let school = School::open();
    let visitor = school.visitor();
    school.city.sql("ALTER TABLE morango_nonce RENAME TO elsewhere");
    let answer = visitor.send(morango_tests::http::Request::new("POST", "nonces/"));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, answer.value()["code"].as_str()), (500, Some("storage")), "{text}");
    for word in ["morango_nonce", "school.db", "no such table", "does not exist", "INSERT"] {
        assert!(!text.contains(word), "{text}");
    }
    school.city.sql("ALTER TABLE elsewhere RENAME TO morango_nonce");
    assert_refused(&visitor.get("syncsessions/none/"), 404, "session-unknown", "");
    school.assert_works_on();
}
