//! What came of it, as a table for people.

use std::fmt::Write as _;

use super::crowd::{Round, Sync};
use crate::bench::figure::Database;

/// How the figures came about: what a reader has to know to judge them.
const METHOD: &str = "\
Each device is a SQLite file with an engine, a key and records of its own; twenty of them share a process. All begin to sync at one \
moment, both ways, over HTTP on loopback. In the first sync each brings what it made and gets what came before it; in the second it \
gets the rest. In between each goes over to another server process. In the end all hold the same, record by record.

- Devices and servers share the cores of one machine, and the devices have most of the work: each makes rows of what all others \
made. So the times tell what a crowd costs altogether; what is promised is the column of failures.
- *Made again* are calls that a client had to make more than once, *busy* the answers (503) with which a server sent somebody away for \
a moment. Neither is a failure: the sync goes on by itself.
- *Peak* is how far the memory of each server process rose above what it had just after its start, without the database server's. \
*Connections* are those of all server processes to their database when they were most.
- PostgreSQL waits for the disk, as it does unless told otherwise.
";

/// A whole report in Markdown.
pub(super) fn report(rounds: &[Round], machine: &str) -> String {
    format!("# Many at once\n\nMeasured by `cargo xtask load`: {machine}.\n\n{METHOD}\n{}", table(rounds))
}

/// The table alone: a line for each sync of all.
pub(super) fn table(rounds: &[Round]) -> String {
    let mut text = "| on the server | devices | processes | records of each | sync | moved | all done after s | median s | 95 % within s \
                    | longest s | syncs/s | failures | made again | busy | peak MiB of each process | connections |\n\
                    | --- | --: | --: | --: | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- | --: |\n"
        .to_owned();
    for round in rounds {
        let trial = round.trial;
        let seconds = sorted_seconds(&round.syncs);
        let sum = |of: fn(&Sync) -> u64| round.syncs.iter().map(of).sum::<u64>();
        let peaks: Vec<String> = round.peaks_mib.iter().map(|peak| format!("{peak:.0}")).collect();
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} | {} |",
            match trial.database {
                Database::Sqlite => "SQLite",
                Database::Postgres => "PostgreSQL",
            },
            trial.devices,
            trial.servers,
            trial.records,
            if round.number == 1 { "first" } else { "second" },
            sum(|sync| sync.moved),
            round.seconds,
            within(&seconds, 50),
            within(&seconds, 95),
            within(&seconds, 100),
            per_second(round),
            round.failures(),
            sum(|sync| sync.retries),
            round.busy_answers,
            peaks.join(" / "),
            round.connections.map(|connections| connections.to_string()).unwrap_or_default(),
        );
    }
    text
}

fn sorted_seconds(syncs: &[Sync]) -> Vec<f64> {
    let mut seconds: Vec<f64> = syncs.iter().map(|sync| sync.seconds).collect();
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// The time within which so many of a hundred were done.
fn within(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "a crowd is far smaller than 2^52")]
fn per_second(round: &Round) -> f64 {
    (round.syncs.len() - round.failures()) as f64 / round.seconds
}

#[cfg(test)]
mod tests {
    use super::super::crowd::Trial;
    use super::*;

    fn round(seconds: impl IntoIterator<Item = f64>) -> Round {
        let trial = Trial { database: Database::Postgres, devices: 20, servers: 2, records: 5 };
        let syncs = seconds.into_iter().map(|seconds| Sync { seconds, moved: 3, ..Sync::default() }).collect();
        let peaks_mib = vec![1.4, 2.6];
        Round { trial, number: 1, seconds: 10.0, syncs, busy_answers: 7, peaks_mib, connections: Some(9) }
    }

    #[test]
    fn of_twenty_syncs_the_nineteenth_is_the_one_within_which_95_of_a_hundred_were_done() {
        let round = round((1..=20).rev().map(f64::from));
        let line = table(&[round]).lines().nth(2).map(str::to_owned);
        let expected =
            "| PostgreSQL | 20 | 2 | 5 | first | 60 | 10.0 | 10.0 | 19.0 | 20.0 | 2.0 | 0 | 0 | 7 | 1 / 3 | 9 |";
        assert_eq!(line.as_deref(), Some(expected));
    }

    #[test]
    fn a_sync_that_failed_is_told_and_is_none_of_those_that_were_done() {
        let mut round = round([1.0, 2.0]);
        assert_eq!(round.problem(), None);
        round.syncs[1].failure = Some("the peer is gone".to_owned());
        assert_eq!(round.problem().as_deref(), Some("postgresql, sync 1: 1 of 2 failed: the peer is gone"));
        assert!(table(&[round]).contains("| 0.1 | 1 |"));
    }
}
