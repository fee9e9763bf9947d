//! A disk beneath SQLite that fails when a test wants it to: at the k-th call, or at all calls from there on until it is healed.
//!
//! It lies between SQLite and the files of the system, as what SQLite calls a VFS. All databases that this process opens after
//! [`install`] are on it; each of them is a [`Disk`] of its own, with its write-ahead log and its journal, and works as well as the
//! system's until it is told to fail. It knows nothing of what is in the files.

mod disk;
mod vfs;

pub use disk::{Call, Disk, Failing, Lasting, Says};
pub use vfs::install;
