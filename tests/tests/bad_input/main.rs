//! Bad input: what peers, users and databases give us that they should not.
//!
//! Each story gives one bad thing to a peer of ours, in the role of the server (by HTTP written by hand) or of the client
//! (against a server that misbehaves), and then holds four things against what happened: the error has a clear text and a
//! stable code; what was stored is as before; what was good in it arrived; and a good sync right afterwards works.

#![expect(clippy::print_stdout, reason = "a story of many cases says at which of them it failed")]
#![expect(clippy::assigning_clones, reason = "a case reads better as an assignment")]
#![expect(clippy::duplicate_mod, reason = "the same stories are told over both databases")]

#[path = "."]
mod bad_input {
    mod papers;
    mod postgres;
    mod sqlite;
    mod visitor;
}
