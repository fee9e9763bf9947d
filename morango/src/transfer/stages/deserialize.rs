//! *Deserialize*: the receiver makes rows of what is in its store.

use crate::Result;
use crate::port::DeserializeReport;
use crate::session::Stage;
use crate::transfer::context::Context;

/// Makes rows of every record that waits for it, also of those that an earlier sync left waiting.
pub(in crate::transfer) fn run(context: &Context<'_>) -> Result<DeserializeReport> {
    let session = &context.session;
    let watch = context.watch(Stage::Deserializing);
    context.home.storage.deserialize(&session.profile, &session.filter, &watch)
}
