//! Transactions that PostgreSQL undoes because they met others: a serialization failure, or a deadlock, again and again.
//!
//! Goal: whoever is undone begins again by itself, as often as it takes; if that never ends it is told as a database that is busy, and
//! the next sync goes on. Method: triggers that refuse with the server's own words and numbers, the first few times or always. They
//! count by a sequence, which nothing undoes.

use morango::client::{HttpPeer, RetryPolicy};
use morango::prelude::*;
use morango_tests::database::Database;
use morango_tests::device::Device;
use morango_tests::given::{Between, root};

use super::going_on::{Pair, Whose};

/// What PostgreSQL says of a transaction that it undoes, and by which number.
const REASONS: [(&str, &str); 2] =
    [("could not serialize access due to concurrent update", "40001"), ("deadlock detected", "40P01")];

/// What each side of a sync writes to, one stage after another, and how.
const WRITES: [(&str, &str); 6] = [
    ("morango_transfer_session", "UPDATE"),
    ("morango_instance", "UPDATE"),
    ("morango_outgoing", "INSERT"),
    ("morango_incoming", "INSERT"),
    ("morango_store", "UPDATE"),
    ("contentlog", "INSERT"),
];

/// When a transaction is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// As it writes.
    Writing,
    /// As it commits.
    Committing,
}

/// How often in a row, where it ends: less than the engine tries.
const TIMES: u32 = 3;

/// Has transactions that write to a table be undone, so often.
fn undo(device: &Device, (table, how): (&str, &str), (words, number): (&str, &str), when: When, times: u32) {
    let trigger = match when {
        When::Writing => format!("TRIGGER undo BEFORE {how} ON {table}"),
        When::Committing => format!("CONSTRAINT TRIGGER undo AFTER {how} ON {table} DEFERRABLE INITIALLY DEFERRED"),
    };
    device.sql(&format!(
        "CREATE SEQUENCE times_undone;
         CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('times_undone') <= {times} THEN RAISE '{words}' USING ERRCODE = '{number}'; END IF;
             RETURN NEW;
         END $$;
         CREATE {trigger} FOR EACH ROW EXECUTE FUNCTION undo()"
    ));
}

/// Ends that; how often it was tried.
fn let_be(device: &Device) -> i64 {
    let tried = device.number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM times_undone");
    device.sql("DROP FUNCTION undo() CASCADE; DROP SEQUENCE times_undone");
    tried
}

const WHOSE: [(&str, Whose); 2] = [("client", |pair| &pair.client), ("server", |pair| &pair.server)];

pub(super) fn a_transaction_that_met_another_one_is_run_again_and_the_sync_goes_well(on: Between) {
    let mut pair = Pair::new(on);
    for (who, device) in WHOSE {
        if device(&pair).kind() != Database::Postgres {
            continue;
        }
        for (number, place) in WRITES.into_iter().enumerate() {
            // Each table meets both reasons, and each reason both moments at every second of them.
            for (reason, when) in [(number, When::Writing), (number + 1, When::Committing)] {
                let reason = REASONS[reason % REASONS.len()];
                let case = format!("{who}: {place:?} {reason:?} {when:?}");
                let (names, before) = (pair.write(), pair.counters());
                undo(device(&pair), place, reason, when, TIMES);
                pair.attempt(SyncOptions::both_ways()).unwrap_or_else(|error| panic!("{case}: {}", error.report()));
                let tried = let_be(device(&pair));
                assert!(tried > i64::from(TIMES), "{case}: it is written to in the end: {tried}");
                pair.assert_healed(&before, &names, &case);
            }
        }
    }
}

pub(super) fn a_client_whose_transactions_are_undone_for_ever_says_so_and_loses_nothing(on: Between) {
    let mut pair = Pair::new(on);
    let (names, before) = (pair.write(), pair.counters());
    undo(&pair.client, ("morango_store", "UPDATE"), REASONS[0], When::Writing, u32::MAX);
    let error = pair.attempt(SyncOptions::both_ways()).expect_err("it is undone for ever");
    assert_eq!(error.kind(), ErrorKind::StorageBusy, "{error:?}");
    assert!(error.is_retryable() && error.hint().is_some() && error.sync_session().is_some(), "{error:?}");
    assert!(let_be(&pair.client) > 1, "it was tried more than once");
    pair.go_on_after(&error);
    pair.assert_healed(&before, &names, "undone for ever");
}

pub(super) fn a_server_whose_transactions_are_undone_for_ever_says_that_it_is_busy_and_loses_nothing(on: Between) {
    let mut pair = Pair::new(on);
    let (names, before) = (pair.write(), pair.counters());
    undo(&pair.server, ("morango_incoming", "INSERT"), REASONS[1], When::Committing, u32::MAX);
    let peer = HttpPeer::builder(&pair.url).retry(RetryPolicy::NONE).build().expect("the server's address");
    let error = pair.client.engine.sync(&peer, root(), SyncOptions::both_ways()).expect_err("it is undone for ever");
    assert_eq!(error.kind(), ErrorKind::PeerRefused, "{error:?}");
    assert!(error.is_retryable() && error.sync_session().is_some(), "{error:?}");
    assert!(error.report().contains("busy") && !error.report().contains("deadlock"), "{error:?}");
    assert!(let_be(&pair.server) > 1, "it was tried more than once");
    pair.go_on_after(&error);
    pair.assert_healed(&before, &names, "undone for ever");
}
