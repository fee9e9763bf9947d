//! How times, sides, directions and numbers stand in columns, and what is said where one holds what we never wrote.

use chrono::{DateTime, Utc};
use morango::session::{Direction, Side};
use morango::{Error, ErrorKind};

use crate::error::Fault;

/// A column of a session holds what we never wrote.
pub(super) fn damaged(what: &str, found: impl std::fmt::Display) -> Fault {
    Error::new(ErrorKind::StorageCorrupt, format!("read the {what} of a stored session: it is {found}")).into()
}

/// Milliseconds since 1970.
pub(super) fn milliseconds(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

pub(super) fn time(milliseconds: i64) -> Result<DateTime<Utc>, Fault> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| damaged("time", milliseconds))
}

/// A count as a column holds it. None of ours reaches the end of what fits.
pub(super) fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn number(count: i64) -> Result<u64, Fault> {
    u64::try_from(count).map_err(|_| damaged("count", count))
}

pub(super) fn side_text(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

pub(super) fn side(text: &str) -> Result<Side, Fault> {
    match text {
        "client" => Ok(Side::Client),
        "server" => Ok(Side::Server),
        _ => Err(damaged("side", format_args!("{text:?}"))),
    }
}

pub(super) fn direction(text: &str) -> Result<Direction, Fault> {
    match text {
        "push" => Ok(Direction::Push),
        "pull" => Ok(Direction::Pull),
        _ => Err(damaged("direction", format_args!("{text:?}"))),
    }
}
