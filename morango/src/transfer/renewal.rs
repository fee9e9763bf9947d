//! Which instance this peer is, and how it becomes another one where somebody counted on in its name.
//!
//! A database that was restored counts again from where the backup was. What it saves then has numbers that others know for
//! something else. They say so themselves: they know of counters that this database never told anybody of. A peer may lie about
//! that. What comes of it is one instance more, a few times an hour ([`limits::RENEWALS_MAX`]) at most, and some records that had
//! not left yet get other numbers: nothing is lost, and nothing else changes.
//!
//! While a database is another instance, as with a network card that is plugged in, nobody looks at what comes of the one that it was.
//! So that is looked at when it would be that one again.

use std::cell::Cell;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, TimeDelta, Utc};

use super::context::{Context, Home};
use super::work::Work;
use crate::hook::{Event, RenewalCause};
use crate::id::DatabaseId;
use crate::identity::{Instance, SystemFacts};
use crate::port::{Adoption, Renewal, Renewed, Storage};
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

    /// Has the storage adopt the instance that goes with this id. Where more is known of that one than it counted, the database gets a
    /// new id and is the instance that goes with that: says so, if it does.
    pub(crate) fn adopt(
        &self,
        storage: &dyn Storage,
        database_id: DatabaseId,
        now: DateTime<Utc>,
    ) -> Result<Option<Renewed>> {
        let instance = self.derive(database_id);
        match storage.adopt_instance(&instance)? {
            Adoption::Adopted => {
                self.set(instance);
                Ok(None)
            }
            Adoption::KnownBeyond => {
                // Another program may renew the id once more before this one looks: then that is taken up later.
                let drawn = Cell::new(database_id);
                let successor = |database_id| {
                    drawn.set(database_id);
                    self.derive(database_id)
                };
                let renewed = renew_now(storage, &successor, now)?;
                self.set(self.derive(drawn.get()));
                tracing::warn!(known = %instance.id, current = %renewed.current, "others know more of the instance that this \
                    database would be again than is here: it is a copy or was restored, and has a new id");
                Ok(Some(renewed))
            }
        }
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
            let renewed = self.instance.adopt(&*self.storage, database_id, self.clock.now())?;
            if let Some(renewed) = renewed {
                self.tell(&known_elsewhere(&renewed));
            }
        }
        Ok(())
    }
}

/// Becomes another instance, because the application asks for it.
pub(crate) fn renew(home: &Home) -> Result<Renewed> {
    let renewed = renew_now(&*home.storage, &|database_id| home.instance_with(database_id), home.clock.now())?;
    take_up_as_asked(home, &renewed)?;
    Ok(renewed)
}

/// Becomes another instance, whenever that was done last.
fn renew_now(storage: &dyn Storage, successor: &dyn Fn(DatabaseId) -> Instance, now: DateTime<Utc>) -> Result<Renewed> {
    storage.renew_instance(&Renewal { successor, now, unless_since: None })?.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "renew the database's id: the storage did not, without a reason to wait")
    })
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
    let event = known_elsewhere(renewed);
    home.tell(&event);
    context.guests.tell(&event);
    Ok(())
}

/// What is told where a database is another one because others know more of it.
pub(crate) fn known_elsewhere(renewed: &Renewed) -> Event {
    told(renewed, RenewalCause::KnownElsewhere)
}

fn told(renewed: &Renewed, cause: RenewalCause) -> Event {
    Event::InstanceRenewed { former: Some(renewed.former), current: renewed.current, cause }
}
