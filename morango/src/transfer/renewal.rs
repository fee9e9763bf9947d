//! Which instance this peer is, and how it becomes another one where somebody counted on in its name.
//!
//! A database that was restored counts again from where the backup was. What it saves then has numbers that others know for
//! something else. They say so themselves: they know of counters that this database never told anybody of. A peer may lie about
//! that. What comes of it is one instance more, a few times an hour ([`limits::RENEWALS_MAX`]) at most, and some records that had
//! not left yet get other numbers: nothing is lost, and nothing else changes.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::TimeDelta;

use super::context::{Context, Home};
use super::work::Work;
use crate::hook::{Event, RenewalCause};
use crate::id::DatabaseId;
use crate::identity::{Instance, SystemFacts};
use crate::port::{Renewal, Renewed};
use crate::{Error, ErrorKind, Result, limits};

/// The instance that this peer is, with what it follows from.
#[derive(Debug)]
pub(crate) struct CurrentInstance {
    facts: SystemFacts,
    location: String,
    current: RwLock<Arc<Instance>>,
}

impl CurrentInstance {
    pub(crate) fn new(facts: SystemFacts, location: String, database_id: DatabaseId) -> Self {
        let instance = Instance::derive(database_id, location.clone(), &facts);
        Self { facts, location, current: RwLock::new(Arc::new(instance)) }
    }

    pub(crate) fn get(&self) -> Arc<Instance> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn derive(&self, database_id: DatabaseId) -> Instance {
        Instance::derive(database_id, self.location.clone(), &self.facts)
    }

    fn set(&self, instance: Instance) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(instance);
    }
}

impl Home {
    /// Which instance this is where the database has this id.
    pub(crate) fn instance_with(&self, database_id: DatabaseId) -> Instance {
        self.instance.derive(database_id)
    }

    /// Looks which instance the database is by now: another program, or a stage of ours, may have made it another one.
    pub(crate) fn take_up_instance(&self) -> Result<()> {
        let database_id = self.storage.database_id()?;
        if database_id != self.instance().database_id {
            let instance = self.instance_with(database_id);
            self.storage.adopt_instance(&instance)?;
            self.instance.set(instance);
        }
        Ok(())
    }
}

/// Becomes another instance, because the application asks for it.
pub(crate) fn renew(home: &Home) -> Result<Renewed> {
    let successor = |database_id| home.instance_with(database_id);
    let order = Renewal { successor: &successor, now: home.clock.now(), unless_since: None };
    let renewed = home.storage.renew_instance(&order)?.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "renew the database's id: the storage did not, without a reason to wait")
    })?;
    take_up_as_asked(home, &renewed)?;
    Ok(renewed)
}

/// Takes up the instance that the storage has become because the application asked for it, and tells of it.
pub(crate) fn take_up_as_asked(home: &Home, renewed: &Renewed) -> Result<()> {
    home.take_up_instance()?;
    home.tell(&told(renewed, RenewalCause::Asked));
    Ok(())
}

/// Becomes another instance, because a peer knows of this counter of ours and this database told nobody of it. Says whether it
/// did: where it did so often lately it does not, and the peer's claim is merely not believed.
pub(super) fn become_another(context: &mut Context<'_>, work: &mut Work<'_>, known: i64) -> Result<bool> {
    let home = context.home;
    let now = home.clock.now();
    let successor = |database_id| home.instance_with(database_id);
    let unless_since = now.checked_sub_signed(TimeDelta::seconds(limits::RENEWALS_SECONDS));
    let renewed = work.renew_instance(&Renewal { successor: &successor, now, unless_since })?;
    let is_another = renewed.is_some();
    if is_another {
        context.results.renewed = renewed;
    } else {
        tracing::warn!(known, "a peer knows of changes of this instance that are not here, soon after many renewals");
    }
    Ok(is_another)
}

/// Takes up the instance that a stage has become, once that is committed, and tells of it.
pub(super) fn settle(context: &Context<'_>) -> Result<()> {
    let home = context.home;
    let Some(renewed) = &context.results.renewed else { return Ok(()) };
    if home.instance().id == renewed.current {
        return Ok(());
    }
    home.take_up_instance()?;
    let Renewed { former, current, restamped } = renewed;
    tracing::warn!(%former, %current, restamped, "a peer knows more of this instance than is here: this database is a copy \
        or was restored, and has a new id");
    let event = told(renewed, RenewalCause::KnownElsewhere);
    home.tell(&event);
    context.guests.tell(&event);
    Ok(())
}

fn told(renewed: &Renewed, cause: RenewalCause) -> Event {
    Event::InstanceRenewed { former: Some(renewed.former), current: renewed.current, cause }
}
