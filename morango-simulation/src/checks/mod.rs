//! What must hold after every step, and at rest.
//!
//! After a step those devices are looked at that took part in it: each is held against what it held before, and against the book. At rest
//! all of them are held against each other.

mod claims;
mod local;
mod rest;
mod rows;
#[cfg(test)]
mod tests;
mod waiting;

pub(crate) use claims::Memory;
