//! Skeleton.
pub mod counter;
pub mod error;
pub mod id;
pub mod limits;
pub mod scope;
pub use error::{Error, ErrorKind, Result};
