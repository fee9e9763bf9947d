//! Skeleton.
pub mod error;
pub mod id;
pub mod limits;
pub use error::{Error, ErrorKind, Result};
