//! *Serialize*: the sender brings its application's changes into the store; then each side says what it has.

use crate::Result;
use crate::counter::Fsic;
use crate::port::SerializeReport;
use crate::session::{Role, Stage};
use crate::transfer::context::Context;

/// What this side has, and what serializing did where it sends.
pub(in crate::transfer) struct Serialized {
    pub(in crate::transfer) fsic: Fsic,
    pub(in crate::transfer) report: Option<SerializeReport>,
}

/// Serializes where this side sends, and computes its counters.
pub(in crate::transfer) fn run(context: &Context<'_>) -> Result<Serialized> {
    let (storage, session) = (&context.home.storage, &context.session);
    let report = match context.role() {
        Role::Producer => {
            Some(storage.serialize(&session.profile, &session.filter, &context.watch(Stage::Serializing))?)
        }
        Role::Receiver => None,
    };
    let fsic = storage.fsic(&session.profile, &session.filter, context.role())?;
    Ok(Serialized { fsic, report })
}
