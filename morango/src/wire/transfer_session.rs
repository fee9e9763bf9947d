//! `transfersessions/`: one push or one pull, and how far it is.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::WireError;
use super::fsic;
use super::loose::{from_json, or_default, parse, to_json};
use super::sync_session::timestamp;
use crate::counter::CounterError;
use crate::id::{SyncSessionId, TransferSessionId};
use crate::port::{ProceedRequest, RemoteTransfer, TransferSessionRequest};
use crate::scope::Filter;
use crate::session::{Capabilities, Direction, Stage, TransferSession};

#[derive(Serialize, Deserialize)]
struct Creation {
    id: String,
    /// Never missing: without a filter nobody could tell nothing from everything.
    filter: String,
    push: bool,
    sync_session_id: String,
    #[serde(default)]
    client_fsic: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records_total: Option<u64>,
}

/// Writes a request for a transfer session, for a peer with which we share these capabilities.
pub fn write_transfer_session_request(request: &TransferSessionRequest, shared: &Capabilities) -> Vec<u8> {
    to_json(&Creation {
        id: request.id.to_string(),
        filter: request.filter.to_wire(),
        push: request.direction == Direction::Push,
        sync_session_id: request.sync_session.to_string(),
        client_fsic: Some(fsic::write(request.client_fsic.as_ref(), shared.fsic_form()).into_owned()),
        records_total: request.records_total,
    })
}

/// Reads a request for a transfer session.
///
/// # Errors
/// A member but the counters is missing, or one is malformed.
pub fn read_transfer_session_request(body: &[u8]) -> Result<TransferSessionRequest, WireError> {
    const WHAT: &str = "a request for a transfer session";
    let creation: Creation = from_json(WHAT, body)?;
    Ok(TransferSessionRequest {
        id: parse(WHAT, &creation.id)?,
        sync_session: parse(WHAT, &creation.sync_session_id)?,
        direction: if creation.push { Direction::Push } else { Direction::Pull },
        filter: read_filter(WHAT, &creation.filter)?,
        client_fsic: fsic::read(creation.client_fsic.as_deref())?,
        records_total: creation.records_total,
    })
}

/// Reads in which sync session a transfer session is asked for, and nothing else of the request.
///
/// # Errors
/// The member is missing or no id.
pub fn read_sync_session_of(body: &[u8]) -> Result<SyncSessionId, WireError> {
    #[derive(Deserialize)]
    struct Asked {
        sync_session_id: String,
    }

    const WHAT: &str = "a request for a transfer session";
    parse(WHAT, &from_json::<Asked>(WHAT, body)?.sync_session_id)
}

fn read_filter(what: &'static str, text: &str) -> Result<Filter, WireError> {
    Filter::from_wire(text).map_err(|problem| WireError::malformed(what, &problem))
}

/// Members that are not there are left as they are on the other side.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Proceed {
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_fsic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_transferred: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_received: Option<u64>,
}

/// Writes a request to proceed, for a peer with which we share these capabilities.
pub fn write_proceed(request: &ProceedRequest, shared: &Capabilities) -> Vec<u8> {
    let counters = request.client_fsic.as_deref();
    to_json(&Proceed {
        transfer_stage: request.stage.map(|stage| stage.as_str().to_owned()),
        client_fsic: counters.map(|counters| fsic::write(Some(counters), shared.fsic_form()).into_owned()),
        records_total: request.records_total,
        records_transferred: request.records_transferred,
        bytes_sent: request.bytes_sent,
        bytes_received: request.bytes_received,
    })
}

/// Reads a request to proceed.
///
/// # Errors
/// The stage is none, or a number or the counters are malformed.
pub fn read_proceed(body: &[u8]) -> Result<ProceedRequest, WireError> {
    const WHAT: &str = "a request to proceed";
    let proceed: Proceed = from_json(WHAT, body)?;
    Ok(ProceedRequest {
        stage: proceed.transfer_stage.as_deref().map(|name| parse(WHAT, name)).transpose()?,
        client_fsic: fsic::read(proceed.client_fsic.as_deref())?.map(Arc::new),
        records_total: proceed.records_total,
        records_transferred: proceed.records_transferred,
        bytes_sent: proceed.bytes_sent,
        bytes_received: proceed.bytes_received,
    })
}

