//! Ids as Diesel values: text of 32 digits, or 16 bytes, or PostgreSQL's own type for 128 bits.
//!
//! This is the one file of the crate that names Diesel. Rust asks that a foreign trait be implemented beside the type,
//! so it cannot live in `morango-diesel`, whose features switch it on.

#[cfg(feature = "diesel-postgres")]
use std::io::Write as _;

use diesel::deserialize::{self, FromSql};
#[cfg(feature = "diesel-postgres")]
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, IsNull, Output, ToSql};
#[cfg(feature = "diesel-postgres")]
use diesel::sql_types::Uuid;
use diesel::sql_types::{Binary, Text};
#[cfg(feature = "diesel-sqlite")]
use diesel::sqlite::Sqlite;

use super::{CertificateId, DatabaseId, InstanceId, NonceId, SyncId, SyncSessionId, TransferSessionId};

macro_rules! sqlite_value {
    ($($name:ident),+) => {$(
        #[cfg(feature = "diesel-sqlite")]
        impl ToSql<Text, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(self.hex().to_string());
                Ok(IsNull::No)
            }
        }

        #[cfg(feature = "diesel-sqlite")]
        impl ToSql<Binary, Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
                out.set_value(&self.as_bytes()[..]);
                Ok(IsNull::No)
            }
        }

        #[cfg(feature = "diesel-sqlite")]
        impl FromSql<Text, Sqlite> for $name {
            fn from_sql(mut value: diesel::sqlite::SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                Ok(value.read_text().parse()?)
            }
        }

        #[cfg(feature = "diesel-sqlite")]
        impl FromSql<Binary, Sqlite> for $name {
            fn from_sql(mut value: diesel::sqlite::SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
                let bytes = value.read_blob();
                let bytes: [u8; 16] = bytes.try_into().map_err(|_| {
                    format!("read a {}: the column holds {} bytes instead of 16", stringify!($name), bytes.len())
                })?;
                Ok(Self::from_bytes(bytes))
            }
        }
    )+};
}

#[cfg(feature = "diesel-postgres")]
macro_rules! postgres_value {
    ($($name:ident),+) => {$(
        impl ToSql<Text, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.hex().as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Binary, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                out.write_all(self.as_bytes())?;
                Ok(IsNull::No)
            }
        }

        impl ToSql<Uuid, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                ToSql::<Binary, Pg>::to_sql(self, out)
            }
        }

        impl FromSql<Text, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(std::str::from_utf8(value.as_bytes())?.parse()?)
            }
        }

        impl FromSql<Binary, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                let bytes = value.as_bytes();
                let bytes: [u8; 16] = bytes.try_into().map_err(|_| {
                    format!("read a {}: the column holds {} bytes instead of 16", stringify!($name), bytes.len())
                })?;
                Ok(Self::from_bytes(bytes))
            }
        }

        impl FromSql<Uuid, Pg> for $name {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                FromSql::<Binary, Pg>::from_sql(value)
            }
        }
    )+};
}

sqlite_value!(SyncId, CertificateId, InstanceId, DatabaseId, SyncSessionId, TransferSessionId, NonceId);
#[cfg(feature = "diesel-postgres")]
postgres_value!(SyncId, CertificateId, InstanceId, DatabaseId, SyncSessionId, TransferSessionId, NonceId);
