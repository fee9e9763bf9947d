//! How an application takes a school off its device.

use super::Engine;
use crate::port::{Forgetting, Forgotten, Papers, Renewal, Unsent};
use crate::scope::Filter;
use crate::transfer::{certificates, take_up_as_asked};
use crate::{Result, id::CertificateId};

impl Engine {
    /// Takes everything under a root certificate off this database: rows of the application, records, what is known of who has
    /// them, what waits, and what was kept of syncs; with [`Papers::Forgotten`] the certificates too. Nobody else learns of it, and
    /// nothing is deleted elsewhere: a later pull brings everything back.
    ///
    /// It is one transaction, so that all of it is done or nothing; on a large database others wait for it. This database
    /// gets a new id with it, since what it saved itself comes back from others.
    ///
    /// What was changed here counts as handed over once a push of it is complete, a pull by somebody else was followed to its end, or a
    /// peer says in a later sync that it has it. A change that could not be serialized was never handed over; one that the other side
    /// refused counts as handed over, as it counts as received, so look at what a sync reports as refused before you forget.
    ///
    /// # Errors
    /// [`SessionConflict`](crate::ErrorKind::SessionConflict) where a sync session of that root is open;
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where something was changed here that nobody else is known to have, unless it
    /// may be [lost](Unsent::Lost); [`CertificateUnknown`](crate::ErrorKind::CertificateUnknown) for a root that is not here; or the
    /// storage fails, as where a table of the application does not let a row go.
    pub fn forget(&self, root: impl Into<CertificateId>, papers: Papers, unsent: Unsent) -> Result<Forgotten> {
        let (home, root) = (&self.home, root.into());
        let certificate = certificates::known(home, &root)?;
        let profile = certificate.profile();
        // However much was changed, it is serialized in transactions of its own; what is changed after that is little.
        self.serialize(profile, &Filter::new([root.to_string()])?)?;
        let successor = |database_id| home.instance_with(database_id);
        let renewal = Renewal { successor: &successor, now: home.clock.now(), unless_since: None };
        let forgotten = home.storage.forget(&Forgetting { profile, root, papers, unsent, renewal })?;
        take_up_as_asked(home, &forgotten.renewed)?;
        tracing::info!(%root, rows = forgotten.rows, records = forgotten.records, "took everything under a root off this database");
        Ok(forgotten)
    }
}
