//! A device of a run: a database of one kind or another, an engine on it, and an application.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use morango::counter::{DatabaseMaxCounters, Stamp};
use morango::engine::Engine;
use morango::id::{CertificateId, InstanceId, SyncId};
use morango::identity::SystemFacts;
use morango::port::{NoAccounts, Storage};
use morango::scope::Filter;
use morango::transfer::Responder;
use morango_diesel::SqliteStorage;
use morango_examples::school::Dataset;
use morango_memory::MemoryStorage;

use crate::clock::{NodeClock, Time};
use crate::desk::{Access, Desk};
use crate::dice::Dice;
use crate::faults::{Faulty, Power, Strike, Struck};
use crate::papers::{self, Reach};
use crate::plan::{Blow, Restoring};
use crate::school::{Strictness, Version, make_postgres_tables, make_sqlite_tables, memory_models};
use crate::server::{self, Schema};
use crate::work::Worker;

/// On what a device keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Memory,
    Postgres,
}

/// What a device is for its whole life.
#[derive(Debug, Clone)]
pub(crate) struct Character {
    pub(crate) number: usize,
    pub(crate) reach: Reach,
    pub(crate) version: Version,
    pub(crate) strictness: Strictness,
    pub(crate) database: Database,
    /// By how many thousandths its clock goes too fast.
    pub(crate) drift: i32,
}

/// A device.
pub(crate) struct Node {
    pub(crate) character: Character,
    pub(crate) certificate: CertificateId,
    pub(crate) clock: NodeClock,
    pub(crate) engine: Engine,
    pub(crate) responder: Responder,
    pub(crate) power: Arc<Power>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) worker: Worker,
    /// What it may hold.
    pub(crate) scope: Filter,
    desk: Arc<Mutex<Desk>>,
    home: Home,
    /// Whether a network card is plugged in, which makes it another instance when it is switched on the next time.
    pub(crate) has_card: bool,
    backup: Option<Home>,
    backups: usize,
}

/// Where the data is.
enum Home {
    File(PathBuf),
    Memory(MemoryStorage),
    Server(Schema),
}

/// A claim of a database: under a partition it has everything of an instance up to a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) partition: String,
    pub(crate) instance: InstanceId,
    pub(crate) counter: i64,
}

#[derive(QueryableByName)]
struct ClaimRow {
    #[diesel(sql_type = Text)]
    partition: String,
    #[diesel(sql_type = Text)]
    instance: String,
    #[diesel(sql_type = BigInt)]
    counter: i64,
}

impl Character {
    /// What the device of this number is, which follows from the seed. The first holds the whole school.
    pub(crate) fn draw(seed: u64, number: usize, learners: &[SyncId]) -> Self {
        let mut dice = Dice::new(Dice::seed_of(seed, "character", number as u64));
        let reach = match dice.below(learners.len() * 2) {
            _ if number < 2 => Reach::School,
            learner if learner < learners.len() => Reach::Learner(learners[learner].to_string()),
            _ => Reach::School,
        };
        Self {
            number,
            reach,
            version: if number > 0 && dice.happens(250) { Version::Old } else { Version::New },
            strictness: if number > 0 && dice.happens(250) { Strictness::Strict } else { Strictness::Plain },
            database: match dice.below(10) {
                0..3 => Database::Memory,
                3 if server::is_there() => Database::Postgres,
                _ => Database::Sqlite,
            },
            drift: i32::from(dice.small(5)) - 2,
        }
    }
}

impl Node {
    /// A new device, with its certificate and an empty school.
    pub(crate) fn new(character: Character, folder: &Path, time: &Time) -> Self {
        let Character { version, strictness, .. } = character;
        let home = match character.database {
            Database::Sqlite => {
                let path = folder.join(format!("{}.db", character.number));
                let storage = SqliteStorage::open(&path).expect("a database file");
                let mut connection = storage.connect().expect("a connection");
                make_sqlite_tables(&mut connection, version, strictness).expect("the school's tables");
                Home::File(path)
            }
            Database::Memory => Home::Memory(MemoryStorage::new(memory_models(version, strictness))),
            Database::Postgres => {
                let schema = Schema::create();
                let mut connection = schema.open().connect().expect("a connection");
                make_postgres_tables(&mut connection, version, strictness).expect("the school's tables");
                Home::Server(schema)
            }
        };
        let clock = NodeClock::new(time.clone(), character.drift);
        let open = Open::new(&home, &character, &clock, false);
        if character.number == 0 {
            papers::found(&*open.storage);
        }
        let salt = format!("{:032x}", character.number);
        let certificate = papers::grant(&*open.storage, &character.reach, &salt);
        let root = papers::root();
        let worker = Worker { node: character.number, reach: character.reach.clone(), dataset: root.id().into() };
        let scope = scope_of(&character.reach, &root.id().to_string());
        let Open { engine, responder, power, storage, desk } = open;
        let desk = Arc::new(Mutex::new(desk));
        Self {
            character,
            certificate,
            clock,
            engine,
            responder,
            power,
            storage,
            worker,
            scope,
            desk,
            home,
            has_card: false,
            backup: None,
            backups: 0,
        }
    }

