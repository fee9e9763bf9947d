//! Skeleton.
#[cfg(feature = "client")]
pub mod client;
pub mod counter;
pub mod engine;
pub mod error;
pub mod hook;
pub mod id;
pub mod identity;
pub mod limits;
pub mod model;
pub mod port;
pub mod prelude;
pub mod record;
pub mod scope;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
pub mod transfer;
pub mod wire;
pub use error::{Error, ErrorKind, Result};
pub use morango_derive::scope_definitions;

/// What `scope_definitions!` names. It may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use inventory;
}
