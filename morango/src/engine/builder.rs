//! How an engine is made: what it may be told, and the order in which it is put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Engine;
use crate::counter::Instances;
use crate::hook::{Event, Hook, RenewalCause};
use crate::identity::SystemFacts;
use crate::model::Registry;
use crate::port::{Clock, FailedBefore, Storage, SystemClock};
use crate::session::{Capabilities, Capability};
use crate::transfer::{
    CurrentInstance, Guests, Home, Occasion, Operation, SingleUserScope, Upkeep, Workers, known_elsewhere, look_after,
};
use crate::{Error, ErrorKind, Result, limits};

/// Makes an [`Engine`]. All that it may be told has a default.
pub struct EngineBuilder {
    storage: Arc<dyn Storage>,
    registry: Option<Arc<Registry>>,
    clock: Arc<dyn Clock>,
    facts: Option<SystemFacts>,
    capabilities: Capabilities,
    instance_info: Map<String, Value>,
    guests: Guests,
    single_user_scopes: Vec<SingleUserScope>,
    sessions_idle: Duration,
    sessions_kept: Duration,
    failed_before: FailedBefore,
    serializing: Occasion,
    deserializing: Occasion,
    instances_told: Instances,
}

impl EngineBuilder {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            registry: None,
            clock: Arc::new(SystemClock::default()),
            facts: None,
            capabilities: Capabilities::ours(),
            instance_info: Map::new(),
            guests: Guests::default(),
            single_user_scopes: Vec::new(),
            sessions_idle: Duration::from_secs(limits::SESSION_IDLE_SECONDS_DEFAULT),
            sessions_kept: Duration::from_secs(limits::SESSION_KEPT_SECONDS_DEFAULT),
            failed_before: FailedBefore::default(),
            serializing: Occasion::default(),
            deserializing: Occasion::default(),
            instances_told: Instances::default(),
        }
    }

    /// The models and scope definitions to use, in place of all that are in the program.
    #[must_use]
    pub fn registry(mut self, registry: impl Into<Arc<Registry>>) -> Self {
        self.registry = Some(registry.into());
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// What to believe of the machine, in place of what it says: for tests that play several machines on one.
    #[must_use]
    pub fn system_facts(mut self, facts: SystemFacts) -> Self {
        self.facts = Some(facts);
        self
    }

    /// What this peer announces that it can do, in place of [`Capabilities::ours`].
    #[must_use]
    pub fn capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Lets peers give this one certificates, with which it can then speak: whoever has a school may bring it here, and from
    /// then on its devices can sync with this peer. Off unless it is said.
    #[must_use]
    pub fn allow_certificate_pushing(mut self) -> Self {
        self.capabilities = self.capabilities.with(Capability::AllowCertificatePushing);
        self
    }

    /// What the application says of this instance to its peers, beside what the engine says, for example its own version.
    #[must_use]
    pub fn instance_info(mut self, info: Map<String, Value>) -> Self {
        self.instance_info = info;
        self
    }

    /// Somebody who is told of everything that happens. It is called on the engine's threads and should return soon.
    #[must_use]
    pub fn on_event(mut self, watcher: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.guests.watchers.push(Arc::new(watcher));
        self
    }

    /// Somebody who is told before and after every transfer, in the order in which they are named here.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.guests.hooks.push(Arc::new(hook));
        self
    }

    /// An application's own part in a stage of every transfer, in which this peer is the client or the server.
    #[must_use]
    pub fn operation(mut self, operation: impl Operation) -> Self {
        self.guests.operations.push(Arc::new(operation));
        self
    }

    /// Says that the certificates of a scope definition are single users', and which of its parameters is the user's id.
    /// Hooks and operations are then told whether either side has such a certificate, and whose it is.
    #[must_use]
    pub fn single_user_scope(mut self, definition: impl Into<String>, user_parameter: impl Into<String>) -> Self {
        let (definition, user_parameter) = (definition.into(), user_parameter.into());
        self.single_user_scopes.push(SingleUserScope { definition, user_parameter });
        self
    }

    /// How long a sync session may be left alone before the engine closes it and frees its buffers, in place of
    /// [`limits::SESSION_IDLE_SECONDS_DEFAULT`]. It looks for such sessions when it is built and, now and then, when another one
    /// is opened.
    #[must_use]
    pub fn close_sessions_idle_for(mut self, idle: Duration) -> Self {
        self.sessions_idle = idle;
        self
    }

    /// How long a closed sync session is kept, with its transfers and what was refused in them, in place of
    /// [`limits::SESSION_KEPT_SECONDS_DEFAULT`]. Sessions in which a record came that still waits are kept as long as it does. The
    /// engine forgets them when it looks for those that nobody uses; and with them certificates that peers showed which have
    /// nothing in common with one of ours.
    #[must_use]
    pub fn keep_closed_sessions_for(mut self, kept: Duration) -> Self {
        self.sessions_kept = kept;
        self
    }

    /// What deserializing does with records that failed before: on a device where many wait for good, passing them by is
    /// faster. A sync may say otherwise for itself.
    #[must_use]
    pub fn failed_before(mut self, failed_before: FailedBefore) -> Self {
        self.failed_before = failed_before;
        self
    }

    /// Leaves the application's changes alone in syncs: [`Engine::serialize`] brings them into the store when the application asks
    /// for it, and until then no sync sends them. Serialize under the filter that is synced, or under
    /// [`Filter::everything`](crate::scope::Filter::everything), since a sync tells of what was serialized under its filter.
    ///
    /// No change is ever written over for that. Where records came that wait to become rows, or to have rows deleted, all changes of the
    /// profile are serialized before the first row is written: what came meets them there, both contents are kept, and the next push
    /// sends them. A sync that only sends, or that gets nothing, leaves them alone; and so does every sync with
    /// [`deserialize_apart`](Self::deserialize_apart), where it is [`Engine::deserialize`] that serializes first.
    #[must_use]
    pub fn serialize_apart(mut self) -> Self {
        self.serializing = Occasion::Apart;
        self
    }

    /// Leaves received records in the store in syncs: [`Engine::deserialize`] makes rows of them when the application asks for
    /// it. Others get them from here all the same.
    #[must_use]
    pub fn deserialize_apart(mut self) -> Self {
        self.deserializing = Occasion::Apart;
        self
    }

    /// Tells a receiver the counters of every instance, also of those of which there is nothing to send: it then claims to have
    /// all of theirs as well. Without it, such counters are left out, which makes the exchange shorter where many devices come and go.
    #[must_use]
    pub fn tell_all_counters(mut self) -> Self {
        self.instances_told = Instances::All;
        self
    }

    /// Puts the engine together: checks the registry, brings the storage up to date, and finds out which instance this is.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] where models or scopes contradict each other, or two operations of one name are in one part
    /// of a stage; and those of [`Storage::prepare`].
    pub fn build(self) -> Result<Engine> {
        // Whoever says which models there are also says who takes part.
        let (registry, guests) = match self.registry {
            Some(registry) => (registry, self.guests),
            None => (Arc::new(Registry::collect()?), self.guests.after_those_linked()),
        };
        Guests::NONE.check_beside(&guests)?;
        let storage = self.storage;
        storage.prepare(&registry)?;
        let facts = self.facts.unwrap_or_else(SystemFacts::read);
        let former = storage.renew_if_copied()?.map(|_| storage.own_counters().ok().map(|own| own.instance));
        let database_id = storage.database_id()?;
        let instance = CurrentInstance::new(facts, storage.location(), database_id);
        let renewed = instance.adopt(&*storage, database_id, self.clock.now())?;
        let home = Home {
            storage,
            registry,
            clock: self.clock,
            instance,
            instance_info: self.instance_info,
            capabilities: self.capabilities,
            guests,
            single_user_scopes: self.single_user_scopes,
            failed_before: self.failed_before,
            serializing: self.serializing,
            deserializing: self.deserializing,
            instances_told: self.instances_told,
            workers: Workers::default(),
            upkeep: Upkeep::new(self.sessions_idle, self.sessions_kept),
        };
        if home.instance_json().len() > limits::INSTANCE_BYTES_MAX {
            let message = format!("build the engine: its instance info is over {} bytes", limits::INSTANCE_BYTES_MAX);
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        let instance = home.instance();
        if let Some(former) = former {
            tracing::warn!(current = %instance.id, "this database is a copy or was restored, and has a new id");
            home.tell(&Event::InstanceRenewed { former, current: instance.id, cause: RenewalCause::Copied });
        }
        if let Some(renewed) = renewed {
            home.tell(&known_elsewhere(&renewed));
        }
        look_after(&home);
        tracing::info!(instance = %instance.id, storage = instance.db_path, "the engine is ready");
        Ok(Engine { home: Arc::new(home) })
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EngineBuilder").field("storage", &self.storage.location()).finish_non_exhaustive()
    }
}
