//! What the old version of the application has otherwise: fewer fields.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use morango::id::SyncId;
use morango_diesel::Syncable;
use morango_examples::school::{Dataset, User};

diesel::table! {
    assignment (id) { id -> Text, dataset_id -> Text, user_id -> Text, title -> Text }
}
diesel::table! {
    use diesel::sql_types::{Double, Integer, Text};
    use morango_diesel::sql_types::Instant;

    contentlog (id) {
        id -> Text,
        dataset_id -> Text,
        user_id -> Text,
        content -> Text,
        progress -> Double,
        seconds -> Integer,
        started -> Instant,
    }
}

/// An assignment, from before there was a day by which it is due.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = assignment)]
#[morango(profile = "school", model = "assignment", partition = "${dataset_id}:user-ro:${user_id}")]
pub(crate) struct OldAssignment {
    /// The record's id.
    pub(crate) id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub(crate) dataset_id: SyncId,
    /// The learner whom it is for.
    #[morango(foreign_key = User)]
    pub(crate) user_id: SyncId,
    /// What there is to do.
    #[morango(max_length = 200)]
    pub(crate) title: String,
}

/// What a learner did, from before contents remembered anything themselves.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Syncable)]
#[diesel(table_name = contentlog)]
#[morango(profile = "school", model = "contentlog", partition = "${dataset_id}:user-rw:${user_id}")]
pub(crate) struct OldLog {
    /// The record's id.
    pub(crate) id: SyncId,
    /// The dataset that it belongs to.
    #[morango(foreign_key = Dataset)]
    pub(crate) dataset_id: SyncId,
    /// The learner.
    #[morango(foreign_key = User)]
    pub(crate) user_id: SyncId,
    /// The piece of content.
    #[morango(max_length = 200)]
    pub(crate) content: String,
    /// How much of it is done, 0 to 1.
    pub(crate) progress: f64,
    /// How long it took so far, in seconds.
    pub(crate) seconds: i32,
    /// When it was begun.
    pub(crate) started: DateTime<Utc>,
}
