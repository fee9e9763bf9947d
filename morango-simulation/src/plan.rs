//! The plan of a run: what happens, step by step, all of it drawn from the seed before anything runs.
//!
//! Everything that goes wrong is written in the step in which it does, by the number of the call that it hits. So a plan from which
//! steps or faults were taken out is a plan as well, and that is how a failing one is shrunk.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What the devices are, and every id, follows from it.
    pub seed: u64,
    /// How many devices there are.
    pub nodes: usize,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number in the plan as it was drawn, which it keeps.
    pub number: u32,
    /// What it is.
    pub act: Act,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// An application changes a row.
    Edit(Edit),
    /// One device syncs with another.
    Sync(Sync),
    /// A device's changes are serialized apart from a sync, or its records deserialized.
    Apart {
        /// The device.
        node: usize,
        /// Whether it serializes.
        is_serializing: bool,
        /// What happens to calls of its storage, by number.
        #[serde(default)]
        blows: Vec<(u16, Blow)>,
    },
    /// Somebody decides a conflict.
    Resolve {
        /// On which device.
        node: usize,
        /// An even number for what stands, an odd one for what lost last.
        choice: u8,
        /// What happens to calls of its storage, by number, when it is decided.
        #[serde(default)]
        blows: Vec<(u16, Blow)>,
    },
    /// Time passes.
    Pause {
        /// How much.
        seconds: u32,
    },
    /// Somebody sets a clock.
    SetClock {
        /// Whose.
        node: usize,
        /// By how much, forward or back.
        seconds: i32,
    },
    /// A device is switched off at once, and on again.
    Restart {
        /// Which one.
        node: usize,
        /// Whether a network card is plugged in, with which it is another instance.
        #[serde(default)]
        has_card: bool,
        /// What happens to calls of its storage, by number, when its engine is first built. It is built once more then.
        #[serde(default)]
        blows: Vec<(u16, Blow)>,
    },
    /// A copy of a device's database is put aside.
    BackUp {
        /// Of which device.
        node: usize,
    },
    /// The copy is put in the place of the database.
    Restore {
        /// On which device.
        node: usize,
        /// How.
        manner: Restoring,
    },
    /// A device is replaced by one that begins with a copy of another's database, where the two are of a kind.
    Copy {
        /// Of which device.
        from: usize,
        /// In the place of which one.
        to: usize,
    },
    /// Everything is repaired, all sync until nothing is left to do, and then all must be equal.
    Rest,
}

/// How a backup is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restoring {
    /// As another file, which the engine notices.
    AsNewFile,
    /// Over the same file, and the application says so.
    Told,
    /// Over the same file, and nobody says so: whoever it meets first may know.
    Unnoticed,
}

/// What an application does to a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// On which device.
    pub node: usize,
    /// Of which model.
    pub kind: Kind,
    /// Which of the model's rows.
    pub slot: u8,
    /// What is done.
    pub deed: Deed,
    /// What the row's fields follow from.
    pub dice: u64,
}

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// It is changed, or made where it is not there.
    Save,
    /// It is deleted.
    Delete,
    /// It is deleted for good.
    HardDelete,
}

/// The models of the school that are edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A school.
    Facility,
    /// A class or a group in one: a tree.
    Classroom,
    /// A person.
    User,
    /// That a person is in a class: the same two make the same record everywhere.
    Membership,
    /// Something for a learner to do. The old version knows no day by which it is due.
    Assignment,
    /// What a learner did. The old version lacks a field that the new one must have.
    Log,
    /// What a learner tells the coach. The old version does not have it.
    Feedback,
}

/// One attempt to sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sync {
    /// Who calls.
    pub client: usize,
    /// Who is called.
    pub server: usize,
    /// What is done.
    pub ways: Ways,
    /// How many records go over at a time.
    pub chunk: usize,
    /// Whether it goes on with one that was broken off.
    pub resumes: bool,
    /// Whether it leaves the session open.
    pub keeps_open: bool,
    /// Whether the client can do no more than an old one.
    pub is_old: bool,
    /// What happens to requests and answers, by the number of the call.
    pub line: Vec<(u16, Mishap)>,
    /// What happens to calls of the storages, by side and number.
    pub storage: Vec<(End, u16, Blow)>,
    /// What happens to calls of one verb of the storages: by side, verb, and which of its calls it is.
    #[serde(default)]
    pub verbs: Vec<(End, String, u16, Blow)>,
    /// What applications do meanwhile: after which call, at which end.
    pub meanwhile: Vec<(u16, End, Edit)>,
}

