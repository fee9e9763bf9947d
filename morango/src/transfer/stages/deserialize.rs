//! *Deserialize*: the receiver makes rows of what is in its store.

use crate::Result;
use crate::port::{DeserializeOrder, DeserializeReport};
use crate::session::Stage;
use crate::transfer::context::{Context, Occasion};
use crate::transfer::work::Work;

/// Makes rows of every record that waits for it, also of those that an earlier sync left waiting.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    if context.home.deserializing == Occasion::Apart {
        context.results.deserialize = Some(DeserializeReport::default());
        return Ok(());
    }
    let session = &context.session;
    let watch = context.watch(Stage::Deserializing);
    let order = DeserializeOrder {
        profile: &session.profile,
        filter: &session.filter,
        failed_before: context.failed_before,
        now: context.home.clock.now(),
    };
    let report = work.deserialize(&order, &watch)?;
    drop(watch);
    context.results.deserialize = Some(report);
    Ok(())
}
