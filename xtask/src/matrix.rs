//! The matrix of what met what: our role, our database, the other side with its version and database, and how many
//! stories ran.
//!
//! It is read off the names of the tests. A story between peers of ours lies in modules such as
//! `client_on_sqlite::server_on_postgres`; one with a Python peer in modules such as
//! `rust_is_client::on_postgres::python_0_7_1_on_sqlite`, where now one calls and now the other in
//! `both_are_clients::on_postgres::python_0_8_15_on_sqlite`, and where a capability was switched off in
//! `python_0_8_15_without_fsic_v2_format_on_sqlite`. Which rows there must be is said here, so that a module with another name
//! takes none of them away unseen.

use std::collections::{BTreeMap, BTreeSet};

/// The version of the Python package that every machine must be able to run.
const PYTHON: &str = "0.8.15";

/// What is switched off on it in turn, as names of modules say it.
const SWITCHED_OFF: [&str; 4] = [
    "fsic_v2_format",
    "async_operations",
    "gzip_buffer_post",
    "fsic_v2_format_and_async_operations_and_gzip_buffer_post",
];

/// How many stories of each row passed and failed.
#[derive(Default)]
pub(crate) struct Matrix {
    rows: BTreeMap<Row, (u64, u64)>,
    missing: Vec<(String, String)>,
}

/// Who met whom.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    role: &'static str,
    database: String,
    other: String,
    other_database: String,
}

impl Matrix {
    /// Counts a test, if its name says who met whom in it.
    pub(crate) fn add(&mut self, test: &str, has_passed: bool) {
        if let Some(row) = row_of(test) {
            let (passed, failed) = self.rows.entry(row).or_default();
            *(if has_passed { passed } else { failed }) += 1;
        }
    }

    /// Notes a version of the Python package that this machine does not run, and why.
    pub(crate) fn miss(&mut self, version: &str, reason: &str) {
        self.missing.push((version.to_owned(), reason.to_owned()));
    }

    /// Holds that peers of ours met on each pair of databases, and that on each of our databases, in each role, we met each of
    /// these older versions of the Python package but those that are named as missing, today's on each database, and today's
    /// without each capability.
    pub(crate) fn check(&self, older_versions: &[String]) -> Result<(), String> {
        let has_run = |test: &String| row_of(test).is_some_and(|row| self.rows.contains_key(&row));
        let unmet: Vec<String> =
            wanted(older_versions, &self.missing).into_iter().filter(|test| !has_run(test)).collect();
        if unmet.is_empty() {
            return Ok(());
        }
        Err(format!("no story was told in the modules {}", unmet.join(", ")))
    }

    pub(crate) fn print(&self) {
        if self.rows.is_empty() && self.missing.is_empty() {
            return;
        }
        let head = ["we are", "on", "the other side is", "on", "passed", "failed"].map(str::to_owned);
        let ran = self.rows.iter().map(|(row, (passed, failed))| {
            let Row { role, database, other, other_database } = row;
            [
                (*role).to_owned(),
                database.clone(),
                other.clone(),
                other_database.clone(),
                passed.to_string(),
                failed.to_string(),
            ]
        });
        let lines: Vec<[String; 6]> = std::iter::once(head).chain(ran).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths: [usize; 6] = std::array::from_fn(width);
        println!("\n=== who met whom\n");
        for (number, line) in lines.iter().enumerate() {
            let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                println!("| {} |", widths.map(|width| "-".repeat(width)).join(" | "));
            }
        }
        for (version, reason) in &self.missing {
            println!(
                "\nno story with Python {version}, whose capabilities are switched off on a newer one instead: {reason}"
            );
        }
    }
}

/// A test in each module in which there must be some.
fn wanted(older_versions: &[String], missing: &[(String, String)]) -> BTreeSet<String> {
    const DATABASES: [&str; 2] = ["sqlite", "postgres"];
    let is_here = |version: &&String| missing.iter().all(|(gone, _)| gone != *version);
    let today = PYTHON.replace('.', "_");
    let older =
        older_versions.iter().filter(is_here).map(|version| format!("python_{}_on_sqlite", version.replace('.', "_")));
    let others: Vec<String> = older
        .chain(DATABASES.map(|database| format!("python_{today}_on_{database}")))
        .chain(SWITCHED_OFF.map(|without| format!("python_{today}_without_{without}_on_sqlite")))
        .collect();
    let mut wanted = BTreeSet::new();
    for ours in DATABASES {
        wanted.extend(DATABASES.map(|theirs| format!("client_on_{ours}::server_on_{theirs}")));
        for role in ["rust_is_client", "python_is_client"] {
            wanted.extend(others.iter().map(|other| format!("{role}::on_{ours}::{other}")));
        }
        wanted.insert(format!("both_are_clients::on_{ours}::python_{today}_on_sqlite"));
    }
    wanted
}

