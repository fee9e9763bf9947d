//! Programs that must not compile, with the errors that they must give. Those that must are in `derived`: with one of them here
//! all that the programs depend on would be built once more instead of only being checked.
//!
//! The folders are named for the kind of mistake. After a change of a message,
//! `TRYBUILD=overwrite cargo test -p morango-derive --test ui` writes the expected errors anew: read the difference.

use std::process::{Command, Stdio};

/// What trybuild compiles the programs with. It would compile what they depend on without the last of these, and then once more
/// with it; what stands in [`VARIABLE`] holds for both.
const FLAGS: [&str; 5] = ["--cfg", "trybuild", "--verbose", "--allow=dead_code", "--diagnostic-width=140"];

/// The variable by which cargo is told flags in place of any others, and what stands between them there.
const VARIABLE: &str = "CARGO_ENCODED_RUSTFLAGS";
const SEPARATOR: &str = "\u{1f}";

#[test]
fn every_mistake_is_told_at_its_word() {
    if std::env::var(VARIABLE).is_ok_and(|flags| flags == FLAGS.join(SEPARATOR)) {
        let programs = trybuild::TestCases::new();
        for mistake in ["malformed", "unknown", "duplicate", "conflict", "template", "type"] {
            programs.compile_fail(format!("tests/ui/{mistake}/*.rs"));
        }
        return;
    }
    // A variable is safely set for another process alone: this one tells the same test in one.
    let mut told = Command::new(std::env::current_exe().expect("this program is a file"));
    told.args(["--exact", "every_mistake_is_told_at_its_word"])
        .args(std::env::args().filter(|argument| argument.starts_with("trybuild=")))
        .env(VARIABLE, FLAGS.join(SEPARATOR))
        .stdout(Stdio::null());
    assert!(told.status().expect("it starts").success(), "a message is not what it was; they are told above");
}
