//! The stories: random histories, lived through by two kinds of devices.

use std::fmt::Write as _;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::device::{Device, Holdings, live};
use crate::steps::{DEVICES, Step, histories};
use crate::{memory, postgres, sqlite};

/// Steps of a history, at most.
const STEPS_MAX: usize = 40;

/// Histories that are lived through in memory alone to see what they reach.
const HISTORIES_REACHING: usize = 400;

fn devices(of: fn(usize) -> Box<dyn Device>) -> Vec<Box<dyn Device>> {
    (0..DEVICES).map(of).collect()
}

/// Lives through a history on both kinds; the error says after which step they differ, and in what.
fn agree(history: &[Step], other: fn(usize) -> Box<dyn Device>) -> Result<(), TestCaseError> {
    let (mut law, mut found) = (devices(memory::device), devices(other));
    for (number, step) in history.iter().enumerate() {
        let (wanted, answer) = (live(&mut law, number, step), live(&mut found, number, step));
        if answer != wanted {
            let difference = format!("step {number} {step:?} answers\n{answer}\nthe law says\n{wanted}");
            return Err(TestCaseError::fail(difference));
        }
        for (device, (law, found)) in law.iter_mut().zip(&mut found).enumerate() {
            let (wanted, holdings) = (Holdings::of(&mut **law), Holdings::of(&mut **found));
            if let Some(difference) = holdings.difference(&wanted) {
                let difference = format!("after step {number} {step:?} device {device} differs in {difference}");
                return Err(TestCaseError::fail(difference));
            }
        }
    }
    Ok(())
}

/// How many histories are tried: this many, or so many times as many as `MORANGO_HISTORIES` says.
fn cases(usual: u32) -> u32 {
    let times = std::env::var("MORANGO_HISTORIES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    usual.saturating_mul(times)
}

fn every_history_agrees(other: fn(usize) -> Box<dyn Device>, cases: u32, regressions: &'static str) {
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(regressions))),
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&histories(STEPS_MAX), |history| agree(&history, other));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// Histories that reach nothing prove nothing: among some hundreds each thing that is hard to do happens.
#[test]
fn the_histories_reach_what_is_hard_to_do() {
    let mut told = String::new();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..HISTORIES_REACHING {
        let history = histories(STEPS_MAX).new_tree(&mut runner).expect("a history").current();
        let mut law = devices(memory::device);
        for (number, step) in history.iter().enumerate() {
            writeln!(told, "{}", live(&mut law, number, step)).expect("it is noted in memory");
        }
        for device in &mut law {
            writeln!(told, "{:?}", Holdings::of(&mut **device)).expect("it is noted in memory");
        }
    }
    let kinds = [
        "UnknownModel",
        "Malformed",
        "InvalidField",
        "OutsidePartition",
        "MissingForeignKey",
        "ForeignKeyWaits",
        "Cycle",
        "Constraint",
    ];
    let missing: Vec<&str> = kinds.into_iter().filter(|kind| !told.contains(kind)).collect();
    assert!(missing.is_empty(), "no history has a record wait for {missing:?}");
    let is_forgotten = |what: &str| told.lines().any(|line| line.starts_with("forgot ") && line.contains(what));
    assert!(is_forgotten("unsent 0") && is_forgotten(", unsent 1"), "books are forgotten with and without a loss");
    assert!(told.contains("forgets nothing: InvalidInput"), "no history keeps what nobody else has");
    assert!(told.contains("saved anew 1\n"), "no history sends what gave way");
    let happens =
        ["hard_deleted: true", "Ok(())", "Err(InvalidInput)", "already_seen: 1", "fast_forwarded: 1", "conflicts: 1"];
    let missing: Vec<&str> = happens.into_iter().filter(|what| !told.contains(what)).collect();
    assert!(missing.is_empty(), "no history comes to {missing:?}");
    for count in ["deleted", "conflicts", "skipped", "unknown"] {
        assert!(told.contains(&format!(" {count} 1")), "no deserialization reports {count}");
    }
}

#[test]
fn sqlite_is_what_the_law_says_after_every_step_of_any_history() {
    every_history_agrees(sqlite::device, cases(60), "tests/agreement/regressions/sqlite.txt");
}

#[test]
fn postgresql_is_what_the_law_says_after_every_step_of_any_history() {
    every_history_agrees(postgres::device, cases(6), "tests/agreement/regressions/postgresql.txt");
}
