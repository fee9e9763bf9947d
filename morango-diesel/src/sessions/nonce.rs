//! Nonces that wait for their one use.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Text};
use morango::id::NonceId;
use morango::identity::Nonce;
use morango::limits;

use super::columns::{milliseconds, time};
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Keeps a new nonce, and forgets those that are too old or too many.
pub(crate) fn issue_nonce(storage: &DieselStorage, nonce: &Nonce, stale_before: DateTime<Utc>) -> morango::Result<()> {
    storage.write_buffered("issue a nonce", |connection| {
        sql("DELETE FROM morango_nonce WHERE issued_at < ").bind(milliseconds(stale_before)).execute(connection)?;
        sql("INSERT INTO morango_nonce (id, issued_at, ip) VALUES (")
            .bind(&nonce.id)
            .sql(", ")
            .bind(milliseconds(nonce.issued_at))
            .sql(", ")
            .bind(&nonce.ip)
            .sql(")")
            .execute(connection)?;
        sql("DELETE FROM morango_nonce WHERE (issued_at, id) <= (SELECT issued_at, id FROM morango_nonce
             ORDER BY issued_at DESC, id DESC LIMIT 1 OFFSET ")
        .bind(limits::NONCES_OUTSTANDING_MAX)
        .sql(")")
        .execute(connection)?;
        Ok(())
    })
}

/// Takes a nonce out, so that it can never be taken again.
pub(crate) fn take_nonce(storage: &DieselStorage, id: &NonceId) -> morango::Result<Option<Nonce>> {
    storage.write_buffered("take a nonce", |connection| {
        let taken = sql("DELETE FROM morango_nonce WHERE id = ")
            .bind(id)
            .sql(" RETURNING issued_at, ip")
            .returns::<(BigInt, Text)>()
            .load::<(i64, String)>(connection)?;
        taken
            .into_iter()
            .next()
            .map(|(issued_at, ip)| Ok(Nonce { id: *id, issued_at: time(issued_at)?, ip }))
            .transpose()
    })
}
