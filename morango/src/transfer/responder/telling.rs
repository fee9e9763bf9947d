//! What the server tells of stages that it merely takes note of: they are events like those at which it works.

use crate::hook::Phase;
use crate::session::{Stage, StageStatus, TransferSession};
use crate::transfer::context::{self, Home};
use crate::transfer::guests::Guests;

/// Tells which stages a transfer came through from one state to another, and how far its chunks are.
pub(super) fn tell(home: &Home, before: &TransferSession, after: &TransferSession) {
    for (stage, phase) in phases(before, after) {
        context::tell(home, Guests::NONE, after, stage, phase);
    }
}

/// Tells that a transfer is being opened, at which operations have a part.
pub(super) fn tell_begun(home: &Home, session: &TransferSession) {
    context::tell(home, Guests::NONE, session, Stage::Initializing, Phase::Started);
}

/// Tells that a transfer was opened.
pub(super) fn tell_opened(home: &Home, session: &TransferSession) {
    for phase in [Phase::Started, context::progress_of(Stage::Initializing, session), Phase::Completed] {
        context::tell(home, Guests::NONE, session, Stage::Initializing, phase);
    }
}

fn phases(before: &TransferSession, after: &TransferSession) -> Vec<(Stage, Phase)> {
    let mut phases = Vec::new();
    for stage in Stage::ALL.into_iter().filter(|stage| (before.stage..=after.stage).contains(stage)) {
        let was_done = stage == before.stage && before.status == StageStatus::Completed;
        if was_done {
            continue;
        }
        let (starts, ends) = (stage > before.stage, stage < after.stage || after.status == StageStatus::Completed);
        let has_moved = stage == Stage::Transferring && after.records_transferred > before.records_transferred;
        let told = [
            starts.then_some(Phase::Started),
            (has_moved || (starts && ends)).then(|| context::progress_of(stage, after)),
            ends.then_some(Phase::Completed),
        ];
        phases.extend(told.into_iter().flatten().map(|phase| (stage, phase)));
    }
    phases
}

#[cfg(test)]
mod tests {
    use super::super::proceed::tests::session;
    use super::*;
    use crate::port::Progress;
    use crate::session::StageStatus::{Completed, Pending};

    #[test]
    fn each_stage_that_is_passed_is_told_once_and_in_order() {
        let at = |stage, status, transferred| {
            let mut session = session(stage, status);
            session.records_total = Some(5);
            session.records_transferred = transferred;
            session
        };
        let progress = |done| Phase::InProgress(Progress { done, total: Some(5) });
        let queued = at(Stage::Queuing, Completed, 0);
        let (some, all) = (at(Stage::Transferring, Pending, 2), at(Stage::Transferring, Completed, 5));
        assert_eq!(phases(&queued, &some), [(Stage::Transferring, Phase::Started), (Stage::Transferring, progress(2))]);
        assert_eq!(phases(&some, &all), [(Stage::Transferring, progress(5)), (Stage::Transferring, Phase::Completed)]);
        assert_eq!(phases(&some, &some), []);
        assert_eq!(phases(&all, &all), []);
        let dequeued = at(Stage::Dequeuing, Completed, 5);
        let step = Phase::InProgress(Progress { done: 0, total: None });
        let of_dequeuing = [Phase::Started, step, Phase::Completed].map(|phase| (Stage::Dequeuing, phase));
        assert_eq!(phases(&all, &dequeued), of_dequeuing);
    }
}
