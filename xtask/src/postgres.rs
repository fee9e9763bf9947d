//! A private PostgreSQL server: a folder of its own, a free port on loopback, gone when we are.
//!
//! The programs come from a wheel, so that nothing has to be installed; where there is no wheel for this machine, an
//! installed server does. PostgreSQL refuses to run as root: for root it runs as `nobody`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use self::whom::{as_whom, own};
use crate::{memory, python, run};

/// A running server. It is stopped, and its folder deleted, when this goes, however this program ends.
pub(crate) struct Server {
    url: String,
    place: PathBuf,
    keeper: Child,
}

/// What becomes of what was committed when the machine loses its power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It may be lost: tests kill processes, but nobody pulls the plug of this machine.
    OfTests,
    /// It is kept, as PostgreSQL does unless told otherwise. What is measured has to wait for the disk like any server.
    AsItShips,
}

/// How often a free port is picked anew, where somebody was quicker to take it.
const STARTS_MAX: u32 = 3;
const READY_SECONDS_MAX: u64 = 30;
const CONNECTIONS_MAX: u32 = 400;

/// What a server need not do whose data nobody wants back, and whose databases live for a second: wait for the disk, write a log from
/// which they could be made again elsewhere, and tidy them up.
const OF_TESTS: [&str; 5] =
    ["fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "autovacuum=off"];

/// Keeps the server: stops it as soon as whoever started it closes its standard input, on purpose or by being gone, and
/// clears up.
///
/// The arguments are the folder to delete and the server's command. On Ctrl-C the terminal tells all of us, the server
/// too; the trap lets the keeper come to its end.
const KEEPER: &str = r#"place="$1"; shift
trap : INT TERM HUP
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
( cat <&3 >/dev/null; kill -QUIT $server 2>/dev/null ) &
exec 3<&-
while kill -0 $server 2>/dev/null; do wait $server; done
rm -rf "$place"/*"#;

impl Server {
    /// Starts a server on an empty folder.
    pub(crate) fn start(durability: Durability) -> Result<Self, String> {
        let mut attempts = 1;
        loop {
            match Self::attempt(durability) {
                Err(_) if attempts < STARTS_MAX => attempts += 1,
                outcome => return outcome,
            }
        }
    }

    /// Where superusers reach it: `postgres://postgres@127.0.0.1:PORT/postgres`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn attempt(durability: Durability) -> Result<Self, String> {
        let place = place(durability)?;
        let programs = programs(&place)?;
        let data = place.join("data");
        initialize(&programs, &data)?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port.map_err(|error| format!("failed to find a free port: {error}"))?.port();
        let log_path = place.join("log.txt");
        let log = fs::File::create(&log_path);
        let log = log.map_err(|error| format!("failed to make {}: {error}", log_path.display()))?;
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            // Paths of sockets are short, and ours need not be.
            "unix_socket_directories=".to_owned(),
            format!("max_connections={CONNECTIONS_MAX}"),
            // Containers have little of the other kind.
            "dynamic_shared_memory_type=mmap".to_owned(),
        ];
        if durability == Durability::OfTests {
            settings.extend(OF_TESTS.map(str::to_owned));
        }
        let mut command = as_whom("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&place).arg(programs.join("postgres")).arg("-D").arg(&data);
        for setting in &settings {
            command.args(["-c", setting]);
        }
        let errors = log.try_clone().map_err(|error| format!("failed to keep the server's log: {error}"))?;
        let keeper = command.stdin(Stdio::piped()).stdout(log).stderr(errors).spawn();
        let keeper = keeper.map_err(|error| format!("failed to start {command:?}: {error}"))?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut server = Self { url, place, keeper };
        server.wait_until_ready(&data, &log_path)?;
        Ok(server)
    }

    /// Waits until the server says in its folder that it is ready.
    fn wait_until_ready(&mut self, data: &Path, log: &Path) -> Result<(), String> {
        let started = Instant::now();
        let mut is_over = false;
        while !is_over && started.elapsed() < Duration::from_secs(READY_SECONDS_MAX) {
            let said = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if said.lines().any(|line| line.trim() == "ready") {
                return Ok(());
            }
            // A port that somebody else was quicker to take ends the server at once.
            is_over = self.keeper.try_wait().is_ok_and(|status| status.is_some());
            std::thread::sleep(Duration::from_millis(20));
        }
        let log = fs::read_to_string(log).unwrap_or_default();
        Err(format!("PostgreSQL did not start. It says:\n{log}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.place);
    }
}

/// Starts a server for use by hand; it ends with this program.
pub(crate) fn serve() -> Result<(), String> {
    let server = Server::start(Durability::OfTests)?;
    println!("export MORANGO_POSTGRES_URL={}", server.url());
    println!("The server runs until you press Ctrl-C or close the standard input.");
    let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    ended.map(|_| ()).map_err(|error| format!("failed to read the standard input: {error}"))
}

/// An empty folder that whoever runs the server may enter: in memory, where nothing has to be kept and there is room; below the
/// target folder; or else with the temporary files.
///
/// On a disk each database that is dropped makes the next ones slower: ext4 looks long for the number of a file that was not
/// deleted a moment ago, and a database is three hundred files.
fn place(durability: Durability) -> Result<PathBuf, String> {
    let name = format!("morango-postgres-{}", std::process::id());
    let in_memory = memory::folder().filter(|_| durability == Durability::OfTests).map(Path::to_owned);
    let parents = in_memory.into_iter().chain([run::target(), std::env::temp_dir()]);
    for parent in parents {
        let place = parent.join(&name);
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).map_err(|error| format!("failed to make {}: {error}", place.display()))?;
        own(&place)?;
        let mut enters = as_whom("sh");
        enters.args(["-c", "cd \"$1\"", "sh"]).arg(&place).stderr(Stdio::null());
        if enters.status().is_ok_and(|status| status.success()) {
            return Ok(place);
        }
        let _ = fs::remove_dir_all(&place);
    }
    Err("failed to find a folder for PostgreSQL: it runs as `nobody` for root, and can enter neither the target folder \
         nor the one for temporary files"
        .to_owned())
}

/// The folder of the server's programs: of the wheel, or of an installed server.
fn programs(place: &Path) -> Result<PathBuf, String> {
    let message = match python::postgres_programs() {
        Ok(programs) if runs(&programs) => return Ok(programs),
        Ok(programs) => {
            // They are there, but not for `nobody`: the package is copied to where it can be read.
            let package = programs.ancestors().nth(3).expect("the programs lie in a folder of a package");
            let copy = place.join("programs");
            run::complete(Command::new("cp").arg("-R").arg(package).arg(&copy))?;
            run::complete(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy))?;
            let copied = copy.join(programs.strip_prefix(package).expect("they lie in the package"));
            if runs(&copied) {
                return Ok(copied);
            }
            format!("the programs in {} do not run on this machine", programs.display())
        }
        Err(message) => message,
    };
    installed_programs().filter(|programs| runs(programs)).ok_or_else(|| {
        format!(
            "{message}\nNo installed PostgreSQL was found either: install one, or name a running server in \
             MORANGO_POSTGRES_URL (a superuser's URL; the tests create and drop databases there)"
        )
    })
}

/// Where a distribution puts PostgreSQL, the newest first, or where `initdb` is found.
fn installed_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    folders.sort();
    let on_path =
        std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut folders = folders.into_iter().rev().map(|(_, folder)| folder).chain(on_path);
    folders.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

fn runs(programs: &Path) -> bool {
    let mut command = as_whom(programs.join("initdb"));
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes the data folder.
fn initialize(programs: &Path, data: &Path) -> Result<(), String> {
    // Where prefixes are matched, the order of a language must not matter, so it is tried where there is one.
    let languages =
        [["--locale-provider=icu", "--icu-locale=en-US"].as_slice(), &["--locale=en_US.UTF-8"], &["--no-locale"]];
    let mut said = String::new();
    for language in languages {
        let _ = fs::remove_dir_all(data);
        let mut command = as_whom(programs.join("initdb"));
        command.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]).args(language);
        let output = command.arg("--pgdata").arg(data).output();
        let output = output.map_err(|error| format!("failed to start {command:?}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    Err(format!("failed to make the data folder of PostgreSQL in {}: {said}", data.display()))
}

#[cfg(unix)]
mod whom {
    //! Who runs the server.

    use std::ffi::OsStr;
    use std::os::unix::fs::chown;
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::Command;
    use std::sync::OnceLock;

    /// `nobody`, on every system that we know of.
    const NOBODY: u32 = 65_534;

    /// A program, to be run as somebody whom PostgreSQL accepts.
    pub(super) fn as_whom(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // The workspace may be closed to them, and a program wants to stand somewhere.
        command.current_dir("/");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Gives a folder to whoever runs the server.
    pub(super) fn own(folder: &Path) -> Result<(), String> {
        if !is_root() {
            return Ok(());
        }
        let owned = chown(folder, Some(NOBODY), Some(NOBODY));
        owned.map_err(|error| format!("failed to give {} to `nobody`: {error}", folder.display()))
    }

    /// Whether we are root.
    fn is_root() -> bool {
        static IS_ROOT: OnceLock<bool> = OnceLock::new();
        *IS_ROOT.get_or_init(|| {
            let said = Command::new("id").arg("-u").output();
            said.is_ok_and(|said| said.stdout.trim_ascii() == b"0")
        })
    }
}

#[cfg(not(unix))]
mod whom {
    //! Who runs the server: ourselves.

    use std::ffi::OsStr;
    use std::path::Path;
    use std::process::Command;

    pub(super) fn as_whom(program: impl AsRef<OsStr>) -> Command {
        Command::new(program)
    }

    pub(super) fn own(_: &Path) -> Result<(), String> {
        Ok(())
    }
}
