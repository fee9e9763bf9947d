//! A model with one field of every kind, to see how each travels. The Python peer has the same.
#![expect(missing_docs, reason = "the fields are named for their kinds")]

use std::io::Write as _;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteValue};
use morango::prelude::*;
use morango_diesel::Syncable;
use morango_examples::school::Dataset;
use rust_decimal::Decimal;

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Date, Double, Integer, Json, Nullable, SmallInt, Text, Time};
    use morango_diesel::sql_types::Instant;

    sampler (id) {
        id -> Text,
        dataset_id -> Text,
        small -> SmallInt,
        whole -> Integer,
        big -> BigInt,
        ratio -> Double,
        flag -> Bool,
        word -> Text,
        prose -> Nullable<Text>,
        moment -> Instant,
        day -> Date,
        clock -> Time,
        price -> Text,
        uuid -> Text,
        json -> Json,
        data -> Binary,
    }
}

/// One field of every kind, and merge policies on some of them.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = sampler)]
#[morango(profile = "school", model = "sampler", partition = "${dataset_id}:allusers-ro", merge(newest = big))]
pub struct Sampler {
    pub id: SyncId,
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    #[morango(merge = min)]
    pub small: i16,
    #[morango(merge = max)]
    pub whole: i32,
    pub big: i64,
    pub ratio: f64,
    pub flag: bool,
    pub word: String,
    pub prose: Option<String>,
    pub moment: DateTime<Utc>,
    pub day: NaiveDate,
    pub clock: NaiveTime,
    #[morango(with = price)]
    pub price: Price,
    pub uuid: String,
    #[morango(merge = union)]
    pub json: serde_json::Value,
    pub data: Vec<u8>,
}

/// A price, exact to the last digit: in SQLite it is kept as text.
#[derive(Debug, Clone, Copy, PartialEq, AsExpression, FromSqlRow)]
#[diesel(sql_type = Text)]
pub struct Price(pub Decimal);

impl ToSql<Text, Sqlite> for Price {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Sqlite> for Price {
    fn from_sql(mut value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        Ok(Self(Decimal::from_str(value.read_text())?))
    }
}

impl ToSql<Text, Pg> for Price {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        write!(out, "{}", self.0)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Text, Pg> for Price {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Decimal::from_str(std::str::from_utf8(value.as_bytes())?)?))
    }
}

/// How a price travels: as text.
pub mod price {
    use super::Price;
    use serde_json::Value;

    /// Writes a price.
    pub fn write(price: &Price) -> Value {
        Value::String(price.0.to_string())
    }

    /// Reads a price.
    ///
    /// # Errors
    /// The value is no text that holds a decimal number.
    pub fn read(value: &Value) -> Result<Price, String> {
        let text = value.as_str().ok_or_else(|| format!("expected a decimal number as text, found {value}"))?;
        text.parse().map(Price).map_err(|error| format!("{text:?} is no decimal number: {error}"))
    }
}

/// The table as PostgreSQL understands it.
const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS sampler (
        id TEXT NOT NULL PRIMARY KEY,
        dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
        small SMALLINT NOT NULL,
        whole INTEGER NOT NULL,
        big BIGINT NOT NULL,
        ratio DOUBLE PRECISION NOT NULL,
        flag BOOLEAN NOT NULL,
        word TEXT NOT NULL,
        prose TEXT,
        moment TIMESTAMPTZ NOT NULL,
        day DATE NOT NULL,
        clock TIME NOT NULL,
        price TEXT NOT NULL,
        uuid TEXT NOT NULL,
        json JSON NOT NULL,
        data BYTEA NOT NULL
    );
";

/// Makes the table where it is not there yet.
///
/// # Errors
/// The database fails.
pub fn create_table(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(&TABLE.replace(" JSON ", " TEXT ").replace(" BYTEA ", " BLOB "))
}

/// Makes the table in a PostgreSQL database where it is not there yet.
///
/// # Errors
/// The database fails.
pub fn create_postgres_table(connection: &mut PgConnection) -> QueryResult<()> {
    connection.batch_execute(TABLE)
}
