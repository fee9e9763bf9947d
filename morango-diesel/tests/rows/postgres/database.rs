//! Tables on a PostgreSQL server that are there for one connection only.
//!
//! A sibling for another database has the same items in the same order.

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::prelude::*;
use morango_diesel::PostgresModel;

pub(crate) type Connection = PgConnection;
pub(crate) type Model = PostgresModel;

/// A connection to a database with these tables.
pub(crate) fn connection_with(tables: &str) -> Connection {
    let server = std::env::var("MORANGO_POSTGRES_URL").expect(
        "set MORANGO_POSTGRES_URL to the URL of a PostgreSQL server on which a superuser may create and drop databases, \
         as `cargo xtask test` does, for example postgres://postgres@127.0.0.1:54321/postgres",
    );
    let mut connection = PgConnection::establish(&server).expect("connect to the server of MORANGO_POSTGRES_URL");
    let tables = tables
        .replace("CREATE TABLE", "CREATE TEMPORARY TABLE")
        .replace("BLOB", "BYTEA")
        .replace("FLOAT", "REAL")
        .replace("DOUBLE", "DOUBLE PRECISION")
        .replace("instant TIMESTAMP", "instant TIMESTAMP WITH TIME ZONE");
    connection.batch_execute(&tables).expect("the table is made");
    connection
}
