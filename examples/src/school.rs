//! The data of a learning platform, small but true: what a school, a learner's tablet and a city's server exchange.
//!
//! A root certificate stands for one school's *dataset*. Who holds the scope `full-facility` sees and changes all of it;
//! who holds `single-user` reads what concerns everybody and themselves, reads and writes their own learning, and may
//! leave feedback that they cannot read back. Partitions say which record is which.

use chrono::{DateTime, Utc};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use morango::prelude::*;
use morango_diesel::Syncable;

/// The profile of every model here.
pub const PROFILE: &str = "school";
/// The scope of a device that holds a whole school.
pub const FULL_FACILITY: &str = "full-facility";
/// The scope of one learner's device.
pub const SINGLE_USER: &str = "single-user";

scope_definitions! {
    profile = "school";
    /// Everything of the school ${dataset_id}.
    "full-facility" (version = 1, primary = dataset_id) { read_write: ["${dataset_id}"] }
    /// What ${user_id} needs to learn at home.
    "single-user" (version = 1) {
        read: ["${dataset_id}:allusers-ro", "${dataset_id}:user-ro:${user_id}"],
        write: ["${dataset_id}:user-wo:${user_id}"],
        read_write: ["${dataset_id}:user-rw:${user_id}"],
    }
}

diesel::table! {
    dataset (id) { id -> Text, description -> Text, allow_guests -> Bool }
}
diesel::table! {
    facility (id) { id -> Text, dataset_id -> Text, name -> Text }
}
diesel::table! {
    classroom (id) { id -> Text, dataset_id -> Text, facility_id -> Text, name -> Text, parent_id -> Nullable<Text> }
}
diesel::table! {
    user (id) {
        id -> Text,
        dataset_id -> Text,
        username -> Text,
        full_name -> Text,
        birth_year -> Nullable<Integer>,
    }
}
diesel::table! {
    membership (id) { id -> Text, dataset_id -> Text, user_id -> Text, classroom_id -> Text }
}
diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use morango_diesel::sql_types::Instant;

    assignment (id) {
        id -> Text,
        dataset_id -> Text,
        user_id -> Text,
        title -> Text,
        due -> Nullable<Instant>,
    }
}
diesel::table! {
    use diesel::sql_types::{Double, Integer, Json, Text};
    use morango_diesel::sql_types::Instant;

    contentlog (id) {
        id -> Text,
        dataset_id -> Text,
        user_id -> Text,
        content -> Text,
        progress -> Double,
        seconds -> Integer,
        started -> Instant,
        extra -> Json,
    }
}
diesel::table! {
    feedback (id) { id -> Text, dataset_id -> Text, user_id -> Text, text -> Text }
}

/// One school's data as a whole. Its id is that of the root certificate made for it.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = dataset)]
#[morango(profile = "school", model = "dataset", record_id = source_id, partition = "${id}:allusers-ro")]
pub struct Dataset {
    /// The id of the root certificate.
    pub id: SyncId,
    /// What people call it.
    pub description: String,
    /// Whether somebody without an account may look around.
    pub allow_guests: bool,
}

/// The school itself.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = facility)]
#[morango(profile = "school", model = "facility", partition = "${dataset_id}:allusers-ro")]
pub struct Facility {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// Its name.
    #[morango(max_length = 100)]
    pub name: String,
}

/// A class, or a group within one.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = classroom)]
#[morango(profile = "school", model = "classroom", partition = "${dataset_id}:allusers-ro")]
pub struct Classroom {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The school that it belongs to.
    #[morango(foreign_key = Facility)]
    pub facility_id: SyncId,
    /// Its name.
    #[morango(max_length = 100)]
    pub name: String,
    /// The class that this group is part of.
    #[morango(foreign_key = Self)]
    pub parent_id: Option<SyncId>,
}

/// A person: coach or learner.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = user)]
#[morango(profile = "school", model = "user", partition = "${dataset_id}:user-ro:${id}")]
pub struct User {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that the person belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The name to log in with.
    #[morango(max_length = 100)]
    pub username: String,
    /// The name to be called by.
    #[morango(max_length = 200)]
    pub full_name: String,
    /// The year of birth, where it is known.
    pub birth_year: Option<i32>,
}

