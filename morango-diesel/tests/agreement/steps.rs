//! What can happen in a history, and how histories are made up.

use morango::scope::Filter;
use proptest::prelude::*;

use crate::library::BOOKS;

/// How many devices of a kind there are.
pub(crate) const DEVICES: usize = 3;

/// Keys are few, so that much happens to the same rows.
const KEYS: u8 = 4;

/// What the application does to one row: it makes it, or changes it where it is there.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Shelf {
        key: u8,
        label: u8,
        parent: Option<u8>,
    },
    Book {
        key: u8,
        shelf: u8,
        title: u8,
    },
    Note {
        key: u8,
        book: u8,
        shelf: Option<u8>,
        pages: i32,
        text: u8,
    },
    /// Another owner: the row then belongs under another partition than its record.
    GiveAway {
        book: u8,
        owner: u8,
    },
    Delete {
        what: What,
        key: u8,
    },
    HardDelete {
        what: What,
        key: u8,
    },
}

/// Which kind of row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Shelf,
    Book,
    Note,
}

/// A record that a stranger sends, whose application makes other rows.
#[derive(Debug, Clone)]
pub(crate) enum Foreign {
    /// The text of a book is no JSON object.
    Malformed { book: u8 },
    /// The text of a book lacks a field.
    Incomplete { book: u8 },
    /// A model that nobody here has.
    UnknownModel { key: u8 },
    /// A shelf within another, which need not be here.
    Shelf { key: u8, parent: Option<u8> },
    /// A book on a shelf, which need not be here.
    Book { key: u8, shelf: u8, title: u8 },
    /// A deletion of what need not be here.
    Deleted { what: What, key: u8, is_hard: bool },
}

/// Where a transfer ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// After so many chunks the line is cut for good.
    Cut { chunks: u8 },
    /// The receiver is stopped before it makes rows.
    Dequeued,
    /// It is complete.
    Deserialized,
}

/// Under which filter.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Under {
    Everything,
    Shelves,
    Books,
    BooksOfOne,
    ShelvesAndBooksOfOne,
    Notes,
}

impl Under {
    pub(crate) fn filter(self) -> Filter {
        let prefixes: &[&str] = match self {
            Self::Everything => return Filter::everything(),
            Self::Shelves => &["lib:shelves"],
            Self::Books => &[BOOKS],
            Self::BooksOfOne => &["b00cb00cb00cb00cb00cb00cb00cb00c:owner0"],
            Self::ShelvesAndBooksOfOne => &["lib:shelves", "b00cb00cb00cb00cb00cb00cb00cb00c:owner1"],
            Self::Notes => &["lib:notes", "lib:papers"],
        };
        Filter::new(prefixes.iter().copied()).expect("good prefixes")
    }
}

/// One step of a history.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Edit {
        on: usize,
        edit: Edit,
    },
    Serialize {
        on: usize,
        under: Under,
    },
    Transfer {
        from: usize,
        to: usize,
        under: Under,
        end: End,
    },
    Deserialize {
        on: usize,
        under: Under,
        skips_failed: bool,
    },
    Receive {
        on: usize,
        foreign: Vec<Foreign>,
    },
    WaitAgain {
        on: usize,
    },
    DropWaiting {
        on: usize,
    },
    /// All books are taken off: whatever becomes of changes that nobody else has, or only where there are none.
    Forget {
        on: usize,
        loses_unsent: bool,
    },
    /// The first conflict ends: with what is there, or with what lost.
    Resolve {
        on: usize,
        takes_theirs: bool,
    },
}

fn key() -> impl Strategy<Value = u8> {
    0..KEYS
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![Just(What::Shelf), Just(What::Book), Just(What::Note)]
}

fn edit() -> impl Strategy<Value = Edit> {
    let maybe = || proptest::option::of(key());
    prop_oneof![
        4 => (key(), 0..3_u8, maybe()).prop_map(|(key, label, parent)| Edit::Shelf { key, label, parent }),
        4 => (key(), key(), 0..5_u8).prop_map(|(key, shelf, title)| Edit::Book { key, shelf, title }),
        2 => (key(), key(), maybe(), 0..5_i32, 0..3_u8)
            .prop_map(|(key, book, shelf, pages, text)| Edit::Note { key, book, shelf, pages, text }),
        2 => (key(), 0..2_u8).prop_map(|(book, owner)| Edit::GiveAway { book, owner }),
        2 => (what(), key()).prop_map(|(what, key)| Edit::Delete { what, key }),
        1 => (what(), key()).prop_map(|(what, key)| Edit::HardDelete { what, key }),
    ]
}

