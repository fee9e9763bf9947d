//! Programs that must not compile, with the errors that they must give, and programs that must.
//!
//! The folders are named for the kind of mistake. After a change of a message,
//! `TRYBUILD=overwrite cargo test -p morango-derive --test ui` writes the expected errors anew: read the difference.

#[test]
fn every_mistake_is_told_at_its_word_and_what_is_right_compiles() {
    let programs = trybuild::TestCases::new();
    programs.pass("tests/ui/pass/*.rs");
    for mistake in ["malformed", "unknown", "duplicate", "conflict", "template", "type"] {
        programs.compile_fail(format!("tests/ui/{mistake}/*.rs"));
    }
}
