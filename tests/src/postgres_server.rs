//! A PostgreSQL server of a story's own, which can be stopped in the midst of something and started again.
//!
//! Its programs are those of the server that all tests are given, which says where they are: it has to be on this machine.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::Text;
use tempfile::TempDir;

use crate::postgres;

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Every connection is ended, what is committed is written, and then the server ends.
    Fast,
    /// It ends at once, as after a crash: when it is started again it has to recover.
    Immediate,
}

/// A running server. It is stopped, and its folder deleted, when this goes, however this program ends.
pub struct PostgresServer {
    programs: PathBuf,
    port: u16,
    /// Whether we are root.
    is_superuser: bool,
    keeper: Mutex<Option<Child>>,
    folder: TempDir,
}

/// `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

const READY_SECONDS_MAX: u64 = 30;

/// Ends the server as soon as whoever started it closes its standard input, on purpose or by being gone.
const KEEPER: &str = r#"exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( cat <&3 >/dev/null; kill -QUIT $server 2>/dev/null ) &
exec 3<&-
while kill -0 $server 2>/dev/null; do wait $server; done"#;

impl PostgresServer {
    /// Starts a server without any database of ours.
    ///
    /// # Panics
    /// The server that the tests are given is not on this machine, or a second one does not start.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("morango-server").tempdir().expect("a folder for the server");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has one").port();
        let is_superuser = fs::metadata(folder.path()).expect("it was just made").uid() == 0;
        if is_superuser {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        }
        let server = Self { programs: programs(), port, is_superuser, keeper: Mutex::new(None), folder };
        let mut command = server.command(server.programs.join("initdb"));
        command.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-sync",
            "--pgdata",
        ]);
        let output = command.arg(server.data()).output().expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        drop(listener);
        server.start_again();
        server
    }

    /// The URL of its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Stops it; returns when it has ended.
    ///
    /// # Panics
    /// It is not running.
    pub fn stop(&self, how: Stop) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        let mut child = keeper.take().expect("it runs");
        let process =
            fs::read_to_string(self.data().join("postmaster.pid")).expect("a server that runs says which it is");
        let process = process.lines().next().expect("in the first line");
        let signal = match how {
            Stop::Fast => "-INT",
            Stop::Immediate => "-QUIT",
        };
        let told = Command::new("kill").args([signal, process]).status().expect("kill runs");
        assert!(told.success(), "the server is told to stop");
        // The keeper's input is closed only then: it would have the server end at once.
        let input = child.stdin.take();
        child.wait().expect("it ends");
        drop(input);
    }

    /// Starts it again where it was, on the same port; returns when it answers.
    ///
    /// # Panics
    /// It does not start.
    pub fn start_again(&self) {
        let log = self.folder.path().join("log.txt");
        let said = fs::File::options().create(true).append(true).open(&log).expect("a log");
        let mut command = self.command("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(self.programs.join("postgres")).arg("-D").arg(self.data());
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={}", self.port),
            "unix_socket_directories=",
            // Containers have little of the other kind.
            "dynamic_shared_memory_type=mmap",
            // Nobody pulls the plug of this machine.
            "fsync=off",
        ] {
            command.args(["-c", setting]);
        }
        let errors = said.try_clone().expect("the log once more");
        let mut child = command.stdin(Stdio::piped()).stdout(said).stderr(errors).spawn().expect("the keeper runs");
        let began = Instant::now();
        while !self.is_ready() {
            let is_over = child.try_wait().expect("it can be asked").is_some();
            let is_late = began.elapsed() > Duration::from_secs(READY_SECONDS_MAX);
            assert!(!is_over && !is_late, "the server: {}", fs::read_to_string(&log).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(5));
        }
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
    }

    /// Whether it says in its folder that it is ready.
    fn is_ready(&self) -> bool {
        let said = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        said.lines().any(|line| line.trim() == "ready")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program, to be run as somebody whom PostgreSQL accepts.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/");
        if self.is_superuser {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner).is_some() {
            self.stop(Stop::Immediate);
        }
    }
}

/// Where the programs of the given server are.
fn programs() -> PathBuf {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        setting: String,
    }
    let server = postgres::server();
    let mut connection =
        PgConnection::establish(&server).unwrap_or_else(|error| panic!("connect to {server}: {error}"));
    let row: Row = diesel::sql_query("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
        .get_result(&mut connection)
        .expect("a superuser may ask");
    let programs = PathBuf::from(row.setting);
    assert!(programs.join("initdb").exists(), "{} is of another machine: {}", server, programs.display());
    programs
}
