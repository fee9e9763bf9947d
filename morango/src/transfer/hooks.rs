//! How hooks are called: all of them in turn, with whatever each does wrong caught and told.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::context::Home;
use super::guests::Guests;
use super::info;
use super::order::Order;
use crate::hook::{Event, GuestError, Hook, HookFailure, HookMoment, Totals, TransferEnd, TransferInfo};
use crate::id::{SyncSessionId, TransferSessionId};
use crate::session::{Stage, SyncSession, TransferSession};
use crate::{Result, limits};

/// Tells the hooks that a client's transfer is about to begin.
pub(super) fn before_it_begins(home: &Home, order: &Order<'_>) -> Vec<HookFailure> {
    let (guests, sync_session) = (order.guests, order.sync_session.id);
    let call = Call { home, guests, moment: HookMoment::Before, sync_session, transfer_session: None };
    call.make(|| info::of_order(home, order), Hook::before_transfer)
}

/// Tells the hooks that a client's transfer came to its end before there was a session.
pub(super) fn never_begun(home: &Home, order: &Order<'_>, failure: String) {
    let (guests, sync_session) = (order.guests, order.sync_session.id);
    let call = Call { home, guests, moment: HookMoment::After, sync_session, transfer_session: None };
    let end = TransferEnd {
        stage: Stage::Initializing,
        totals: Totals::default(),
        failure: Some(failure),
        session: None,
        storage: &*home.storage,
    };
    call.make(|| info::of_order(home, order), |hook, info| hook.after_transfer(info, &end));
}

/// Tells the hooks that a server's transfer has begun.
pub(super) fn begun(home: &Home, guests: &Guests, sync_session: &SyncSession, session: &TransferSession) {
    let (sync_id, transfer_session) = (sync_session.id, Some(session.id));
    let call = Call { home, guests, moment: HookMoment::Before, sync_session: sync_id, transfer_session };
    call.make(|| info::of(home, sync_session, session), Hook::before_transfer);
}

/// Tells the hooks how a transfer ended.
pub(super) fn ended(
    home: &Home,
    guests: &Guests,
    sync_session: &SyncSession,
    session: &TransferSession,
    failure: Option<String>,
) -> Vec<HookFailure> {
    let (sync_id, transfer_session) = (sync_session.id, Some(session.id));
    let call = Call { home, guests, moment: HookMoment::After, sync_session: sync_id, transfer_session };
    let end = TransferEnd {
        stage: session.stage,
        totals: Totals::of(session),
        failure,
        session: transfer_session,
        storage: &*home.storage,
    };
    call.make(|| info::of(home, sync_session, session), |hook, info| hook.after_transfer(info, &end))
}

/// Tells the hooks of a transfer that was open, and was closed with its sync session before it came to its end.
pub(crate) fn closed_unfinished(home: &Home, guests: &Guests, sync_session: &SyncSession, session: &TransferSession) {
    let failure = session.error.clone().unwrap_or_else(|| format!("it was closed at the stage {}", session.stage));
    ended(home, guests, sync_session, session, Some(failure));
}

/// Closes a sync session by `close`, and tells the hooks of the transfers that were still open in it.
///
/// # Errors
/// Those of `close`, or the storage's: then nobody is told.
pub(crate) fn closing(
    home: &Home,
    guests: &Guests,
    sync_session: &SyncSession,
    close: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if home.guests.hooks.is_empty() && guests.hooks.is_empty() {
        return close();
    }
    let transfers = home.storage.transfer_sessions(&sync_session.id, limits::TRANSFERS_LISTED_MAX)?;
    close()?;
    for transfer in transfers.iter().filter(|transfer| transfer.is_active) {
        closed_unfinished(home, guests, sync_session, transfer);
    }
    Ok(())
}

struct Call<'a> {
    home: &'a Home,
    guests: &'a Guests,
    moment: HookMoment,
    sync_session: SyncSessionId,
    transfer_session: Option<TransferSessionId>,
}

impl Call<'_> {
    /// Calls those of the engine, then those of this sync.
    fn make(
        &self,
        info: impl FnOnce() -> Result<TransferInfo>,
        call: impl Fn(&dyn Hook, &TransferInfo) -> Result<(), GuestError>,
    ) -> Vec<HookFailure> {
        let hooks: Vec<&Arc<dyn Hook>> = self.home.guests.hooks.iter().chain(&self.guests.hooks).collect();
        if hooks.is_empty() {
            return Vec::new();
        }
        // What cannot be found out is every hook's failure: none of them can be told.
        let info = info().map_err(|error| error.report());
        let failures = hooks.into_iter().filter_map(|hook| {
            let outcome = match &info {
                Ok(info) => caught(|| call(&**hook, info)),
                Err(reason) => Err(reason.clone()),
            };
            outcome.err().map(|reason| self.tell(hook.name(), reason))
        });
        failures.collect()
    }

    fn tell(&self, hook: &str, reason: String) -> HookFailure {
        let failure = HookFailure { hook: hook.to_owned(), moment: self.moment, reason };
        tracing::error!(hook, moment = ?self.moment, reason = failure.reason, "a hook failed; the sync goes on");
        let event = Event::HookFailed {
            sync_session: self.sync_session,
            transfer_session: self.transfer_session,
            failure: failure.clone(),
        };
        self.home.tell(&event);
        self.guests.tell(&event);
        failure
    }
}

/// Calls a guest; an error and a panic are both told by their text.
fn caught(call: impl FnOnce() -> Result<(), GuestError>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(outcome) => outcome.map_err(|error| text_of(&*error)),
        Err(panic) => Err(panic_text(&*panic)),
    }
}

/// An error with those below it.
fn text_of(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a text"))
}
