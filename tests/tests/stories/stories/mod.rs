//! Peers of ours among themselves.

mod background;
mod capture;
mod deletions;
mod failures;
mod given;
mod many_devices;
mod meanwhile;
mod options;
mod two_devices;
