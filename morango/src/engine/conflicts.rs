//! What an application can do about conflicts: see them, and decide.
//!
//! Morango's rule keeps both contents of a record that two devices changed apart, and lets one of them stand. A model's merge policy
//! decides most such cases by itself; what no policy took in is kept, and can be decided on here.

use std::ops::ControlFlow;

use super::Engine;
use crate::id::SyncId;
use crate::record::{Conflict, ConflictPage, Resolution};
use crate::scope::Filter;
use crate::{Result, limits};

impl Engine {
    /// A page of the records under a filter that are in conflict: each with what stands in it and what lost. It holds at most
    /// `limit` records (and never more than [`limits::CONFLICTS_LISTED_MAX`]), fewer where they are large, and says after which the
    /// next page begins.
    ///
    /// Rows that the application changed are serialized first, so that what is shown is what is there.
    ///
    /// ```no_run
    /// # use morango::prelude::*;
    /// # fn decide(engine: &Engine) -> morango::Result<()> {
    /// let mut page = engine.conflicts("notebook", &Filter::everything(), None, 50)?;
    /// loop {
    ///     for conflict in &page.conflicts {
    ///         println!("{} {}: {:?} or {:?}", conflict.model, conflict.id, conflict.ours, conflict.theirs);
    ///         engine.resolve_conflict(conflict, &Resolution::TakeTheirs(0))?;
    ///     }
    ///     let Some(last) = page.next else { return Ok(()) };
    ///     page = engine.conflicts("notebook", &Filter::everything(), Some(&last), 50)?;
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// The storage fails.
    pub fn conflicts(
        &self,
        profile: &str,
        filter: &Filter,
        after: Option<&SyncId>,
        limit: usize,
    ) -> Result<ConflictPage> {
        self.home.storage.serialize(profile, filter, &|_| ControlFlow::Continue(()))?;
        let limit = limit.clamp(1, limits::CONFLICTS_LISTED_MAX);
        Ok(ConflictPage::of(self.home.storage.conflicts(profile, filter, after, limit)?))
    }

    /// Ends a conflict that was listed: the record, and its row, get the content that was decided on, and what lost is given up.
    ///
    /// It is a change like any other, made by this instance: it travels where the certificates let it, and whoever receives it has
    /// the conflict no longer. Where another device decides at the same time, the two decisions are a new conflict.
    ///
    /// # Errors
    /// [`RecordChanged`](crate::ErrorKind::RecordChanged) where the record or its row changed since it was listed: look at it again.
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) where the content cannot be this record's row, for its fields, a
    /// constraint of the table, or what it points at. Or the storage fails. Nothing is changed then.
    pub fn resolve_conflict(&self, conflict: &Conflict, resolution: &Resolution) -> Result<()> {
        let content = conflict.content_of(resolution)?;
        self.home.storage.resolve_conflict(&conflict.id, &conflict.last_saved, content.as_deref())
    }
}
