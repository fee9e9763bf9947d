//! What is kept of syncs that are long over goes in the end: their sessions, and certificates of those who have nothing in common
//! with us.

use chrono::{DateTime, Utc};
use diesel::sql_types::Binary;
use morango::id::SyncSessionId;

use super::columns::milliseconds;
use crate::backend;
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Deletes closed sync sessions that nobody used since a time, the oldest first and at most `limit` of them, with their transfers
/// and whatever hangs on these; and certificates that nothing here hangs on. Says how many sessions that were.
pub(crate) fn forget_sessions(
    storage: &DieselStorage,
    unused_since: DateTime<Utc>,
    limit: usize,
) -> morango::Result<u64> {
    storage.write("forget old sessions", |connection| {
        // No record that waits, or was dropped, came in them.
        let held = backend::waiting_records(connection);
        let old = sql("SELECT id FROM morango_sync_session WHERE is_active = 0 AND id NOT IN (
             SELECT sync_session FROM morango_transfer_session WHERE id IN (SELECT transfer_session FROM ")
        .sql(held)
        .sql(" WHERE is_dirty = 1 AND transfer_session IS NOT NULL UNION ALL SELECT transfer_session FROM ")
        .sql(held)
        .sql(" WHERE is_dirty = 2 AND transfer_session IS NOT NULL)) AND last_activity_at < ")
        .bind(milliseconds(unused_since))
        .sql(" ORDER BY last_activity_at")
        .limit(limit)
        .returns::<Binary>()
        .load::<SyncSessionId>(connection)?;
        for session in &old {
            forget_session(connection, session)?;
        }
        forget_strangers(connection)?;
        Ok(old.len() as u64)
    })
}

/// Deletes a sync session that is closed, with all that hangs on it.
pub(crate) fn forget_session(connection: &mut Connection<'_>, session: &SyncSessionId) -> Result<(), Fault> {
    for (table, key) in [
        ("morango_rejection", "transfer_session"),
        ("morango_incoming", "transfer_session"),
        ("morango_outgoing", "transfer_session"),
        ("morango_session_memory", "session"),
    ] {
        sql("DELETE FROM ")
            .sql(table)
            .sql(" WHERE ")
            .sql(key)
            .sql(" IN (SELECT id FROM morango_transfer_session WHERE sync_session = ")
            .bind(session)
            .sql(")")
            .execute(connection)?;
    }
    for (table, key) in [
        ("morango_session_memory", "session"),
        ("morango_transfer_session", "sync_session"),
        ("morango_sync_session", "id"),
    ] {
        sql("DELETE FROM ").sql(table).sql(" WHERE ").sql(key).sql(" = ").bind(session).execute(connection)?;
    }
    Ok(())
}

/// Deletes the certificates that have nothing in common with one of ours, and no session names.
///
/// Whoever opens a session shows a chain, which is kept before it is known what it is good for. What lies under a root of ours
/// stays: it is what our peers speak with.
fn forget_strangers(connection: &mut Connection<'_>) -> Result<(), Fault> {
    sql("WITH RECURSIVE
         own (id) AS (
             SELECT id FROM morango_certificate WHERE private_key IS NOT NULL
             UNION SELECT parent FROM morango_certificate JOIN own ON morango_certificate.id = own.id
             WHERE parent IS NOT NULL),
         family (id) AS (
             SELECT id FROM own
             UNION SELECT morango_certificate.id FROM morango_certificate
             JOIN family ON morango_certificate.parent = family.id),
         named (id) AS (
             SELECT client_certificate FROM morango_sync_session
             UNION SELECT server_certificate FROM morango_sync_session
             UNION SELECT parent FROM morango_certificate JOIN named ON morango_certificate.id = named.id
             WHERE parent IS NOT NULL)
         DELETE FROM morango_certificate
         WHERE id NOT IN (SELECT id FROM family) AND id NOT IN (SELECT id FROM named)")
    .execute(connection)?;
    Ok(())
}