fn foreign() -> impl Strategy<Value = Foreign> {
    let maybe = || proptest::option::of(key());
    prop_oneof![
        1 => key().prop_map(|book| Foreign::Malformed { book }),
        1 => key().prop_map(|book| Foreign::Incomplete { book }),
        1 => key().prop_map(|key| Foreign::UnknownModel { key }),
        4 => (key(), maybe()).prop_map(|(key, parent)| Foreign::Shelf { key, parent }),
        4 => (key(), key(), 0..5_u8).prop_map(|(key, shelf, title)| Foreign::Book { key, shelf, title }),
        2 => (what(), key(), any::<bool>()).prop_map(|(what, key, is_hard)| Foreign::Deleted { what, key, is_hard }),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![
        1 => (0..3_u8).prop_map(|chunks| End::Cut { chunks }),
        1 => Just(End::Dequeued),
        4 => Just(End::Deserialized),
    ]
}

fn under() -> impl Strategy<Value = Under> {
    prop_oneof![
        4 => Just(Under::Everything),
        1 => Just(Under::Shelves),
        1 => Just(Under::Books),
        1 => Just(Under::BooksOfOne),
        1 => Just(Under::ShelvesAndBooksOfOne),
        1 => Just(Under::Notes),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let on = || 0..DEVICES;
    prop_oneof![
        12 => (on(), edit()).prop_map(|(on, edit)| Step::Edit { on, edit }),
        1 => (on(), under()).prop_map(|(on, under)| Step::Serialize { on, under }),
        8 => (on(), 1..DEVICES, under(), end())
            .prop_map(|(from, by, under, end)| Step::Transfer { from, to: (from + by) % DEVICES, under, end }),
        2 => (on(), under(), any::<bool>())
            .prop_map(|(on, under, skips_failed)| Step::Deserialize { on, under, skips_failed }),
        2 => (on(), proptest::collection::vec(foreign(), 1..4))
            .prop_map(|(on, foreign)| Step::Receive { on, foreign }),
        1 => on().prop_map(|on| Step::WaitAgain { on }),
        1 => on().prop_map(|on| Step::DropWaiting { on }),
        1 => (on(), any::<bool>()).prop_map(|(on, takes_theirs)| Step::Resolve { on, takes_theirs }),
        1 => (on(), any::<bool>()).prop_map(|(on, loses_unsent)| Step::Forget { on, loses_unsent }),
    ]
}

/// Histories of up to so many steps. Most begin with a library that all devices have, so that there is something to quarrel about.
pub(crate) fn histories(steps_max: usize) -> impl Strategy<Value = Vec<Step>> {
    let begins_furnished = prop_oneof![1 => Just(false), 3 => Just(true)];
    (begins_furnished, proptest::collection::vec(step(), 1..=steps_max)).prop_map(|(begins_furnished, steps)| {
        let mut history = if begins_furnished { furnished() } else { Vec::new() };
        history.extend(steps);
        history
    })
}

/// The first device makes a small library, and the others get it.
fn furnished() -> Vec<Step> {
    let edit = |edit| Step::Edit { on: 0, edit };
    let below = |key: u8| key.checked_sub(1).filter(|above| above % 2 == 0);
    let mut steps: Vec<Step> = (0..KEYS).map(|key| edit(Edit::Shelf { key, label: key, parent: below(key) })).collect();
    steps.extend((0..KEYS - 1).map(|key| edit(Edit::Book { key, shelf: key, title: key + 1 })));
    steps.push(edit(Edit::Note { key: 0, book: 0, shelf: Some(1), pages: 1, text: 0 }));
    let to_all =
        (1..DEVICES).map(|to| Step::Transfer { from: 0, to, under: Under::Everything, end: End::Deserialized });
    steps.extend(to_all);
    steps
}