fn row_of(test: &str) -> Option<Row> {
    let parts: Vec<&str> = test.split("::").collect();
    let place = |wanted: &str| parts.iter().find_map(|part| part.strip_prefix(wanted));
    if let (Some(client), Some(server)) = (place("client_on_"), place("server_on_")) {
        return Some(Row {
            role: "client and server",
            database: client.to_owned(),
            other: "also Rust".to_owned(),
            other_database: server.to_owned(),
        });
    }
    let role = parts.iter().find_map(|part| match *part {
        "rust_is_client" => Some("client"),
        "python_is_client" => Some("server"),
        "both_are_clients" => Some("client and server"),
        _ => None,
    })?;
    let mut named = parts.iter().filter_map(|part| part.strip_prefix("python_"));
    let (peer, other_database) = named.find_map(|peer| peer.rsplit_once("_on_"))?;
    let (version, without) = peer.split_once("_without_").unwrap_or((peer, ""));
    let version = version.replace('_', ".");
    let other = if without.is_empty() {
        format!("Python {version}")
    } else {
        let capabilities: Vec<String> = without.split("_and_").map(str::to_uppercase).collect();
        format!("Python {version} without {}", capabilities.join(", "))
    };
    Some(Row { role, database: place("on_")?.to_owned(), other, other_database: other_database.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(test: &str) -> Option<(&'static str, String, String, String)> {
        row_of(test).map(|row| (row.role, row.database, row.other, row.other_database))
    }

    #[test]
    fn a_row_in_which_nothing_ran_is_told_unless_its_version_is_missing() {
        let older = ["0.7.1".to_owned(), "0.5.6".to_owned()];
        let mut matrix = Matrix::default();
        let all = wanted(&older, &[]);
        for module in &all {
            if !module.contains("_0_5_6_") && !module.contains("on_postgres::python_0_7_1_on") {
                matrix.add(&format!("{module}::a_story"), true);
            }
        }
        matrix.miss("0.5.6", "ERROR: no wheel");
        let told = matrix.check(&older).expect_err("a module was renamed");
        assert!(told.contains("rust_is_client::on_postgres::python_0_7_1_on_sqlite"), "{told}");
        assert!(told.contains("python_is_client::on_postgres::python_0_7_1_on_sqlite"), "{told}");
        assert!(!told.contains("0_5_6") && !told.contains("on_sqlite::python_0_7_1"), "{told}");

        for module in &all {
            matrix.add(&format!("{module}::a_story"), false);
        }
        assert_eq!(matrix.check(&older), Ok(()), "what failed was told");
    }

    #[test]
    fn a_row_is_read_off_a_tests_name() {
        assert_eq!(
            told(
                "dialects::python_is_client::on_postgres::python_0_8_15_without_fsic_v2_format_and_async_operations_on_sqlite::a_first_pull"
            ),
            Some((
                "server",
                "postgres".to_owned(),
                "Python 0.8.15 without FSIC_V2_FORMAT, ASYNC_OPERATIONS".to_owned(),
                "sqlite".to_owned()
            ))
        );
        assert_eq!(
            told("stories::client_on_sqlite::server_on_postgres::what_is_left_on_the_way"),
            Some(("client and server", "sqlite".to_owned(), "also Rust".to_owned(), "postgres".to_owned()))
        );
        assert_eq!(
            told(
                "python::histories::both_are_clients::on_sqlite::python_0_8_15_on_postgres::random_histories_are_lived_alike"
            ),
            Some(("client and server", "sqlite".to_owned(), "Python 0.8.15".to_owned(), "postgres".to_owned()))
        );
        assert_eq!(told("formats::on_sqlite::a_time"), None);
    }
}
