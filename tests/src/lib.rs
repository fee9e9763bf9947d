//! What the stories across crates share: devices of ours, a real Python peer, how two peers are compared, and peers that
//! misbehave.
//!
//! Nothing of the good here is a stand-in: devices are files, connections are HTTP on loopback, and the Python peer is the package
//! from PyPI in a process of its own.

pub mod clock;
pub mod compare;
pub mod database;
pub mod device;
pub mod dice;
pub mod given;
pub mod http;
pub mod meter;
pub mod postgres;
#[cfg(unix)]
pub mod postgres_server;
pub mod process;
pub mod proxy;
pub mod python;
pub mod sampler;
pub mod scripted;
pub mod statements;
mod stem;

/// The example of the README, compiled with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
