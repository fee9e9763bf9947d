//! The application's tables on real databases.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango_examples::school;

use super::{Strictness, Version};

/// What the old version has not.
const OLD: &str =
    "DROP TABLE feedback; ALTER TABLE assignment DROP COLUMN due; ALTER TABLE contentlog DROP COLUMN extra;";

/// What strict tables refuse: two users of one name.
const STRICT: &str = "CREATE UNIQUE INDEX user_by_name ON \"user\" (dataset_id, username);";

/// Makes the tables in a SQLite file.
pub(crate) fn make_sqlite_tables(
    connection: &mut SqliteConnection,
    version: Version,
    strictness: Strictness,
) -> QueryResult<()> {
    school::create_tables(connection)?;
    alter(connection, version, strictness)
}

/// Makes the tables in a PostgreSQL database.
pub(crate) fn make_postgres_tables(
    connection: &mut PgConnection,
    version: Version,
    strictness: Strictness,
) -> QueryResult<()> {
    school::create_postgres_tables(connection)?;
    alter(connection, version, strictness)
}

fn alter(connection: &mut impl SimpleConnection, version: Version, strictness: Strictness) -> QueryResult<()> {
    if version == Version::Old {
        connection.batch_execute(OLD)?;
    }
    if strictness == Strictness::Strict {
        connection.batch_execute(STRICT)?;
    }
    Ok(())
}
