//! *Dequeue*: what was received is merged into the store, and at the very end the database max counters are raised.

use morango::counter::{CounterError, Stamp};
use morango::port::{DequeueReport, Rejection};
use morango::record::{RecordError, Relation, StoreRecord, give_way, merge, relation};
use morango::scope::Reach;
use morango::session::TransferSession;
use morango::{Result, limits};

use crate::data::RowState;
use crate::state::State;

impl State {
    /// The counter moves by one if anything was received, whether or not it changes anything; each record is merged by
    /// [`relation`] and [`merge`], or by [`give_way`] where this instance may not write.
    pub(crate) fn dequeue(&mut self, session: &TransferSession, writable: &Reach) -> Result<DequeueReport> {
        self.open_transfer(&session.id)?;
        let mut report = DequeueReport::default();
        let chunks = self.incoming.remove(&session.id).unwrap_or_default();
        if !chunks.is_empty() {
            let saved = self.data.raise_counter()?;
            for chunk in chunks {
                report.new += chunk.inserted;
                for record in &chunk.others {
                    match self.merge(session, record, writable, saved) {
                        Ok(Relation::New) => report.new += 1,
                        Ok(Relation::FastForward) => report.fast_forwarded += 1,
                        Ok(Relation::AlreadySeen) => report.already_seen += 1,
                        Ok(Relation::Conflict) => report.conflicts += 1,
                        Err(error) => self.keep_rejection(
                            session.id,
                            Rejection {
                                claimed_id: record.id.to_string(),
                                reason: error.to_string(),
                                received: record.serialized.clone(),
                            },
                        ),
                    }
                }
            }
        }
        self.claim(session)?;
        Ok(report)
    }

    /// Who may write what hangs on where a record belongs: that is looked at again of what passed the gate.
    fn merge(
        &mut self,
        session: &TransferSession,
        theirs: &StoreRecord,
        writable: &Reach,
        saved: Stamp,
    ) -> Result<Relation, RecordError> {
        if theirs.profile != session.profile {
            return Err(RecordError::Profile { profile: theirs.profile.clone() });
        }
        if !session.filter.contains(&theirs.partition) {
            return Err(RecordError::OutsideFilter { partition: theirs.partition.clone() });
        }
        let Some(held) = self.data.store.get(&theirs.id) else {
            self.data.insert(theirs.clone(), RowState::Waits, Some(session.id));
            return Ok(Relation::New);
        };
        held.record.check_same(theirs)?;
        let ours = held.record.clone();
        let found = relation(Some((&ours.last_saved, &ours.counters)), (&theirs.last_saved, &theirs.counters));
        let mut both = ours.counters.clone();
        both.merge_max(&theirs.counters);
        if found != Relation::AlreadySeen && both.len() > limits::RECORD_MAX_COUNTERS_MAX.max(ours.counters.len()) {
            return Err(CounterError::TooMany { max: limits::RECORD_MAX_COUNTERS_MAX }.into());
        }
        let mut gave_way = None;
        let becomes = match found {
            Relation::AlreadySeen | Relation::New => return Ok(found),
            Relation::FastForward => {
                let mut record = theirs.clone();
                record.counters.merge_max(&ours.counters);
                record
            }
            Relation::Conflict if !writable.contains(&theirs.partition) => {
                gave_way = Some(theirs.last_saved);
                give_way(&ours, theirs, self.data.instances.contains_key(&ours.last_saved.instance))
            }
            Relation::Conflict => merge(self.data.definition(&ours), &ours, theirs, saved).record,
        };
        let held = self.data.store.get_mut(&theirs.id).expect("it was there");
        held.begin_waiting();
        if found == Relation::Conflict {
            // Where ours gave way the record bears theirs still.
            let theirs = gave_way.is_none().then_some(theirs.last_saved);
            let both = std::iter::once(ours.last_saved).chain(theirs);
            held.merged.extend(both.filter(|merged| merged.instance != saved.instance));
        }
        held.record = becomes;
        held.transfer = Some(session.id);
        held.gave_way = gave_way;
        Ok(found)
    }

    /// Raises the database max counters to the producer's.
    fn claim(&mut self, session: &TransferSession) -> Result<()> {
        let raising = self.raising(session)?;
        let has_raised = !raising.is_empty();
        if !raising.is_empty() {
            // What waited to be merged goes when the session is closed.
            self.open_transfer(&session.id)?;
        }
        for (partition, stamp) in raising {
            if self.data.counters.raise(&partition, stamp) {
                self.data.forget_unclaimed(&partition, stamp);
            }
        }
        for held in self.data.store.values_mut().filter(|_| has_raised) {
            held.merged.retain(|stamp| !self.data.counters.covers(&held.record.partition, *stamp));
        }
        Ok(())
    }

    /// What the producer claims beyond ours, but for what cannot be true: beyond the filter, beyond what a counter can be, beyond our own
    /// count of ourselves.
    fn raising(&self, session: &TransferSession) -> Result<Vec<(String, Stamp)>> {
        let ours = self.data.current_stamp()?;
        let mut raising = Vec::new();
        for (partition, counters) in session.completed_by()? {
            for (instance, counter) in counters {
                let stamp = Stamp::new(instance, counter);
                let is_own_future = instance == ours.instance && counter > ours.counter;
                let can_be = !is_own_future && stamp.checked().is_ok() && session.filter.contains(&partition);
                if can_be && self.data.counters.get(&partition, &instance).is_none_or(|claimed| claimed < counter) {
                    raising.push((partition.clone(), stamp));
                }
            }
        }
        Ok(raising)
    }
}
