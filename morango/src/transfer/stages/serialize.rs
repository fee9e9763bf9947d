//! *Serialize*: each side brings its application's changes into the store; then it says what it has.
//!
//! A receiver serializes too, which existing peers put off until they deserialize. What its application changed then meets
//! what comes as a conflict, decided by the one rule of merging: a deletion that comes is not undone by an edit which did
//! not know of it, and the report counts the conflict.

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

/// Serializes, and computes the counters of this side.
pub(in crate::transfer) fn run(context: &Context<'_>) -> Result<Serialized> {
    let (storage, session) = (&context.home.storage, &context.session);
    let report = storage.serialize(&session.profile, &session.filter, &context.watch(Stage::Serializing))?;
    let report = (context.role() == Role::Producer).then_some(report);
    let fsic = storage.fsic(&session.profile, &session.filter, context.role())?;
    Ok(Serialized { fsic, report })
}
