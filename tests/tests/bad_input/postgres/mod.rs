//! The stories on PostgreSQL: texts, lengths and what an index takes differ there.

use morango_tests::database::Database;

use super::{papers, visitor};

/// The database that everybody is on.
pub(crate) const ON: Database = Database::Postgres;

#[path = "../bodies.rs"]
mod bodies;
#[path = "../certificate_requests.rs"]
mod certificate_requests;
#[path = "../chains.rs"]
mod chains;
#[path = "../counters.rs"]
mod counters;
#[path = "../exhaustion.rs"]
mod exhaustion;
#[path = "../filters.rs"]
mod filters;
#[path = "../future.rs"]
mod future;
#[path = "../nonces.rs"]
mod nonces;
#[path = "../peers.rs"]
mod peers;
#[path = "../records.rs"]
mod records;
#[path = "../school.rs"]
mod school;
