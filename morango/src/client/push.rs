//! Sending records.

use reqwest::Method;

use super::connection::Connection;
use super::outgoing::{Body, Outgoing};
use super::retry::Repeat;
use crate::Result;
use crate::id::TransferSessionId;
use crate::record::StoreRecord;
use crate::wire::{self, Call};

/// Sends a chunk, gzipped at this level, or as it is without one.
pub(super) fn send_chunk(
    connection: &Connection,
    id: &TransferSessionId,
    offset: u64,
    records: &[StoreRecord],
    level: Option<u32>,
) -> Result<()> {
    let mut chunk = Vec::new();
    wire::write_chunk(id, records, &mut chunk);
    let body = match level {
        Some(level) => Body::gzip(wire::compress(&chunk, level)),
        None => Body::json(chunk),
    };
    // Where the chunk stands is told for peers of our kind, which then count exactly; others pass it over. Sending the same
    // records again is harmless.
    let offset = offset.to_string();
    let query = [("offset", offset.as_str())];
    let outgoing = Outgoing {
        query: &query,
        ..Outgoing::send(Call::SendChunk, Method::POST, "buffers/", Some(body), Repeat::Safe)
    };
    connection.send(&outgoing).map(drop)
}