/// In which ways records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ways {
    /// Pulled, then pushed.
    Both,
    /// Pulled.
    Pull,
    /// Pushed.
    Push,
}

/// One end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum End {
    /// Who calls.
    Client,
    /// Who is called.
    Server,
}

/// What happens to a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mishap {
    /// The request never comes.
    RequestLost,
    /// The request comes, its answer does not.
    AnswerLost,
    /// The request comes twice.
    Doubled,
    /// It takes so many seconds.
    Slow(u16),
    /// The client hears nothing; the request comes when so many further calls were made, or after the sync.
    Late(u8),
    /// From here on nothing goes over.
    CutOff,
}

/// What happens to a call of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blow {
    /// It fails, and nothing is done.
    Fails,
    /// The database is busy for longer than anybody waits.
    Busy,
    /// The device has no power before it.
    DiesBefore,
    /// The device has no power after some of its transactions.
    DiesWithin(u8),
    /// The device has no power after it.
    DiesAfter,
}

impl Kind {
    /// All of them, parents first.
    pub const ALL: [Self; 7] =
        [Self::Facility, Self::Classroom, Self::User, Self::Membership, Self::Assignment, Self::Log, Self::Feedback];

    /// How many different rows of it there are in a run.
    pub const fn slots(self) -> u8 {
        match self {
            Self::Facility => 3,
            Self::Classroom => 8,
            Self::User | Self::Feedback => 6,
            Self::Membership | Self::Assignment => 12,
            Self::Log => 14,
        }
    }
}

/// How often things happen, of a thousand.
const SYNCS: usize = 130;
const OTHERS: usize = 30;
/// How often the same two try again at once, of a thousand times in which something went wrong.
const GOING_ON: usize = 500;

/// The verbs of a storage that change something in a sync, and are each called a few times at most: of all calls they are the fewest.
const VERBS: [&str; 14] = [
    "create_transfer_session",
    "serialize",
    "fsic",
    "note_told",
    "queue",
    "queued_chunk",
    "note_unclaimed",
    "buffer_chunk",
    "receive_chunk",
    "dequeue",
    "deserialize",
    "clean_up",
    "note_handed_over",
    "close_sync_session",
];

/// Steps between two rests.
const STEPS_BETWEEN_RESTS: u32 = 250;

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64, steps: u32, nodes: usize) -> Self {
        let mut dice = Dice::new(Dice::seed_of(seed, "plan", 0));
        let mut plan = Self { seed, nodes, steps: Vec::new() };
        let mut broken_off = None;
        for number in 0..steps {
            let is_rest = number + 1 == steps || number % STEPS_BETWEEN_RESTS == STEPS_BETWEEN_RESTS - 1;
            let act = match broken_off.take().filter(|_| dice.happens(GOING_ON)) {
                _ if is_rest => Act::Rest,
                Some(sync) => Act::Sync(Sync::draw(&mut dice, nodes).in_place_of(&sync)),
                None => Act::draw(&mut dice, nodes),
            };
            if let Act::Sync(sync) = &act
                && sync.is_disturbed()
            {
                broken_off = Some(sync.clone());
            }
            plan.steps.push(Step { number, act });
        }
        plan
    }
}

impl Act {
    fn draw(dice: &mut Dice, nodes: usize) -> Self {
        if dice.happens(SYNCS) {
            return Self::Sync(Sync::draw(dice, nodes));
        }
        if !dice.happens(OTHERS) {
            let node = dice.below(nodes);
            return Self::Edit(Edit::draw(dice, node));
        }
        let node = dice.below(nodes);
        match dice.below(18) {
            0..3 => Self::Pause { seconds: dice.one(&[10, 600, 4_000, 90_000, 3_000_000]) },
            3..5 => Self::SetClock { node, seconds: dice.one(&[-86_400, -3_000, -70, 0, 0, 65, 4_000, 90_000]) },
            5..8 => Self::Restart { node, has_card: dice.happens(300), blows: blows(dice, 8) },
            8..10 => Self::BackUp { node },
            10..12 => {
                Self::Restore { node, manner: dice.one(&[Restoring::AsNewFile, Restoring::Told, Restoring::Unnoticed]) }
            }
            16..18 => Self::Copy { from: dice.below(nodes), to: node },
            12..14 => Self::Apart { node, is_serializing: dice.happens(500), blows: blows(dice, 2) },
            _ => Self::Resolve { node, choice: dice.small(4), blows: blows(dice, 2) },
        }
    }
}

