//! Programs that must not compile, with the errors that they must give. Those that must are in `derived`: with one of them here
//! all that the programs depend on would be built once more instead of only being checked.
//!
//! The folders are named for the kind of mistake. After a change of a message,
//! `TRYBUILD=overwrite cargo test -p morango-derive --test ui` writes the expected errors anew: read the difference.

#[test]
fn every_mistake_is_told_at_its_word() {
    let programs = trybuild::TestCases::new();
    for mistake in ["malformed", "unknown", "duplicate", "conflict", "template", "type"] {
        programs.compile_fail(format!("tests/ui/{mistake}/*.rs"));
    }
}
