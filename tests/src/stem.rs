//! Where Python peers come from: processes that have loaded the package, one for each kind of peer, and fork a peer for each story.
//!
//! Loading takes a second or two of a core each time, which with a thousand peers is most of what the stories take; making the tables of
//! a new database takes another good part, and so a stem has them in a template. It lives as long as the program of the tests: the end
//! of its input is its sign to go.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::database::Database;
use crate::postgres::{Template, TestDatabase};

/// How long a peer may take from being forked to calling us. It has nothing to do until then.
const CALL_SECONDS_MAX: u64 = 60;

/// What peers of one stem have in common: the interpreter, the flags that were given before the package was loaded, and the kind of
/// their databases.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Variety {
    interpreter: OsString,
    flags: Vec<String>,
    database: Database,
}

static STEMS: Mutex<Option<HashMap<Variety, Stem>>> = Mutex::new(None);

/// A process that forks peers.
struct Stem {
    input: ChildStdin,
    /// Nobody waits for it: it goes when we do.
    _child: Child,
    /// What new databases are copies of, on a server.
    template: Option<Arc<Template>>,
}

/// Where and as what a peer is to live.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) variety: Variety,
    pub(crate) database: &'a OsStr,
    /// Whether the database is one of [`Variety::new_database`].
    pub(crate) is_copy: bool,
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
        "is_copy": wanted.is_copy,
        "without": wanted.without,
        "log": text(wanted.log.as_os_str()),
        "port": port,
    });
    with_stem(&wanted.variety, |stem| stem.ask(&asked));
    called(&listener)
}

/// Does something with the stem of a variety, which is started if it is not there.
fn with_stem<R>(variety: &Variety, work: impl FnOnce(&mut Stem) -> R) -> R {
    let mut stems = STEMS.lock().unwrap_or_else(PoisonError::into_inner);
    work(stems.get_or_insert_default().entry(variety.clone()).or_insert_with(|| Stem::start(variety)))
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

impl Variety {
    /// Peers with this interpreter and these flags, whose databases are of this kind.
    pub(crate) fn new(interpreter: OsString, flags: &[&str], database: Database) -> Self {
        Self { interpreter, flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), database }
    }

    /// A new database of the server for such a peer, with its tables.
    pub(crate) fn new_database(&self) -> TestDatabase {
        let template = with_stem(self, |stem| stem.template.clone());
        TestDatabase::like(&template.expect("peers of this variety are on a server"))
    }
}

impl Stem {
    fn start(variety: &Variety) -> Self {
        match variety.database {
            Database::Sqlite => Self::start_at(variety, "sqlite"),
            Database::Postgres => {
                let mut stem = None;
                let template = Template::make(|url| stem = Some(Self::start_at(variety, url)));
                let stem = stem.expect("it was started to fill the template");
                Self { template: Some(Arc::new(template)), ..stem }
            }
        }
    }

    /// Starts one whose template is at this place.
    fn start_at(variety: &Variety, place: &str) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_peer").join("stem.py");
        let mut child = Command::new(&variety.interpreter)
            .arg(program)
            .args(["--database", place])
            .args(&variety.flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python interpreter starts");
        let input = child.stdin.take().expect("standard input is piped");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("standard output is piped"))
            .read_line(&mut ready)
            .expect("it says something");
        assert!(!ready.is_empty(), "the Python package cannot be loaded, or makes no tables");
        Self { input, _child: child, template: None }
    }

    fn ask(&mut self, wanted: &Value) {
        writeln!(self.input, "{wanted}").expect("the stem listens");
        self.input.flush().expect("the stem listens");
    }
}
