//! What the stories across crates share: devices of ours, a real Python peer, and how two peers are compared.
//!
//! Nothing here is a stand-in: devices are files, connections are HTTP on loopback, and the Python peer is the package
//! from PyPI in a process of its own.

pub mod compare;
pub mod device;
pub mod python;
pub mod sampler;

/// The example of the README, compiled with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
