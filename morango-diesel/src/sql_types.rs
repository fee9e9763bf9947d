//! SQL types of columns that are the same Rust value on every database, for use in `diesel::table!`.
//!
//! Most of Diesel's own types are on both databases already: `Text`, `Integer`, `BigInt`, `Bool`, `Double`, `Binary`, `Date`, `Time`,
//! `Timestamp` (with `NaiveDateTime`), `Numeric`, `Json`. A `DateTime<Utc>` has another type on each; [`Instant`] is both. A model with
//! a column of a type that only one of them has (`Uuid`, `Array`, `TimestamptzSqlite`, …) says `#[morango(database = postgres)]` or
//! `#[morango(database = sqlite)]`, which counts where a program is built with both features.
//!
//! ```
//! diesel::table! {
//!     use diesel::sql_types::*;
//!     use morango_diesel::sql_types::Instant;
//!
//!     visits (id) { id -> Text, place -> Text, began -> Instant, ended -> Nullable<Instant> }
//! }
//! # fn main() {}
//! ```

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use chrono::{DateTime, Utc};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use diesel::deserialize::{self, FromSql};
use diesel::expression::{AsExpression, TypedExpressionType};
use diesel::internal::derives::as_expression::Bound;
#[cfg(feature = "postgres")]
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::SqlType;
#[cfg(feature = "sqlite")]
use diesel::sqlite::{Sqlite, SqliteValue};

/// A moment, whatever the time zone of whoever looks at it: `DateTime<Utc>` in Rust.
///
/// *Shape*: on SQLite a text such as `2024-02-29 23:59:58.120+00:00`, as Diesel's `TimestamptzSqlite` writes it; on PostgreSQL
/// `TIMESTAMP WITH TIME ZONE`.
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[cfg_attr(feature = "sqlite", diesel(sqlite_type(name = "Text")))]
#[cfg_attr(feature = "postgres", diesel(postgres_type(oid = 1184, array_oid = 1185)))]
pub struct Instant;

/// A value for a column of any type that it can be written to.
///
/// Diesel lets a foreign type such as `DateTime` stand for its own columns only. For those of this module it is wrapped:
/// `visits::began.lt(held(&now))`. What the derive of `Syncable` writes does so by itself.
#[derive(Debug, Clone, Copy)]
pub struct Held<'value, T>(&'value T);

/// A value for a column of any type that it can be written to; see [`Held`].
pub const fn held<T>(value: &T) -> Held<'_, T> {
    Held(value)
}

impl<'value, T, Sql> AsExpression<Sql> for Held<'value, T>
where
    Sql: SqlType + TypedExpressionType,
{
    type Expression = Bound<Sql, &'value T>;

    fn as_expression(self) -> Self::Expression {
        Bound::new(self.0)
    }
}

/// Has values of a Rust type go to a column on each database as to one of its own types.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
macro_rules! column_type {
    ($rust:ty, $sql:ty, sqlite = $sqlite:ty, postgres = $postgres:ty) => {
        #[cfg(feature = "sqlite")]
        impl ToSql<$sql, Sqlite> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                ToSql::<$sqlite, Sqlite>::to_sql(self, out)
            }
        }

        #[cfg(feature = "sqlite")]
        impl FromSql<$sql, Sqlite> for $rust {
            fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                FromSql::<$sqlite, Sqlite>::from_sql(value)
            }
        }

        #[cfg(feature = "postgres")]
        impl ToSql<$sql, Pg> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<$postgres, Pg>::to_sql(self, out)
            }
        }

        #[cfg(feature = "postgres")]
        impl FromSql<$sql, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                FromSql::<$postgres, Pg>::from_sql(value)
            }
        }
    };
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
column_type!(
    DateTime<Utc>,
    Instant,
    sqlite = diesel::sql_types::TimestamptzSqlite,
    postgres = diesel::sql_types::Timestamptz
);
