//! Sync sessions.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use morango::id::{CertificateId, InstanceId, SyncSessionId};
use morango::scope::Filter;
use morango::session::{
    Capabilities, Direction, SyncHolder, SyncPlan, SyncSession, SyncSessionOrder, SyncSessionQuery,
};
use morango::{Error, ErrorKind};

use super::columns::{damaged, direction, milliseconds, side, side_text, time};
use crate::connection::Connection;
use crate::error::Fault;
use crate::statement::{Statement, sql};
use crate::storage::DieselStorage;
use crate::value::Value;

/// Ids that one statement names.
const IDS_NAMED: usize = 500;

/// Keeps a new sync session.
pub(crate) fn create_sync_session(storage: &DieselStorage, session: &SyncSession) -> morango::Result<()> {
    storage.write_buffered("create a sync session", |connection| {
        let inserted =
            sql("INSERT INTO morango_sync_session (id, client_certificate, server_certificate, client_instance,
             server_instance, side, profile, client_instance_json, server_instance_json, connection_path, client_ip,
             server_ip, capabilities, started_at, last_activity_at, is_active, left_directions, wanted_filter, chunk_records,
             holder, held_until) VALUES (")
            .bind(&session.id)
            .sql(", ")
            .bind_all([&session.client_certificate, &session.server_certificate])
            .sql(", ")
            .bind_all([session.client_instance.as_ref(), session.server_instance.as_ref()])
            .sql(", ")
            .bind_all([side_text(session.side), &session.profile])
            .sql(", ")
            .bind_all(
                [
                    &session.client_instance_json,
                    &session.server_instance_json,
                    &session.connection_path,
                    &session.client_ip,
                    &session.server_ip,
                ]
                .map(|text| Value::content(text)),
            )
            .sql(", ")
            .bind(session.capabilities.to_string())
            .sql(", ")
            .bind_all([milliseconds(session.started_at), milliseconds(session.last_activity_at)])
            .sql(", ")
            .bind(session.is_active)
            .sql(", ")
            .bind_all(changing(session).map(|(_, value)| value))
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
    storage.read("read a sync session", |connection| load(connection, id))
}

/// Changes the plan of a sync session, its holder, and when it was last used, in one transaction.
pub(crate) fn update_sync_session(
    storage: &DieselStorage,
    id: &SyncSessionId,
    change: &mut dyn FnMut(&mut SyncSession),
) -> morango::Result<Option<SyncSession>> {
    storage.write_buffered("change a sync session", |connection| {
        let found = select().sql("id = ").bind(id).for_update().returns::<Types>();
        let found = found.get_result::<Row>(connection).optional()?;
        let Some(mut session) = found.map(Row::into_session).transpose()? else { return Ok(None) };
        let before = session.clone();
        change(&mut session);
        let session = SyncSession {
            plan: session.plan,
            holder: session.holder,
            last_activity_at: session.last_activity_at,
            ..before.clone()
        };
        if session == before {
            return Ok(Some(session));
        }
        let mut update =
            sql("UPDATE morango_sync_session SET last_activity_at = ").bind(milliseconds(session.last_activity_at));
        for (column, value) in changing(&session) {
            update = update.sql(", ").sql(column).sql(" = ").bind(value);
        }
        update.sql(" WHERE id = ").bind(id).execute(connection)?;
        Ok(Some(session))
    })
}

/// The columns of what changes in a session beside its activity, with what they hold.
fn changing(session: &SyncSession) -> [(&'static str, Value<'static>); 5] {
    let (plan, holder) = (session.plan.as_ref(), session.holder.as_ref());
    let text = |text: Option<String>| Value::Text(text.map(Into::into));
    [
        ("left_directions", text(plan.map(|plan| names(&plan.left)))),
        ("wanted_filter", text(plan.and_then(|plan| plan.filter.as_ref()).map(Filter::to_wire))),
        (
            "chunk_records",
            plan.and_then(|plan| plan.chunk_records).map(|records| i64::try_from(records).unwrap_or(i64::MAX)).into(),
        ),
        ("holder", text(holder.map(|holder| holder.name.clone()))),
        ("held_until", holder.map(|holder| milliseconds(holder.until)).into()),
    ]
}

fn names(directions: &[Direction]) -> String {
    directions.iter().map(|direction| direction.as_str()).collect::<Vec<_>>().join(" ")
}

/// The sync sessions that answer a query, in its order.
pub(crate) fn sync_sessions(
    storage: &DieselStorage,
    query: &SyncSessionQuery,
    limit: usize,
) -> morango::Result<Vec<SyncSession>> {
    storage.read("list sync sessions", |connection| {
        let Some(ids) = &query.ids else { return page(connection, query, None, limit) };
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let mut found = Vec::new();
        for ids in ids.chunks(IDS_NAMED) {
            found.extend(page(connection, query, Some(ids), limit)?);
            match query.order {
                SyncSessionOrder::UsedLastFirst => {
                    found.sort_by_key(|session| (Reverse(session.last_activity_at), session.id));
                }
                SyncSessionOrder::UsedLongestAgoFirst { .. } => {
                    found.sort_by_key(|session| (session.last_activity_at, session.id));
                }
            }
            found.truncate(limit);
        }
        Ok(found)
    })
}

/// The sync sessions that answer a query, of these ids where some are named, at most `limit`.
fn page(
    connection: &mut Connection<'_>,
    query: &SyncSessionQuery,
    ids: Option<&[SyncSessionId]>,
    limit: usize,
) -> Result<Vec<SyncSession>, Fault> {
    let SyncSessionQuery {
        ids: _,
        is_active,
        side,
        profile,
        client_instance,
        server_instance,
        client_certificate,
        idle_since,
        order,
    } = query;
    let mut found = select().sql("1 = 1");
    if let Some(ids) = ids {
        found = found.sql(" AND id IN (").bind_all(ids).sql(")");
    }
    if let Some(is_active) = is_active {
        found = found.sql(if *is_active { " AND is_active = 1" } else { " AND is_active = 0" });
    }
    if let Some(side) = side {
        found = found.sql(" AND side = ").bind(side_text(*side));
    }
    if let Some(profile) = profile {
        found = found.sql(" AND profile = ").bind(profile);
    }
    for (column, instance) in
        [(" AND client_instance = ", client_instance), (" AND server_instance = ", server_instance)]
    {
        if let Some(instance) = instance {
            found = found.sql(column).bind(instance);
        }
    }
    if let Some(certificate) = client_certificate {
        found = found.sql(" AND client_certificate = ").bind(certificate);
    }
    if let Some(idle_since) = idle_since {
        found = found.sql(" AND last_activity_at < ").bind(milliseconds(*idle_since));
    }
    let found = match order {
        SyncSessionOrder::UsedLastFirst => found.sql(" ORDER BY last_activity_at DESC, id"),
        SyncSessionOrder::UsedLongestAgoFirst { after } => {
            if let Some((time, id)) = after {
                found =
                    found.sql(" AND (last_activity_at, id) > (").bind(milliseconds(*time)).sql(", ").bind(id).sql(")");
            }
            found.sql(" ORDER BY last_activity_at, id")
        }
    };
    found.limit(limit).returns::<Types>().load::<Row>(connection)?.into_iter().map(Row::into_session).collect()
}

fn select<'a>() -> Statement<'a> {
    sql("SELECT id, side, profile, client_certificate, server_certificate, client_instance, server_instance,
         client_instance_json, server_instance_json, connection_path, client_ip, server_ip, capabilities,
         started_at, last_activity_at, is_active, left_directions, wanted_filter, chunk_records, holder, held_until
         FROM morango_sync_session WHERE ")
}

fn load(connection: &mut Connection<'_>, id: &SyncSessionId) -> Result<Option<SyncSession>, Fault> {
    let found = select().sql("id = ").bind(id).returns::<Types>();
    found.get_result::<Row>(connection).optional()?.map(Row::into_session).transpose()
}

/// Closes a sync session and every transfer session in it, and deletes their buffers.
pub(crate) fn close_sync_session(
    storage: &DieselStorage,
    id: &SyncSessionId,
    now: DateTime<Utc>,
) -> morango::Result<()> {
    storage.write_buffered("close a sync session", |connection| {
        // The sessions first: whoever is at work in one holds it, and finds it closed after.
        for (update, key) in [
            ("UPDATE morango_transfer_session SET is_active = 0", "sync_session"),
            ("UPDATE morango_sync_session SET is_active = 0, holder = NULL, held_until = NULL", "id"),
        ] {
            sql(update)
                .sql(", last_activity_at = ")
                .bind(milliseconds(now))
                .sql(" WHERE is_active = 1 AND ")
                .sql(key)
                .sql(" = ")
                .bind(id)
                .execute(connection)?;
        }
        for buffer in ["DELETE FROM morango_outgoing", "DELETE FROM morango_incoming"] {
            sql(buffer)
                .sql(" WHERE transfer_session IN (SELECT id FROM morango_transfer_session WHERE sync_session = ")
                .bind(id)
                .sql(")")
                .execute(connection)?;
        }
        sql("DELETE FROM morango_session_memory WHERE session = ")
            .bind(id)
            .sql(" OR session IN (SELECT id FROM morango_transfer_session WHERE sync_session = ")
            .bind(id)
            .sql(")")
            .execute(connection)?;
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
    Nullable<Text>,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<Text>,
    Nullable<BigInt>,
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
    left_directions: Option<String>,
    wanted_filter: Option<String>,
    chunk_records: Option<i64>,
    holder: Option<String>,
    held_until: Option<i64>,
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
            plan: plan(self.left_directions, self.wanted_filter, self.chunk_records)?,
            holder: match (self.holder, self.held_until) {
                (Some(name), Some(until)) => Some(SyncHolder { name, until: time(until)? }),
                _ => None,
            },
        })
    }
}

fn plan(
    directions: Option<String>,
    filter: Option<String>,
    chunk_records: Option<i64>,
) -> Result<Option<SyncPlan>, Fault> {
    let Some(directions) = directions else { return Ok(None) };
    let filter =
        filter.map(|filter| Filter::from_wire(&filter).map_err(|error| damaged("filter", error))).transpose()?;
    Ok(Some(SyncPlan {
        left: directions.split_whitespace().map(direction).collect::<Result<_, _>>()?,
        filter,
        chunk_records: chunk_records.and_then(|records| usize::try_from(records).ok()),
    }))
}
