//! The project's own commands. `cargo xtask` lists them.
//!
//! Everything that CI runs is run here under the same name, so that what passes at a desk passes there.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its standard output")]

mod bench;
mod fuzz;
mod load;
mod matrix;
mod memory;
mod postgres;
mod python;
mod run;
mod simulate;
mod test;

use std::process::ExitCode;

use test::Length;

const HELP: &str = "\
cargo xtask test               formatting, lints, documentation, all tests, the Python stories; ends with a count
cargo xtask test --only NAME   only the steps whose name contains NAME
cargo xtask test [--only NAME] --long
                               what tries by chance tries more often: kills 1,000 processes instead of 200,
                               simulates fresh seeds for an hour beside the fixed ones
cargo xtask bench [--small] [--full] [--writer] [--only SCENARIO] [--engine NAME] [--documentation] [--again]
                               how fast and how small a sync is, beside the Python package and the floor; --again tells the
                               run before once more
cargo xtask bench --micro      the pure parts alone: how long each takes; --instructions counts them with valgrind
cargo xtask load [--only DATABASE] [--documentation]
                               20 devices at once on SQLite, 200 on PostgreSQL with four server processes: fails if one of them does
cargo xtask fuzz [--minutes M] [--only NAME] [--jobs N]
                               every fuzz target for M minutes, N of them at once
cargo xtask fuzz --only NAME --input FILE
                               one target on one input: to see again what was found
cargo xtask simulate [--seed S] [--steps N] [--nodes K] [--minutes M] [--hours H]
                               many devices, and everything that can go wrong between them, from a seed; fresh ones where none is
                               named; --help tells how a plan that failed is run again
cargo xtask python             makes the Python peer's virtual environments and prints their interpreters
cargo xtask postgres           runs a private PostgreSQL server until Ctrl-C and prints its URL";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => test::run(None, Length::Usual),
        ["test", "--only", name] => test::run(Some(name), Length::Usual),
        ["test", "--long"] => test::run(None, Length::Long),
        ["test", "--only", name, "--long"] => test::run(Some(name), Length::Long),
        ["bench", options @ ..] => bench::run(options),
        ["load", options @ ..] => load::run(options),
        ["fuzz", options @ ..] => fuzz::run(options),
        ["simulate", options @ ..] => simulate::run(options),
        ["python"] => python::print(),
        ["postgres"] => postgres::serve(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            Ok(())
        }
        _ => Err(format!("unknown command `{}`; these are known:\n{HELP}", words.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
