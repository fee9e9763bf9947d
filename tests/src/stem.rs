//! Where Python peers come from: processes that have loaded the package, one for each kind of peer, and fork a peer for each story.
//!
//! Loading takes a second or two of a core each time, which with a thousand peers is most of what the stories take. A stem lives as
//! long as the program of the tests: the end of its input is its sign to go.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a peer may take from being forked to calling us. It has nothing to do until then.
const CALL_SECONDS_MAX: u64 = 60;

/// What peers of one stem have in common: the interpreter, and the flags that were given before the package was loaded.
type Variety = Vec<OsString>;

static STEMS: Mutex<Option<HashMap<Variety, Stem>>> = Mutex::new(None);

/// A process that forks peers.
#[derive(Debug)]
struct Stem {
    input: ChildStdin,
    /// Nobody waits for it: it goes when we do.
    _child: Child,
}

/// Where and as what a peer is to live.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) interpreter: OsString,
    pub(crate) database: &'a OsStr,
    pub(crate) flags: &'a [&'a str],
    /// Capabilities that it is to do without.
    pub(crate) without: Vec<&'static str>,
    pub(crate) log: &'a Path,
}

/// Has a peer forked, and gives the line on which it speaks.
pub(crate) fn fork(wanted: &Wanted<'_>) -> TcpStream {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let text = |path: &OsStr| path.to_str().expect("a path of UTF-8").to_owned();
    let asked = json!({
        "database": text(wanted.database),
        "without": wanted.without,
        "log": text(wanted.log.as_os_str()),
        "port": port,
    });
    let mut stems = STEMS.lock().unwrap_or_else(PoisonError::into_inner);
    let stem = stems.get_or_insert_default().entry(wanted.variety()).or_insert_with(|| Stem::start(wanted));
    stem.ask(&asked);
    drop(stems);
    called(&listener)
}

/// The line of whoever calls.
fn called(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("a listener may look without waiting");
    let until = Instant::now() + Duration::from_secs(CALL_SECONDS_MAX);
    loop {
        match listener.accept() {
            Ok((line, _)) => {
                line.set_nonblocking(false).expect("a line may wait");
                line.set_nodelay(true).expect("a line may send at once");
                return line;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("no Python peer called: {error}"),
        }
    }
}

impl Wanted<'_> {
    fn variety(&self) -> Variety {
        let words = [self.interpreter.as_os_str(), self.kind_of_database()].map(OsString::from);
        words.into_iter().chain(self.flags.iter().map(OsString::from)).collect()
    }

    /// A database like the one that is wanted, which nobody opens.
    fn kind_of_database(&self) -> &'static OsStr {
        let is_postgres = self.database.to_str().is_some_and(|database| database.starts_with("postgres"));
        OsStr::new(if is_postgres { "postgres://nobody@127.0.0.1/none" } else { "none" })
    }
}

impl Stem {
    fn start(wanted: &Wanted<'_>) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_peer").join("stem.py");
        let mut child = Command::new(&wanted.interpreter)
            .arg(program)
            .arg("--database")
            .arg(wanted.kind_of_database())
            .args(wanted.flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python interpreter starts");
        let input = child.stdin.take().expect("standard input is piped");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("standard output is piped"))
            .read_line(&mut ready)
            .expect("it says something");
        assert!(!ready.is_empty(), "the Python package cannot be loaded");
        Self { input, _child: child }
    }

    fn ask(&mut self, wanted: &Value) {
        writeln!(self.input, "{wanted}").expect("the stem listens");
        self.input.flush().expect("the stem listens");
    }
}
