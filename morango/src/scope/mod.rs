//! Who may see what: partitions, filters over them, and the scopes that certificates grant.
//!
//! Containment is plain string prefix everywhere. This room reads no database, no clock and no certificate; it is told
//! a definition and its parameters, and says what they reach.

mod definition;
mod error;
mod filter;
mod params;
mod partition;
#[expect(clippy::module_inception, reason = "the room is named for its main idea")]
mod scope;
mod template;
#[cfg(test)]
pub(crate) mod testing;

pub use definition::{ScopeDefinition, ScopeDefinitionSource, ScopeDefinitions};
pub use error::ScopeError;
pub use filter::Filter;
pub use params::ScopeParams;
pub use partition::{Partition, prefix_upper_bound};
pub use scope::{Reach, Scope};
pub(crate) use template::Piece;
pub use template::Template;