/// That a person is in a class. The same two make the same record, wherever it is made.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = membership)]
#[morango(
    profile = "school",
    model = "membership",
    source_id = "${user_id}:${classroom_id}",
    partition = "${dataset_id}:user-ro:${user_id}"
)]
pub struct Membership {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The person.
    #[morango(foreign_key = User)]
    pub user_id: SyncId,
    /// The class.
    #[morango(foreign_key = Classroom)]
    pub classroom_id: SyncId,
}

/// Something for one learner to do.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = assignment)]
#[morango(profile = "school", model = "assignment", partition = "${dataset_id}:user-ro:${user_id}")]
pub struct Assignment {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The learner whom it is for.
    #[morango(foreign_key = User)]
    pub user_id: SyncId,
    /// What there is to do.
    #[morango(max_length = 200)]
    pub title: String,
    /// Until when.
    pub due: Option<DateTime<Utc>>,
}

/// What a learner did with one piece of content.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = contentlog)]
#[morango(profile = "school", model = "contentlog", partition = "${dataset_id}:user-rw:${user_id}")]
pub struct ContentLog {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The learner.
    #[morango(foreign_key = User)]
    pub user_id: SyncId,
    /// The piece of content.
    #[morango(max_length = 200)]
    pub content: String,
    /// How much of it is done, 0 to 1.
    pub progress: f64,
    /// How long it took so far, in seconds.
    pub seconds: i32,
    /// When it was begun.
    pub started: DateTime<Utc>,
    /// Whatever the content itself remembers.
    pub extra: serde_json::Value,
}

/// What a learner tells the coach. A learner's device sends it and does not get it back.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = feedback)]
#[morango(profile = "school", model = "feedback", partition = "${dataset_id}:user-wo:${user_id}")]
pub struct Feedback {
    /// The record's id.
    pub id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub dataset_id: SyncId,
    /// The learner.
    #[morango(foreign_key = User)]
    pub user_id: SyncId,
    /// What was said.
    pub text: String,
}

/// Makes the school's tables in a SQLite file, where they are not there yet.
///
/// # Errors
/// The database fails.
pub fn create_tables(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute(&tables("TIMESTAMP", "TEXT"))
}

/// Makes the school's tables in a PostgreSQL database, where they are not there yet.
///
/// # Errors
/// The database fails.
pub fn create_postgres_tables(connection: &mut PgConnection) -> QueryResult<()> {
    connection.batch_execute(&tables("TIMESTAMPTZ", "JSON"))
}

/// The school's tables, with what the two databases call an instant and a JSON value.
fn tables(instant: &str, json: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS dataset (
            id TEXT NOT NULL PRIMARY KEY, description TEXT NOT NULL, allow_guests BOOLEAN NOT NULL
        );
        CREATE TABLE IF NOT EXISTS facility (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            name TEXT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS classroom (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            facility_id TEXT NOT NULL REFERENCES facility (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            parent_id TEXT REFERENCES classroom (id) ON DELETE CASCADE
        );
        CREATE TABLE IF NOT EXISTS \"user\" (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            username TEXT NOT NULL,
            full_name TEXT NOT NULL,
            birth_year INTEGER
        );
        CREATE TABLE IF NOT EXISTS membership (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE,
            classroom_id TEXT NOT NULL REFERENCES classroom (id) ON DELETE CASCADE
        );
        CREATE TABLE IF NOT EXISTS assignment (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE,
            title TEXT NOT NULL,
            due {instant}
        );
        CREATE TABLE IF NOT EXISTS contentlog (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE,
            content TEXT NOT NULL,
            progress DOUBLE PRECISION NOT NULL,
            seconds INTEGER NOT NULL,
            started {instant} NOT NULL,
            extra {json} NOT NULL
        );
        CREATE TABLE IF NOT EXISTS feedback (
            id TEXT NOT NULL PRIMARY KEY,
            dataset_id TEXT NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
            user_id TEXT NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE,
            text TEXT NOT NULL
        );"
    )
}