impl Edit {
    fn draw(dice: &mut Dice, node: usize) -> Self {
        let kind = dice.one(&[
            Kind::Facility,
            Kind::Classroom,
            Kind::Classroom,
            Kind::User,
            Kind::Membership,
            Kind::Membership,
            Kind::Assignment,
            Kind::Assignment,
            Kind::Log,
            Kind::Log,
            Kind::Log,
            Kind::Feedback,
        ]);
        // What others hang on is deleted seldom.
        let deletions = match kind {
            Kind::Facility => 5,
            Kind::User => 20,
            Kind::Classroom => 60,
            Kind::Membership | Kind::Assignment | Kind::Log | Kind::Feedback => 120,
        };
        let deed = match () {
            () if !dice.happens(deletions) => Deed::Save,
            () if dice.happens(200) => Deed::HardDelete,
            () => Deed::Delete,
        };
        Self { node, kind, slot: dice.small(kind.slots()), deed, dice: dice.next() }
    }
}

impl Sync {
    fn draw(dice: &mut Dice, nodes: usize) -> Self {
        let client = dice.below(nodes);
        let server = (client + 1 + dice.below(nodes - 1)) % nodes;
        let mut sync = Self {
            client,
            server,
            ways: dice.one(&[Ways::Both, Ways::Both, Ways::Both, Ways::Pull, Ways::Push]),
            chunk: dice.one(&[1, 2, 3, 7, 50]),
            resumes: dice.happens(500),
            keeps_open: dice.happens(60),
            is_old: dice.happens(60),
            line: Vec::new(),
            storage: Vec::new(),
            verbs: Vec::new(),
            meanwhile: Vec::new(),
        };
        if dice.happens(350) {
            for _ in 0..=dice.below(2) {
                sync.line.push((call(dice, 30), Mishap::draw(dice)));
            }
        }
        if dice.happens(250) {
            let end = dice.one(&[End::Client, End::Server]);
            sync.storage.push((end, call(dice, 70), Blow::draw(dice)));
        }
        if dice.happens(250) {
            let end = dice.one(&[End::Client, End::Server]);
            sync.verbs.push((end, dice.one(&VERBS).to_owned(), call(dice, 3), Blow::draw(dice)));
        }
        if dice.happens(200) {
            for _ in 0..=dice.below(3) {
                let end = dice.one(&[End::Client, End::Server]);
                let node = if end == End::Client { client } else { server };
                sync.meanwhile.push((call(dice, 30), end, Edit::draw(dice, node)));
            }
        }
        sync
    }
}

impl Sync {
    /// Whether something goes wrong with the line or a storage.
    pub fn is_disturbed(&self) -> bool {
        !(self.line.is_empty() && self.storage.is_empty() && self.verbs.is_empty())
    }

    /// The same two try again what they tried before.
    fn in_place_of(self, before: &Self) -> Self {
        let Self { client, server, ways, .. } = *before;
        Self { client, server, ways, resumes: true, keeps_open: before.keeps_open, is_old: before.is_old, ..self }
    }
}

/// What happens to calls of a storage apart from a sync, of which there are so many.
fn blows(dice: &mut Dice, calls: usize) -> Vec<(u16, Blow)> {
    if dice.happens(400) { vec![(call(dice, calls), Blow::draw(dice))] } else { Vec::new() }
}

/// The number of a call below `end`.
fn call(dice: &mut Dice, end: usize) -> u16 {
    u16::try_from(dice.below(end)).expect("it is a small number")
}

impl Mishap {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(12) {
            0..2 => Self::RequestLost,
            2..5 => Self::AnswerLost,
            5..7 => Self::Doubled,
            7..9 => Self::Slow(dice.one(&[1, 30, 70, 400, 4_000])),
            9..11 => Self::Late(dice.small(12)),
            _ => Self::CutOff,
        }
    }
}

impl Blow {
    fn draw(dice: &mut Dice) -> Self {
        match dice.below(10) {
            0..2 => Self::Fails,
            2..4 => Self::Busy,
            4..6 => Self::DiesBefore,
            6..8 => Self::DiesWithin(dice.small(3)),
            _ => Self::DiesAfter,
        }
    }
}