/// How much of a transfer session an answer tells. Counters may be megabytes, and most answers are read for the stage alone.
///
/// A client of ours says with each request what it will read, as `?tell=standing`; other peers pass over that, and whoever does not say
/// it is told everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Telling {
    /// All that existing peers tell.
    #[default]
    Everything,
    /// How the session stands, and the counters of the side that answers.
    Counters,
    /// How the session stands, and no counters.
    Standing,
}

impl Telling {
    /// The name of the parameter.
    pub const NAME: &'static str = "tell";

    /// The value of the parameter; none where it is left out.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Everything => None,
            Self::Counters => Some("counters"),
            Self::Standing => Some("standing"),
        }
    }

    /// What the value of the parameter asks for. One that nobody knows is passed over.
    pub fn of(value: &str) -> Self {
        let asked = [Self::Counters, Self::Standing].into_iter().find(|telling| telling.as_str() == Some(value));
        asked.unwrap_or_default()
    }
}

/// Writes a transfer session, for a peer with which we share these capabilities, and which will read so much of it.
///
/// # Errors
/// The counters of the session were kept as a text that is damaged.
pub fn write_transfer_session(
    session: &TransferSession,
    shared: &Capabilities,
    telling: Telling,
) -> Result<Vec<u8>, CounterError> {
    /// What is told of a session that a client of ours has no use for.
    #[derive(Serialize)]
    struct Rest<'a> {
        start_timestamp: String,
        last_activity_timestamp: String,
        active: bool,
        push: bool,
        bytes_received: u64,
        bytes_sent: u64,
        sync_session: SyncSessionId,
        client_fsic: Cow<'a, str>,
    }

    #[derive(Serialize)]
    struct Members<'a> {
        id: TransferSessionId,
        #[serde(flatten)]
        rest: Option<Rest<'a>>,
        filter: String,
        records_transferred: u64,
        records_total: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        server_fsic: Option<Cow<'a, str>>,
        transfer_stage: &'static str,
        transfer_stage_status: &'static str,
    }

    let form = shared.fsic_form();
    // Until a session has serialized there are no counters, which is something else than counters of nothing.
    let known = |counters| fsic::write_kept((session.stage > Stage::Initializing).then_some(counters), form);
    let rest = || -> Result<_, CounterError> {
        Ok(Rest {
            start_timestamp: timestamp(session.started_at),
            last_activity_timestamp: timestamp(session.last_activity_at),
            active: session.is_active,
            push: session.direction == Direction::Push,
            bytes_received: session.bytes_received,
            bytes_sent: session.bytes_sent,
            sync_session: session.sync_session,
            client_fsic: known(&session.client_fsic)?,
        })
    };
    Ok(to_json(&Members {
        id: session.id,
        rest: (telling == Telling::Everything).then(rest).transpose()?,
        filter: session.filter.to_wire(),
        records_transferred: session.records_transferred,
        records_total: session.records_total,
        server_fsic: (telling != Telling::Standing).then(|| known(&session.server_fsic)).transpose()?,
        transfer_stage: session.stage.as_str(),
        transfer_stage_status: session.status.as_str(),
    }))
}

/// Reads a transfer session of an answer. Peers of old say nothing of a stage, and know no total before queuing.
///
/// # Errors
/// The id or the filter is missing, or a member is malformed.
pub fn read_transfer_session(body: &[u8]) -> Result<RemoteTransfer, WireError> {
    #[derive(Deserialize)]
    struct Members {
        id: String,
        filter: String,
        #[serde(default)]
        records_total: Option<u64>,
        #[serde(default, deserialize_with = "or_default")]
        records_transferred: u64,
        #[serde(default)]
        server_fsic: Option<String>,
        #[serde(default)]
        transfer_stage: Option<String>,
        #[serde(default)]
        transfer_stage_status: Option<String>,
    }

    const WHAT: &str = "a transfer session";
    let members: Members = from_json(WHAT, body)?;
    let name = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(RemoteTransfer {
        id: parse(WHAT, &members.id)?,
        filter: read_filter(WHAT, &members.filter)?,
        stage: name(members.transfer_stage).map(|text| parse(WHAT, &text)).transpose()?,
        status: name(members.transfer_stage_status).map(|text| parse(WHAT, &text)).transpose()?,
        records_total: members.records_total,
        records_transferred: members.records_transferred,
        server_fsic: fsic::read(members.server_fsic.as_deref())?.map(Arc::new),
    })
}