    /// The application's desk.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The desk for somebody who works at it while the device syncs.
    pub(crate) fn shared_desk(&self) -> Arc<Mutex<Desk>> {
        Arc::clone(&self.desk)
    }

    /// The row of the school's dataset is made.
    pub(crate) fn make_dataset(&self) {
        let id = self.worker.dataset;
        let row = Dataset { id, description: "school".to_owned(), allow_guests: true };
        match &mut self.desk().access {
            Access::Sqlite(connection) => drop(morango_diesel::Syncable::create(row, connection).expect("a row")),
            Access::Postgres(connection) => drop(morango_diesel::Syncable::create(row, connection).expect("a row")),
            Access::Memory(memory) => drop(memory.with_rows(|rows| rows.create(row)).expect("a row")),
        }
    }

    /// The device is switched off at once, and on again: what was committed is there. Says whether it is another instance than before.
    pub(crate) fn restart(&mut self) -> bool {
        let before = self.engine.instance().id;
        self.open(Open::new(&self.home, &self.character, &self.clock, self.has_card));
        self.engine.instance().id != before
    }

    /// The device is switched on, and while its engine is built these calls of its storage go wrong. Then it is switched off. Says which did.
    pub(crate) fn start_in_vain(&mut self, blows: &[(u16, Blow)]) -> Vec<Struck> {
        if blows.is_empty() {
            return Vec::new();
        }
        let (storage, access) = self.home.open();
        let power = Arc::new(Power::default());
        power.arm(Strike::each(blows));
        drop(build(storage, &power, &self.character, &self.clock, self.has_card));
        drop(access);
        power.disarm()
    }

    fn open(&mut self, open: Open) {
        let Open { engine, responder, power, storage, desk } = open;
        (self.engine, self.responder, self.power, self.storage) = (engine, responder, power, storage);
        *self.desk() = desk;
    }

    /// A copy of the database is put aside.
    pub(crate) fn back_up(&mut self) {
        self.backups += 1;
        self.backup = Some(match &self.home {
            Home::File(path) => {
                let copy = path.with_extension(format!("{}.backup", self.backups));
                let statement = format!("VACUUM INTO '{}'", copy.display());
                let mut desk = self.desk();
                let Access::Sqlite(connection) = &mut desk.access else { return };
                diesel::sql_query(statement).execute(connection).expect("a copy of the database");
                Home::File(copy)
            }
            Home::Memory(memory) => Home::Memory(memory.copy().expect("a copy of the storage")),
            // A schema is not copied as a whole.
            Home::Server(_) => return,
        });
    }

    /// Whether its database is on a server, where nothing is copied as a whole.
    pub(crate) fn is_on_server(&self) -> bool {
        matches!(self.home, Home::Server(_))
    }

