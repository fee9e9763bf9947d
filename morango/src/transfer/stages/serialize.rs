//! *Serialize*: each side brings its application's changes into the store; then it says what it has.
//!
//! A receiver serializes too, which existing peers put off until they deserialize. What its application changed then meets
//! what comes as a conflict, decided by the one rule of merging: a deletion that comes is not undone by an edit which did
//! not know of it, and the report counts the conflict.
//!
//! A producer first saves anew what gave way here, whatever it may write: under the filter of what is sent it may leave, where it was to
//! stay before. The right to write was granted since, or the peer widened the filter.

use std::sync::Arc;

use crate::Result;
use crate::port::SerializeReport;
use crate::session::{Role, Side, Stage};
use crate::transfer::context::{Context, Occasion};
use crate::transfer::fsic;
use crate::transfer::renewal;
use crate::transfer::work::Work;

/// Serializes, and computes the counters of this side. The side that answers takes up what the client told of its own.
pub(super) fn run(context: &mut Context<'_>, work: &mut Work<'_>) -> Result<()> {
    let session = &context.session;
    if context.role() == Role::Producer {
        work.save_what_gave_way(&session.profile, &session.filter)?;
    }
    let report = match context.home.serializing {
        Occasion::InSyncs => work.serialize(&session.profile, &session.filter, &context.watch(Stage::Serializing))?,
        Occasion::Apart => SerializeReport::default(),
    };
    let mut ours = fsic::ours(context.home, work, &context.exchange())?;
    match session.side {
        Side::Client => context.session.client_fsic = ours.into(),
        Side::Server => {
            // A stage that was kept pending is tried again without the client's saying anything anew.
            let told = match &context.told {
                Some(told) => Arc::clone(told),
                None => Arc::clone(session.client_fsic.fsic()?),
            };
            let theirs = fsic::accept(&context.exchange(), told, &work.own_counters()?, &ours)?;
            if let Some(known) = theirs.beyond
                && renewal::become_another(context, work, known)?
            {
                ours = fsic::ours(context.home, work, &context.exchange())?;
            }
            context.session.client_fsic = theirs.fsic.into();
            context.session.server_fsic = ours.into();
        }
    }
    if context.role() == Role::Producer {
        context.results.serialize = Some(report);
    }
    Ok(())
}
