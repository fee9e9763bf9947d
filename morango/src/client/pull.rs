//! Fetching records.

use super::connection::{Connection, unexpected};
use super::outgoing::Outgoing;
use crate::id::TransferSessionId;
use crate::port::ReceivedRecord;
use crate::wire::{self, Call};
use crate::{Result, limits};

/// Fetches a chunk. The peer may give fewer records than asked for, where they are large.
pub(super) fn fetch_chunk(
    connection: &Connection,
    id: &TransferSessionId,
    offset: u64,
    limit: usize,
) -> Result<Vec<ReceivedRecord>> {
    let (id, offset, limit) = (id.hex(), offset.to_string(), limit.to_string());
    let query = [("limit", limit.as_str()), ("offset", offset.as_str()), ("transfer_session_id", id.as_str())];
    let outgoing = Outgoing {
        query: &query,
        answer_bytes_max: limits::BODY_BYTES_MAX,
        ..Outgoing::get(Call::FetchChunk, "buffers/")
    };
    let body = connection.send(&outgoing)?;
    wire::read_chunk(&body).map_err(|error| unexpected(Call::FetchChunk, error))
}
