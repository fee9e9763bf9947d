//! What a client wants of one transfer, and how far the peer may change that.

use std::cell::OnceCell;

use super::cancel::CancelToken;
use super::context::Home;
use super::fsic::Exchange;
use super::guests::Guests;
use super::lease::Lease;
use super::operations::Beginning;
use crate::port::{FailedBefore, Renewed};
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
    pub(crate) chunk_records: Option<usize>,
    pub(crate) guests: &'a Guests,
    pub(crate) failed_before: FailedBefore,
    pub(crate) cancel: &'a CancelToken,
    /// Where a transfer that fails leaves word that this database became another instance in it.
    pub(crate) renewed: &'a OnceCell<Renewed>,
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
            // Where our own database is out of reach, or has no room, nothing can be closed in it either.
            ErrorKind::Connection
            | ErrorKind::Timeout
            | ErrorKind::StorageBusy
            | ErrorKind::StorageUnavailable
            | ErrorKind::StorageFull => true,
            ErrorKind::PeerRefused => error.is_retryable(),
            ErrorKind::Cancelled => self == Self::EvenIfCancelled,
            ErrorKind::Configuration
            | ErrorKind::InvalidInput
            | ErrorKind::CertificateInvalid
            | ErrorKind::CertificateUnknown
            | ErrorKind::CertificateExceedsParent
            | ErrorKind::SignatureInvalid
            | ErrorKind::PrivateKeyMissing
            | ErrorKind::NonceInvalid
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::FilterOutsideScope
            | ErrorKind::SessionUnknown
            | ErrorKind::SessionConflict
            | ErrorKind::SessionGone
            | ErrorKind::SessionHeld
            | ErrorKind::PeerStageFailed
            | ErrorKind::RecordRejected
            | ErrorKind::RecordChanged
            | ErrorKind::MessageMalformed
            | ErrorKind::LimitExceeded
            | ErrorKind::PeerAnswerUnexpected
            | ErrorKind::PeerUntrusted
            | ErrorKind::StorageCorrupt
            | ErrorKind::Storage
            | ErrorKind::Operation
            | ErrorKind::Internal => false,
        }
    }
}

/// How far the filter of a transfer may be widened: below the root that both certificates share, and not beyond what the server's
/// certificate allows it to give or to be given.
pub(crate) struct Widening<'a> {
    /// The partition under which both certificates lie, if they share one.
    pub(crate) shared_root: Option<String>,
    /// On a pull what the server may write, on a push what it may read.
    pub(crate) reach: &'a Reach,
    /// What the certificate of whoever widens allows, where that is the client.
    pub(crate) own: Option<&'a Reach>,
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

/// A filter that is being widened on this side.
pub(super) struct Draft<'a> {
    pub(super) filter: Filter,
    pub(super) widening: &'a Widening<'a>,
}

impl Draft<'_> {
    /// Adds prefixes.
    ///
    /// # Errors
    /// [`ErrorKind::FilterOutsideScope`] where one of them may not be added.
    pub(super) fn add(&mut self, more: &Filter) -> Result<()> {
        let wider = self.filter.union(more).minimized();
        let is_own =
            |prefix: &str| self.filter.contains(prefix) || self.widening.own.is_none_or(|reach| reach.contains(prefix));
        let is_allowed =
            self.widening.allows(&self.filter, &wider) && wider.prefixes().iter().all(|prefix| is_own(prefix));
        if !is_allowed {
            let message = format!("widen the filter {} by {more}: that is outside of the scopes", self.filter);
            return Err(Error::new(ErrorKind::FilterOutsideScope, message)
                .with_hint("a prefix must lie below the root of both certificates and within the server's scope"));
        }
        self.filter = wider;
        Ok(())
    }
}

impl Order<'_> {
    /// What the exchange of counters will be about, under the filter that is asked for.
    pub(super) fn exchange<'a>(&'a self, asked: &'a Filter) -> Exchange<'a> {
        Exchange::to_come(self.sync_session, self.direction, asked)
    }

    /// What its operations are told before there is a session.
    pub(super) fn beginning<'a>(&'a self, home: &'a Home) -> Beginning<'a> {
        Beginning {
            home,
            guests: self.guests,
            sync_session: self.sync_session,
            direction: self.direction,
            filter: self.filter,
            widening: &self.widening,
            cancel: self.cancel,
        }
    }

    /// Goes along with a filter that the peer widened, where it may.
    ///
    /// # Errors
    /// [`ErrorKind::PeerAnswerUnexpected`] where it may not, or narrowed it.
    pub(super) fn check_answer(&self, asked: &Filter, answered: &Filter) -> Result<()> {
        if asked == answered {
            return Ok(());
        }
        if self.widening.allows(asked, answered) {
            tracing::info!(filter = %answered, "the peer widened the filter");
            return Ok(());
        }
        let message = format!("sync the filter {asked}: the peer made {answered} of it, which it may not");
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
            Widening { shared_root: shared_root.map(str::to_owned), reach: &reach, own: None }
                .allows(&asked, &filter(answered))
        };
        assert!(allows(Some("root"), &["root:me", "root:classes:7"]));
        assert!(!allows(None, &["root:me", "root:classes:7"]), "they share no root");
        assert!(!allows(Some("root"), &["root:me", "other"]), "that is not below the root");
        assert!(!allows(Some("root"), &["root:me", "root:grades"]), "the peer has no right to that");
        assert!(!allows(Some("root"), &["root"]), "that is everything below the root");
        assert!(!allows(Some("root"), &["root:me:1"]), "a filter is not narrowed");
        let everything = Widening { shared_root: Some("root".to_owned()), reach: &reach, own: None };
        assert!(!everything.allows(&asked, &Filter::everything()));
    }

    #[test]
    fn a_client_widens_within_both_scopes_only() {
        let filter = |prefixes: &[&str]| Filter::new(prefixes.iter().copied()).expect("good prefixes");
        let (theirs, ours) =
            (Reach::Within(filter(&["root:a", "root:b"])), Reach::Within(filter(&["root:b", "root:c"])));
        let widening = |own| Widening { shared_root: Some("root".to_owned()), reach: &theirs, own };
        let (client, server) = (widening(Some(&ours)), widening(None));
        let add = |widening, prefix| {
            let mut draft = Draft { filter: filter(&["root:b:1"]), widening };
            draft.add(&filter(&[prefix])).map(|()| draft.filter)
        };
        assert_eq!(add(&client, "root:b").expect("in both"), filter(&["root:b"]));
        assert_eq!(add(&server, "root:a:7").expect("in the server's"), filter(&["root:a:7", "root:b:1"]));
        for (widening, prefix) in [(&client, "root:a"), (&client, "root:c"), (&server, "root:c"), (&server, "root")] {
            let error = add(widening, prefix).expect_err("not in the scopes");
            assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{prefix}");
        }
    }
}
