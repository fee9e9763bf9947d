//! Operations: an application's own part in a stage, before the engine's work or after it.
//!
//! This file says what an operation is; what it is shown stands in [`OperationContext`], and how the engine runs them in
//! `operations`.

use std::fmt;

use super::operation_context::OperationContext;
use crate::hook::GuestError;
use crate::session::Stage;

/// Which part of a stage an operation belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StagePart {
    /// What is done at home. A client and a server both have this part, each its own.
    Local,
    /// What a client asks of its server, after its own part is done. A server has no such part.
    Network,
}

/// What becomes of a stage after an operation has run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageOutcome {
    /// The next one goes on: another operation, or the engine's own work.
    Next,
    /// This part of the stage is done. Nothing else runs in it, the engine's own work included.
    Completed,
    /// It is not done: this part of the stage is tried again after a while, from its first operation on.
    /// What was written so far stays.
    Pending,
}

/// An application's own part in a stage of every transfer.
///
/// The operations of a stage run in the order of their [priority](Self::priority), the greatest first, and those of one
/// priority in the order in which they were registered. The engine's own work comes after those of priority 0 and more, and
/// before those of a negative one.
///
/// *On the local part* an operation works in a transaction of the storage, which also notes that the stage is done: what it
/// writes stays if the stage is done, and is gone if anything fails. With operations before the engine's own work the whole
/// stage is this one transaction, and others who write wait until it ends. With operations after it only, the engine's work
/// is cut up as ever, and they work in the last transaction. The database may take the transaction back and have it done
/// again, so what an operation does outside of the database may be done twice.
///
/// *At initializing* those before the engine's own work run when there is no session yet: on the server in the transaction that
/// makes it, on the client in one before the server is asked. *At transferring* the chunks travel whatever operations answer: on
/// the client they run before and after all of them, on the server each time that the client says how far it is.
pub trait Operation: Send + Sync + 'static {
    /// Its name, by which it is remembered and reported. It stays the same from version to version.
    fn name(&self) -> &str;

    /// The stage to which it belongs.
    fn stage(&self) -> Stage;

    /// The part of the stage to which it belongs. Unless overridden, the local one.
    fn part(&self) -> StagePart {
        StagePart::Local
    }

    /// Its place among others. Unless overridden, 0: right before the engine's own work.
    fn priority(&self) -> i32 {
        0
    }

    /// Does it.
    ///
    /// # Errors
    /// Whatever went wrong: the stage fails with it, and with the stage the sync.
    fn run(&self, context: &mut OperationContext<'_>) -> Result<StageOutcome, GuestError>;
}

/// An operation that is a function or closure.
///
/// ```
/// use morango::prelude::*;
///
/// let counting = StageOperation::local("count-what-came", Stage::Cleanup, |context| {
///     if context.role() == Role::Receiver {
///         let came = context.transfer_session().map_or(0, |session| session.records_transferred);
///         println!("{came} records came from {:?}", context.info().remote.instance);
///     }
///     Ok(StageOutcome::Next)
/// });
/// let options = SyncOptions::both_ways().operation(counting.priority(10));
/// ```
pub struct StageOperation<F> {
    name: String,
    stage: Stage,
    part: StagePart,
    priority: i32,
    run: F,
}

impl<F> StageOperation<F>
where
    F: Fn(&mut OperationContext<'_>) -> Result<StageOutcome, GuestError> + Send + Sync + 'static,
{
    /// An operation of the local part of a stage, with priority 0.
    pub fn local(name: impl Into<String>, stage: Stage, run: F) -> Self {
        Self { name: name.into(), stage, part: StagePart::Local, priority: 0, run }
    }

    /// An operation of the network part of a stage, with priority 0.
    pub fn network(name: impl Into<String>, stage: Stage, run: F) -> Self {
        Self { name: name.into(), stage, part: StagePart::Network, priority: 0, run }
    }

    /// The same with another priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }
}

impl<F> Operation for StageOperation<F>
where
    F: Fn(&mut OperationContext<'_>) -> Result<StageOutcome, GuestError> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn stage(&self) -> Stage {
        self.stage
    }

    fn part(&self) -> StagePart {
        self.part
    }

    fn priority(&self) -> i32 {
        self.priority
    }

    fn run(&self, context: &mut OperationContext<'_>) -> Result<StageOutcome, GuestError> {
        (self.run)(context)
    }
}

impl<F> fmt::Debug for StageOperation<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StageOperation")
            .field("name", &self.name)
            .field("stage", &self.stage)
            .field("part", &self.part)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}
