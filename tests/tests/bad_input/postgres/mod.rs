//! The stories on PostgreSQL, where texts, lengths and what an index takes differ, with those that are told there alone: a server may
//! not be there, or let nobody in.

use morango_tests::database::Database;

use super::{papers, visitor};

/// The database that everybody is on.
pub(crate) const ON: Database = Database::Postgres;

#[path = "../answers.rs"]
mod answers;
#[path = "../bodies.rs"]
mod bodies;
#[path = "../certificate_requests.rs"]
mod certificate_requests;
#[path = "../chains.rs"]
mod chains;
#[path = "../counters.rs"]
mod counters;
#[path = "../databases.rs"]
mod databases;
#[path = "../exhaustion.rs"]
mod exhaustion;
#[path = "../filters.rs"]
mod filters;
#[path = "../future.rs"]
mod future;
#[path = "../nonces.rs"]
mod nonces;
#[path = "../open_sessions.rs"]
mod open_sessions;
#[path = "../peers.rs"]
mod peers;
#[path = "../pushing.rs"]
mod pushing;
#[path = "../records.rs"]
mod records;
#[path = "../routes.rs"]
mod routes;
#[path = "../school.rs"]
mod school;
#[path = "../secrets.rs"]
mod secrets;
#[path = "../servers.rs"]
mod servers;
#[path = "../thirds.rs"]
mod thirds;
