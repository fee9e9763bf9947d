//! Skeleton.
pub mod error;
pub mod id;
pub mod limits;
pub mod scope;
pub use error::{Error, ErrorKind, Result};
