//! What is written rightly compiles, and says what its attributes say.
#![allow(dead_code, reason = "what the derive makes of a struct is looked at, not the struct")]
#![allow(
    clippy::ptr_arg,
    clippy::ref_option,
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "functions have the signatures that the attributes ask for"
)]

mod in_a_macro;
mod models;
mod policies;
mod scopes;
