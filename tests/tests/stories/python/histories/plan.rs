//! What happens in a history, drawn from its seed before anything runs.
//!
//! Rows are named by numbers: the one that is meant is found when the step comes, among those that are there by then.

use morango::prelude::Direction;
use morango_tests::dice::Dice;

/// The three devices of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// One of ours. Its table allows each name to one person only.
    First,
    /// Another one of ours.
    Second,
    /// The Python peer.
    Python,
}

/// All of them.
pub(super) const ALL: [Who; 3] = [Who::First, Who::Second, Who::Python];

/// What an application does. Where nothing is there to do it with, it does nothing.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Make(New),
    Change(Change),
}

/// A row that is made.
#[derive(Debug, Clone)]
pub(super) enum New {
    Classroom {
        parent: Option<usize>,
        value: usize,
    },
    User {
        name: usize,
    },
    /// The same two make the same record, wherever and however often.
    Membership {
        user: usize,
        classroom: usize,
    },
    Log {
        user: usize,
        value: usize,
    },
    Assignment {
        user: usize,
        value: usize,
    },
    Feedback {
        user: usize,
        value: usize,
    },
    /// Of a model that only the Python peer has.
    Bulletin {
        value: usize,
    },
}

/// What becomes of a row that is there.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Value {
        what: usize,
        value: usize,
    },
    /// Another name to log in with.
    Name {
        user: usize,
        name: usize,
    },
    Parent {
        classroom: usize,
        parent: Option<usize>,
    },
    Deleted {
        what: usize,
    },
    HardDeleted {
        what: usize,
    },
}

/// Under which filter two devices sync.
#[derive(Debug, Clone, Copy)]
pub(super) enum Under {
    Everything,
    WhatAllMayRead,
    AllUsers,
    OneUser { user: usize },
    WhatAllMayReadAndOneUser { user: usize },
}

/// One step of a history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Edit {
        on: Who,
        edit: Edit,
    },
    /// The changes of one device are brought into its store.
    Serialize {
        on: Who,
    },
    /// What waits on one device is tried again.
    Deserialize {
        on: Who,
    },
    Sync(Sync),
}

/// How two devices sync.
#[derive(Debug, Clone)]
pub(super) struct Sync {
    pub(super) client: Who,
    pub(super) server: Who,
    /// A pull, a push, or one after the other.
    pub(super) directions: &'static [Direction],
    pub(super) under: Under,
    /// Records in a chunk, at most.
    pub(super) chunk_records_max: usize,
    /// Whether both bring their changes into the store before, so that what comes of the sync can be said beforehand.
    pub(super) is_settled: bool,
}

/// Who calls where one of ours meets the Python peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    Rust,
    Python,
    Either,
}

/// Steps of a history, at least and at most.
const STEPS: (usize, usize) = (12, 30);

/// How many things a step chooses among, at most. It is no multiple of small numbers.
const THINGS: usize = 997;

/// The history of this seed.
pub(super) fn drawn(seed: u64, calls: Calls) -> Vec<Step> {
    let mut dice = Dice::of(seed);
    let count = STEPS.0 + dice.below(STEPS.1 - STEPS.0 + 1);
    let mut steps = Vec::new();
    while steps.len() < count {
        if dice.is_heads() {
            steps.extend(apart(&mut dice, calls));
        } else {
            steps.push(step(&mut dice, calls));
        }
    }
    steps
}

/// Two change the same row apart from each other, and then sync one way: whoever receives is in conflict.
fn apart(dice: &mut Dice, calls: Calls) -> [Step; 3] {
    let directions: &[Direction] = if dice.is_heads() { &[Direction::Pull] } else { &[Direction::Push] };
    let sync = Sync { directions, under: Under::Everything, is_settled: true, ..sync(dice, calls) };
    let what = dice.below(THINGS);
    let [one, other] = [sync.client, sync.server].map(|on| {
        let value = dice.below(THINGS);
        let change = match dice.below(8) {
            0..5 => Change::Value { what, value },
            5..7 => Change::Deleted { what },
            _ => Change::HardDeleted { what },
        };
        Step::Edit { on, edit: Edit::Change(change) }
    });
    [one, other, Step::Sync(sync)]
}

fn step(dice: &mut Dice, calls: Calls) -> Step {
    match dice.below(20) {
        0..12 => Step::Edit { on: dice.one_of(&ALL), edit: edit(dice) },
        12 => Step::Serialize { on: dice.one_of(&ALL) },
        13 => Step::Deserialize { on: dice.one_of(&ALL) },
        _ => Step::Sync(sync(dice, calls)),
    }
}

fn edit(dice: &mut Dice) -> Edit {
    let (one, other, value) = (dice.below(THINGS), dice.below(THINGS), dice.below(THINGS));
    let maybe = dice.is_heads().then_some(other);
    match dice.below(28) {
        0..3 => Edit::Make(New::Classroom { parent: maybe, value }),
        3..5 => Edit::Make(New::User { name: value }),
        5..8 => Edit::Make(New::Membership { user: one, classroom: other }),
        8..10 => Edit::Make(New::Log { user: one, value }),
        10..12 => Edit::Make(New::Assignment { user: one, value }),
        12 => Edit::Make(New::Feedback { user: one, value }),
        13 => Edit::Make(New::Bulletin { value }),
        14..20 => Edit::Change(Change::Value { what: one, value }),
        20..22 => Edit::Change(Change::Name { user: one, name: value }),
        22..25 => Edit::Change(Change::Parent { classroom: one, parent: maybe }),
        25..27 => Edit::Change(Change::Deleted { what: one }),
        _ => Edit::Change(Change::HardDeleted { what: one }),
    }
}

fn sync(dice: &mut Dice, calls: Calls) -> Sync {
    let pair = dice.one_of(&[(Who::First, Who::Python), (Who::Second, Who::Python), (Who::First, Who::Second)]);
    let calls_back = match (pair.1, calls) {
        (Who::Python, Calls::Rust) => false,
        (Who::Python, Calls::Python) => true,
        (_, Calls::Either) | (Who::First | Who::Second, _) => dice.is_heads(),
    };
    let (client, server) = if calls_back { (pair.1, pair.0) } else { pair };
    let directions: &[Direction] = match dice.below(4) {
        0 => &[Direction::Pull],
        1 => &[Direction::Push],
        _ => &[Direction::Pull, Direction::Push],
    };
    let user = dice.below(THINGS);
    let under = match dice.below(10) {
        0..5 => Under::Everything,
        5 => Under::WhatAllMayRead,
        6 => Under::AllUsers,
        7 => Under::OneUser { user },
        _ => Under::WhatAllMayReadAndOneUser { user },
    };
    Sync { client, server, directions, under, chunk_records_max: 1 + dice.below(4), is_settled: dice.is_heads() }
}