    /// Whether a copy of this device's database could be the other's.
    pub(crate) fn is_of_a_kind_with(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.character, &other.character);
        ours.database == theirs.database
            && ours.version == theirs.version
            && ours.strictness == theirs.strictness
            && ours.reach == theirs.reach
    }

    /// A copy of the database, and in whose name it speaks, are taken to another device, where it can be copied.
    pub(crate) fn hand_copy_to(&mut self, other: &mut Self) {
        let before = self.backup.take();
        self.back_up();
        let copy = std::mem::replace(&mut self.backup, before);
        if copy.is_some() {
            (other.backup, other.certificate) = (copy, self.certificate);
        }
    }

    /// The copy takes the database's place. Says whether there is one.
    pub(crate) fn restore(&mut self, manner: Restoring) -> bool {
        let Some(backup) = self.backup.take() else { return false };
        // Nobody has the old files open any more.
        self.open(Open::nowhere(&self.character, &self.clock));
        match (&mut self.home, &backup) {
            (Home::File(path), Home::File(backup)) => {
                for ending in ["db-wal", "db-shm"] {
                    let _ = std::fs::remove_file(path.with_extension(ending));
                }
                if manner == Restoring::AsNewFile {
                    std::fs::remove_file(&*path).expect("the old file goes");
                }
                std::fs::copy(backup, &*path).expect("the backup is put back");
            }
            (Home::Memory(memory), Home::Memory(backup)) => {
                *memory = backup.copy().expect("a copy of the storage");
            }
            (Home::File(_) | Home::Memory(_) | Home::Server(_), _) => return false,
        }
        self.backup = Some(backup);
        self.open(Open::new(&self.home, &self.character, &self.clock, self.has_card));
        let is_seen = manner == Restoring::AsNewFile && matches!(self.home, Home::File(_));
        if !is_seen && manner != Restoring::Unnoticed {
            self.engine.renew_database_id().expect("it becomes another instance");
        }
        true
    }

    /// The same, to be asked.
    pub(crate) fn all_claims(&self) -> DatabaseMaxCounters {
        let mut claims = DatabaseMaxCounters::new();
        for claim in self.claims() {
            claims.raise(&claim.partition, Stamp::new(claim.instance, claim.counter));
        }
        claims
    }

    /// What the database claims to have.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        const TABLE: &str = "counter FROM morango_database_max_counter";
        let on_sqlite = format!("SELECT partition, lower(hex(instance)) AS instance, {TABLE}");
        let on_postgres = format!("SELECT partition, replace(instance::text, '-', '') AS instance, {TABLE}");
        let mut desk = self.desk();
        let mut claims: Vec<Claim> = match &mut desk.access {
            Access::Sqlite(connection) => claims_in(diesel::sql_query(on_sqlite).load(connection)),
            Access::Postgres(connection) => claims_in(diesel::sql_query(on_postgres).load(connection)),
            Access::Memory(memory) => {
                let counters = memory.database_max_counters();
                let claim = |(partition, stamp): (&str, Stamp)| Claim {
                    partition: partition.to_owned(),
                    instance: stamp.instance,
                    counter: stamp.counter,
                };
                counters.iter().map(claim).collect()
            }
        };
        claims.sort();
        claims
    }
}

fn claims_in(rows: QueryResult<Vec<ClaimRow>>) -> Vec<Claim> {
    let claim = |row: ClaimRow| Claim {
        partition: row.partition,
        instance: row.instance.parse().expect("an id"),
        counter: row.counter,
    };
    rows.expect("the counters").into_iter().map(claim).collect()
}

/// What a device may hold: what it may read, and what it may write.
fn scope_of(reach: &Reach, root: &str) -> Filter {
    let prefixes = match reach {
        Reach::School => vec![root.to_owned()],
        Reach::Learner(id) => vec![
            format!("{root}:allusers-ro"),
            format!("{root}:user-ro:{id}"),
            format!("{root}:user-rw:{id}"),
            format!("{root}:user-wo:{id}"),
        ],
    };
    Filter::new(prefixes).expect("good prefixes")
}

impl Home {
    /// The engine's way to the data, and the application's.
    fn open(&self) -> (Arc<dyn Storage>, Access) {
        match self {
            Self::File(path) => {
                let storage = SqliteStorage::open(path).expect("a database file");
                let connection = storage.connect().expect("a connection");
                (Arc::new(storage), Access::Sqlite(connection))
            }
            Self::Memory(memory) => (Arc::new(memory.clone()), Access::Memory(memory.clone())),
            Self::Server(schema) => {
                let storage = schema.open();
                let connection = storage.connect().expect("a connection");
                (Arc::new(storage), Access::Postgres(connection))
            }
        }
    }
}

/// The engine of a device.
fn build(
    storage: Arc<dyn Storage>,
    power: &Arc<Power>,
    character: &Character,
    clock: &NodeClock,
    has_card: bool,
) -> morango::Result<Engine> {
    let faulty = Faulty { inner: storage, power: Arc::clone(power) };
    let name = format!("node {}", character.number);
    let node_id = if has_card { "5e005301" } else { "" }.to_owned();
    let facts = SystemFacts { hostname: name.clone(), system_id: name, node_id, ..SystemFacts::default() };
    let builder = Engine::builder(faulty).registry(character.version.registry()).clock(clock.clone());
    builder.system_facts(facts).build()
}

/// What is open of a device while it is switched on.
struct Open {
    engine: Engine,
    responder: Responder,
    power: Arc<Power>,
    storage: Arc<dyn Storage>,
    desk: Desk,
}

impl Open {
    fn new(home: &Home, character: &Character, clock: &NodeClock, has_card: bool) -> Self {
        let (storage, access) = home.open();
        let power = Arc::new(Power::default());
        let engine = build(Arc::clone(&storage), &power, character, clock, has_card).expect("an engine");
        let responder = engine.responder(NoAccounts);
        let desk = Desk { version: character.version, store: Arc::clone(&storage), access };
        Self { engine, responder, power, storage, desk }
    }

    /// A device that has nothing open.
    fn nowhere(character: &Character, clock: &NodeClock) -> Self {
        let memory = MemoryStorage::new(memory_models(character.version, character.strictness));
        Self::new(&Home::Memory(memory), character, clock, false)
    }
}
