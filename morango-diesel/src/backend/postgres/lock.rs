//! Locks between the transactions of stages, in this program and in others on the same database.
//!
//! They are advisory locks, held until the transaction ends. What keeps the data right are row locks and what a transaction sees;
//! these locks spare two transactions the work of meeting in the middle. Whoever takes several takes them in one order: first the
//! profile's, then those of the root partitions by their numbers.

use std::collections::BTreeSet;
use std::time::Duration;

use diesel::pg::PgConnection;
use diesel::sql_types::BigInt;
use morango::id::SyncId;
use morango::scope::Filter;

use crate::backend::Lock;
use crate::connection::AsConnection as _;
use crate::error::Fault;
use crate::statement::sql;

/// How long the engine waits for a row that the application is writing, before it lets go of its own rows and begins again. It is
/// shorter than the time after which PostgreSQL looks for a deadlock, so that it is never the application that is refused.
pub(crate) const ROW_WAIT: Duration = Duration::from_millis(500);

/// Root partitions that are locked one by one. Beyond that the whole profile is.
const ROOTS_LOCKED_MAX: usize = 32;

/// One lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Several may hold it.
    Shared(i64),
    /// One holds it alone.
    Exclusive(i64),
}

/// The locks that a transaction takes, in their order.
pub(crate) fn keys(lock: Lock<'_>) -> Vec<Key> {
    match lock {
        Lock::None | Lock::Rows => Vec::new(),
        Lock::Setup => vec![Key::Exclusive(number("setup"))],
        Lock::Profile { profile } | Lock::ProfileAndRows { profile } | Lock::Forgetting { profile } => {
            vec![Key::Exclusive(profile_number(profile))]
        }
        Lock::Beside { profile } => vec![Key::Shared(profile_number(profile))],
        Lock::Reading { profile, filter } => of_roots(profile, filter, Key::Shared),
        Lock::Partitions { profile, filter } | Lock::PartitionsAndRows { profile, filter } => {
            of_roots(profile, filter, Key::Exclusive)
        }
    }
}

/// The locks of a filter's root partitions, beside whoever locks other ones. Without roots, or with very many, it is the whole profile.
fn of_roots(profile: &str, filter: &Filter, key: fn(i64) -> Key) -> Vec<Key> {
    let roots: BTreeSet<&str> = filter.prefixes().iter().map(|prefix| root(prefix)).collect();
    if roots.len() > ROOTS_LOCKED_MAX || roots.contains("") {
        return vec![key(profile_number(profile))];
    }
    let numbers: BTreeSet<i64> = roots.iter().map(|root| root_number(profile, root)).collect();
    std::iter::once(Key::Shared(profile_number(profile))).chain(numbers.into_iter().map(key)).collect()
}

/// Takes locks, and waits for them if it must.
pub(crate) fn take(connection: &mut PgConnection, keys: &[Key]) -> Result<(), Fault> {
    for key in keys {
        let (function, number) = match key {
            Key::Shared(number) => ("pg_advisory_xact_lock_shared(", number),
            Key::Exclusive(number) => ("pg_advisory_xact_lock(", number),
        };
        sql("SELECT CAST(1 AS BIGINT) FROM ")
            .sql(function)
            .bind(*number)
            .sql(")")
            .returns::<BigInt>()
            .load::<i64>(&mut connection.as_connection())?;
    }
    Ok(())
}

/// The part of a partition before the first colon: all of one facility, or of one user.
fn root(prefix: &str) -> &str {
    prefix.split_once(':').map_or(prefix, |(root, _)| root)
}

fn profile_number(profile: &str) -> i64 {
    number(&format!("profile {profile}"))
}

fn root_number(profile: &str, root: &str) -> i64 {
    number(&format!("root {}:{profile}:{root}", profile.len()))
}

/// A number for a name. Two names of one number merely wait for each other.
fn number(name: &str) -> i64 {
    let hash = SyncId::hash_of(&format!("morango {name}"));
    let (first, _) = hash.as_bytes().split_first_chunk::<8>().expect("an id has 16 bytes");
    i64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(prefixes: &[&str]) -> Vec<Key> {
        let filter = Filter::new(prefixes.iter().copied()).expect("good prefixes");
        keys(Lock::Partitions { profile: "notebook", filter: &filter })
    }

    #[test]
    fn a_writer_of_one_root_partition_keeps_out_writers_of_the_same_root_only() {
        let [ada, bob, adas_notes] = [&["ada:"], &["bob:"], &["ada:notes"]].map(|prefixes| keys_of(prefixes));
        assert_eq!(ada, adas_notes);
        assert_eq!(ada[0], bob[0]);
        assert!(matches!(ada[0], Key::Shared(_)));
        assert!(matches!((ada[1], bob[1]), (Key::Exclusive(one), Key::Exclusive(other)) if one != other));
    }

    #[test]
    fn readers_of_a_root_partition_keep_out_its_writers_and_not_each_other() {
        let filter = Filter::new(["ada:"]).expect("a good prefix");
        let reading = keys(Lock::Reading { profile: "notebook", filter: &filter });
        assert!(reading.iter().all(|key| matches!(key, Key::Shared(_))), "{reading:?}");
        let numbers = |keys: &[Key]| keys.iter().map(|(Key::Shared(it) | Key::Exclusive(it))| *it).collect::<Vec<_>>();
        assert_eq!(numbers(&reading), numbers(&keys_of(&["ada:"])));
        let everything = keys(Lock::Reading { profile: "notebook", filter: &Filter::everything() });
        assert_eq!(everything, [Key::Shared(profile_number("notebook"))]);
    }

    #[test]
    fn everything_is_locked_where_there_is_no_filter_or_a_very_long_one() {
        let profile = keys(Lock::Profile { profile: "notebook" });
        assert_eq!(keys(Lock::Partitions { profile: "notebook", filter: &Filter::everything() }), profile);
        let many: Vec<String> = (0..100).map(|number| format!("user{number}:")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(keys_of(&many), profile);
        assert_ne!(keys(Lock::Profile { profile: "other" }), profile);
    }

    #[test]
    fn locks_are_taken_in_one_order_whatever_the_order_of_the_filter() {
        assert_eq!(keys_of(&["c:", "a:", "b:"]), keys_of(&["b:", "c:", "a:x"]));
    }
}
