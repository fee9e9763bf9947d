//! What a client wants of one transfer, and how far the peer may change that.

use super::cancel::CancelToken;
use super::fsic::Exchange;
use super::guests::Guests;
use super::lease::Lease;
use crate::port::FailedBefore;
use crate::scope::{Filter, Reach};
use crate::session::{Direction, SyncSession, TransferSession};
use crate::{Error, ErrorKind, Result};

/// What a client wants of one transfer.
pub(crate) struct Order<'a> {
    pub(crate) sync_session: &'a SyncSession,
    /// The right to work in it.
    pub(crate) lease: &'a Lease<'a>,
    /// A transfer that was begun before and is to be taken up again.
    pub(crate) begun: Option<TransferSession>,
    /// What becomes of the transfer where it is broken off.
    pub(crate) breaking_off: BreakingOff,
    pub(crate) direction: Direction,
    pub(crate) filter: &'a Filter,
    /// How far a peer may widen the filter.
    pub(crate) widening: Widening<'a>,
    pub(crate) chunk_records: usize,
    pub(crate) guests: &'a Guests,
    pub(crate) failed_before: FailedBefore,
    pub(crate) cancel: &'a CancelToken,
}

/// What becomes of sessions whose work is broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakingOff {
    /// They stay open where the reason may pass, to be taken up again.
    ByReason,
    /// They stay open where somebody asked to stop, too.
    EvenIfCancelled,
}

impl BreakingOff {
    /// Whether the work may be taken up again after this.
    pub(crate) fn leaves_open(self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::StorageBusy => true,
            ErrorKind::PeerRefused => error.is_retryable(),
            ErrorKind::Cancelled => self == Self::EvenIfCancelled,
            _ => false,
        }
    }
}

/// How far a peer may widen the filter of a transfer: below the root that both certificates share, and not beyond what its own
/// certificate allows it to give or to be given.
pub(crate) struct Widening<'a> {
    /// The partition under which both certificates lie, if they share one.
    pub(crate) shared_root: Option<String>,
    /// On a pull what the peer may write, on a push what it may read.
    pub(crate) reach: &'a Reach,
}

impl Widening<'_> {
    /// Whether a peer may make this of the filter that it was asked for. It may never narrow it.
    fn allows(&self, asked: &Filter, answered: &Filter) -> bool {
        let is_below_root =
            |prefix: &str| self.shared_root.as_ref().is_some_and(|root| prefix.starts_with(root.as_str()));
        let may_have = |prefix: &str| asked.contains(prefix) || (is_below_root(prefix) && self.reach.contains(prefix));
        asked.is_subset_of(answered) && answered.prefixes().iter().all(|prefix| may_have(prefix))
    }
}

impl Order<'_> {
    /// What the exchange of counters will be about.
    pub(super) fn exchange(&self) -> Exchange<'_> {
        Exchange::to_come(self.sync_session, self.direction, self.filter)
    }

    /// Goes along with a filter that the peer widened, where it may.
    ///
    /// # Errors
    /// [`ErrorKind::PeerAnswerUnexpected`] where it may not, or narrowed it.
    pub(super) fn check_answer(&self, answered: &Filter) -> Result<()> {
        if self.filter == answered {
            return Ok(());
        }
        if self.widening.allows(self.filter, answered) {
            tracing::info!(filter = %answered, "the peer widened the filter");
            return Ok(());
        }
        let message = format!("sync the filter {}: the peer made {answered} of it, which it may not", self.filter);
        Err(Error::new(ErrorKind::PeerAnswerUnexpected, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_widened_only_below_the_shared_root_and_within_the_peers_own_reach() {
        let filter = |prefixes: &[&str]| Filter::new(prefixes.iter().copied()).expect("good prefixes");
        let reach = Reach::Within(filter(&["root:classes", "other"]));
        let asked = filter(&["root:me"]);
        let allows = |shared_root: Option<&str>, answered: &[&str]| {
            Widening { shared_root: shared_root.map(str::to_owned), reach: &reach }.allows(&asked, &filter(answered))
        };
        assert!(allows(Some("root"), &["root:me", "root:classes:7"]));
        assert!(!allows(None, &["root:me", "root:classes:7"]), "they share no root");
        assert!(!allows(Some("root"), &["root:me", "other"]), "that is not below the root");
        assert!(!allows(Some("root"), &["root:me", "root:grades"]), "the peer has no right to that");
        assert!(!allows(Some("root"), &["root"]), "that is everything below the root");
        assert!(!allows(Some("root"), &["root:me:1"]), "a filter is not narrowed");
        let everything = Widening { shared_root: Some("root".to_owned()), reach: &reach };
        assert!(!everything.allows(&asked, &Filter::everything()));
    }
}
