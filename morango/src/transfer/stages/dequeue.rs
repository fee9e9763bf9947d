//! *Dequeue*: the receiver merges what came into its store.

use crate::port::DequeueReport;
use crate::session::Stage;
use crate::transfer::context::Context;
use crate::transfer::work::Work;
use crate::{Error, ErrorKind, Result};

/// Merges the received records, and takes over the sender's counters.
///
/// Where nothing came there is nothing to merge: the store stays untouched, and its counter is not raised for nothing.
///
/// # Errors
/// The storage fails; or not all records came, in which case the sender's counters would claim what is not here.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    let session = &context.session;
    if session.records_total.is_none_or(|total| session.records_transferred < total) {
        return Err(incomplete(session.records_transferred, session.records_total));
    }
    let report = match session.records_transferred {
        0 => DequeueReport::default(),
        _ => work.dequeue(session, &context.writable, &context.watch(Stage::Dequeuing))?,
    };
    context.results.dequeue = Some(report);
    Ok(())
}

/// Not all records of a session have come.
pub(in crate::transfer) fn incomplete(transferred: u64, total: Option<u64>) -> Error {
    let total = total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string());
    Error::new(ErrorKind::SessionConflict, format!("dequeue: {transferred} of {total} of records have come so far"))
        .with_hint("say how many records there are, and send all of them, before proceeding to dequeuing")
}
