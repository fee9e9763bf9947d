//! The journey.
fn main() {}
