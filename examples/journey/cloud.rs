//! Where Cloud keeps its data: in a file like everybody else, or in a PostgreSQL server that is started for the journey.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use diesel::prelude::*;
use diesel::{PgConnection, sql_query};

use crate::Outcome;

/// The server that is used where it runs already: the URL of a superuser, who makes a database in it.
const RUNNING_SERVER: &str = "MORANGO_POSTGRES_URL";

/// What the program that runs a server says before its URL.
const ANNOUNCED: &str = "export MORANGO_POSTGRES_URL=";

/// What Cloud's data are to lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A PostgreSQL server that is there as long as this is.
pub(crate) struct PostgresServer {
    url: String,
    /// None where the server ran already.
    runner: Option<Runner>,
}

/// The program that runs a server, and what it still says, for as long as it says it.
struct Runner {
    program: Child,
    _output: BufReader<ChildStdout>,
}

impl PostgresServer {
    /// The running server, or a private one, started for this journey.
    pub(crate) fn find_or_start() -> Outcome<Self> {
        if let Ok(url) = std::env::var(RUNNING_SERVER) {
            return Ok(Self { url, runner: None });
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // It ends with its standard input, so it does not outlive this program, whatever becomes of it.
        command.args(["xtask", "postgres"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn()?;
        let mut output = BufReader::new(program.stdout.take().ok_or("standard output is piped")?);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if let Some(url) = line.trim_end().strip_prefix(ANNOUNCED) {
                let url = url.to_owned();
                return Ok(Self { url, runner: Some(Runner { program, _output: output }) });
            }
            line.clear();
        }
        Err("no PostgreSQL server could be started; `cargo xtask postgres` says why".into())
    }

    /// Makes a new database, and says where it is.
    pub(crate) fn create_database(&self, name: &str) -> Outcome<String> {
        let mut connection = PgConnection::establish(&self.url)?;
        sql_query(format!("CREATE DATABASE \"{name}\"")).execute(&mut connection)?;
        let (server, _) = self.url.rsplit_once('/').ok_or("the server's URL names no database")?;
        Ok(format!("{server}/{name}"))
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(Runner { program, .. }) = &mut self.runner {
            drop(program.stdin.take());
            let _ = program.wait();
        }
    }
}
