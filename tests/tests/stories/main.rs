//! What peers live through together: peers of ours, and one of ours with a real Python peer.
//!
//! Goal: whatever two peers do in whatever order, they end with the same data, each sees only what it may see, and nothing
//! that anybody wrote is lost. Method: real database files, real HTTP on loopback, the Python package in a process of its
//! own; after each story the store records, the counters and the application's rows are compared field by field.

mod python;
mod stories;
