//! Sync sessions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::id::{CertificateId, InstanceId, SyncSessionId};
use morango::session::{Capabilities, SyncSession};
use morango::{Error, ErrorKind};

use super::columns::{milliseconds, side, side_text, time};
use crate::error::Fault;
use crate::statement::sql;
use crate::storage::DieselStorage;

/// Keeps a new sync session.
pub(crate) fn create_sync_session(storage: &DieselStorage, session: &SyncSession) -> morango::Result<()> {
    storage.write_buffered("create a sync session", |connection| {
        let inserted =
            sql("INSERT INTO morango_sync_session (id, client_certificate, server_certificate, client_instance,
             server_instance, side, profile, client_instance_json, server_instance_json, connection_path, client_ip,
             server_ip, capabilities, started_at, last_activity_at, is_active) VALUES (")
            .bind(&session.id)
            .sql(", ")
            .bind_all([&session.client_certificate, &session.server_certificate])
            .sql(", ")
            .bind_all([session.client_instance.as_ref(), session.server_instance.as_ref()])
            .sql(", ")
            .bind_all([
                side_text(session.side),
                &session.profile,
                &session.client_instance_json,
                &session.server_instance_json,
                &session.connection_path,
                &session.client_ip,
                &session.server_ip,
            ])
            .sql(", ")
            .bind(session.capabilities.to_string())
            .sql(", ")
            .bind_all([milliseconds(session.started_at), milliseconds(session.last_activity_at)])
            .sql(", ")
            .bind(session.is_active)
            .sql(") ON CONFLICT (id) DO NOTHING")
            .execute(connection)?;
        if inserted == 1 {
            return Ok(());
        }
        let message = format!("create the sync session {}: there is one with this id", session.id);
        Err(Error::new(ErrorKind::SessionConflict, message).into())
    })
}

/// One sync session, open or closed.
pub(crate) fn sync_session(storage: &DieselStorage, id: &SyncSessionId) -> morango::Result<Option<SyncSession>> {
    storage.read("read a sync session", |connection| {
        let found =
            sql("SELECT id, side, profile, client_certificate, server_certificate, client_instance, server_instance,
             client_instance_json, server_instance_json, connection_path, client_ip, server_ip, capabilities,
             started_at, last_activity_at, is_active FROM morango_sync_session WHERE id = ")
            .bind(id)
            .returns::<Types>();
        found.get_result::<Row>(connection).optional()?.map(Row::into_session).transpose()
    })
}

/// Closes a sync session and every transfer session in it, and deletes their buffers.
pub(crate) fn close_sync_session(
    storage: &DieselStorage,
    id: &SyncSessionId,
    now: DateTime<Utc>,
) -> morango::Result<()> {
    storage.write_buffered("close a sync session", |connection| {
        for buffer in ["DELETE FROM morango_outgoing", "DELETE FROM morango_incoming"] {
            sql(buffer)
                .sql(" WHERE transfer_session IN (SELECT id FROM morango_transfer_session WHERE sync_session = ")
                .bind(id)
                .sql(")")
                .execute(connection)?;
        }
        for (table, key) in [("morango_transfer_session", "sync_session"), ("morango_sync_session", "id")] {
            sql("UPDATE ")
                .sql(table)
                .sql(" SET is_active = 0, last_activity_at = ")
                .bind(milliseconds(now))
                .sql(" WHERE is_active = 1 AND ")
                .sql(key)
                .sql(" = ")
                .bind(id)
                .execute(connection)?;
        }
        Ok(())
    })
}

type Types = (
    Binary,
    Text,
    Text,
    Binary,
    Binary,
    Nullable<Binary>,
    Nullable<Binary>,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    BigInt,
    BigInt,
    BigInt,
);

#[derive(Queryable)]
struct Row {
    id: SyncSessionId,
    side: String,
    profile: String,
    client_certificate: CertificateId,
    server_certificate: CertificateId,
    client_instance: Option<InstanceId>,
    server_instance: Option<InstanceId>,
    client_instance_json: String,
    server_instance_json: String,
    connection_path: String,
    client_ip: String,
    server_ip: String,
    capabilities: String,
    started_at: i64,
    last_activity_at: i64,
    is_active: i64,
}

impl Row {
    fn into_session(self) -> Result<SyncSession, Fault> {
        Ok(SyncSession {
            id: self.id,
            side: side(&self.side)?,
            profile: self.profile,
            client_certificate: self.client_certificate,
            server_certificate: self.server_certificate,
            client_instance: self.client_instance,
            server_instance: self.server_instance,
            client_instance_json: self.client_instance_json,
            server_instance_json: self.server_instance_json,
            connection_path: self.connection_path,
            client_ip: self.client_ip,
            server_ip: self.server_ip,
            capabilities: Capabilities::from_names(self.capabilities.split(' ')),
            started_at: time(self.started_at)?,
            last_activity_at: time(self.last_activity_at)?,
            is_active: self.is_active == 1,
        })
    }
}
