//! What this database says of itself after serializing: up to which count of its own it has everything under a prefix.

use morango::scope::Filter;

use crate::backend::Lock;
use crate::connection::Connection;
use crate::counters;
use crate::error::Fault;
use crate::transaction::{current_stamp, raise_counter};
use crate::transactions::Transactions;

/// Raises this instance's own database max counter for each prefix of the filter to its counter.
///
/// Before: every change that bears a stamp up to the counter is committed, since each was stamped in the transaction that
/// raised it. After: the entries say so. Where nothing was stamped and they said so already, nothing is written.
pub(super) fn claim(
    storage: &Transactions<'_>,
    operation: &str,
    (profile, filter): (&str, &Filter),
    has_stamped: bool,
) -> morango::Result<()> {
    if !has_stamped && storage.read(operation, |connection| is_claimed(connection, filter))? {
        return Ok(());
    }
    storage.write_locked(operation, Lock::Partitions { profile, filter }, |connection| {
        let stamp = if has_stamped { current_stamp(connection)? } else { raise_counter(connection)? };
        filter.prefixes().iter().try_for_each(|prefix| counters::raise(connection, prefix, stamp))
    })
}

fn is_claimed(connection: &mut Connection<'_>, filter: &Filter) -> Result<bool, Fault> {
    let stamp = current_stamp(connection)?;
    for prefix in filter.prefixes() {
        if counters::counter_of(connection, prefix, &stamp.instance)? != Some(stamp.counter) {
            return Ok(false);
        }
    }
    Ok(true)
}
