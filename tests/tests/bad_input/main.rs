//! Bad input: what peers, users and databases give us that they should not.
//!
//! Each story gives one bad thing to a peer of ours, in the role of the server (by HTTP written by hand) or of the client
//! (against a server that misbehaves), and then holds four things against what happened: the error has a clear text and a
//! stable code; what was stored is as before; what was good in it arrived; and a good sync right afterwards works.

#![expect(clippy::print_stdout, reason = "a story of many cases says at which of them it failed")]
#![expect(clippy::assigning_clones, reason = "a case reads better as an assignment")]

#[path = "."]
mod bad_input {
    mod bodies;
    mod certificate_requests;
    mod chains;
    mod counters;
    mod databases;
    mod exhaustion;
    mod filters;
    mod future;
    mod nonces;
    mod papers;
    mod peers;
    mod pushing;
    mod records;
    mod routes;
    mod school;
    mod secrets;
    mod visitor;
}
