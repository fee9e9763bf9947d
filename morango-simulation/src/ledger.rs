//! What was committed, by whom, and knowing what: the book that the devices are held against.
//!
//! Every change of a row is an event, and writes its number into the row's text, so that it is found again wherever the record goes. An
//! event knows those before it: the one whose text the application saw in the row, or, where it puts a row back, those that its
//! device's store had.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use morango::id::SyncId;
use morango::record::StoreRecord;

use crate::plan::Kind;

/// The number of an event.
pub(crate) type EventId = u32;

/// One committed change.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) node: usize,
    pub(crate) what: What,
    pub(crate) knew: Vec<EventId>,
    /// Of a deletion: what its device knew of all other records.
    pub(crate) beside: Vec<EventId>,
    /// Whether it went with a device whose backup was put back, or was given up, or may go at any time.
    pub(crate) is_lost: bool,
    /// Whether its device had no right to it.
    pub(crate) is_beyond: bool,
    /// Whether it was a deletion after which somebody who knew of it chose that the record lives.
    pub(crate) is_taken_back: bool,
}

impl Event {
    /// A change that is there to stay.
    pub(crate) fn new(node: usize, what: What, knew: Vec<EventId>) -> Self {
        Self { node, what, knew, beside: Vec::new(), is_lost: false, is_beyond: false, is_taken_back: false }
    }
}

/// What a change was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Saved,
    Deleted,
    DeletedForGood,
}

/// What is known of one record.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) kind: Option<Kind>,
    pub(crate) events: Vec<EventId>,
    /// Whether a row of it was ever made by the old version of the application, without the fields that that one does not know.
    pub(crate) lacks_fields: bool,
    /// What its rows ever pointed at.
    pub(crate) refers_to: BTreeSet<SyncId>,
}

/// A record as a device's store held it when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The events whose texts it holds, as [`texts_of`] finds them.
    pub(crate) texts: Vec<EventId>,
    pub(crate) record: StoreRecord,
}

/// The book.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    slots: HashMap<(Kind, u8), SyncId>,
    pub(crate) events: Vec<Event>,
    pub(crate) histories: BTreeMap<SyncId, History>,
    /// What each device's store held.
    pub(crate) seen: Vec<BTreeMap<SyncId, Seen>>,
    /// Records that a device held as deleted for good, be it because what they pointed at was.
    pub(crate) wiped: BTreeSet<SyncId>,
    /// The last event that each device's application saw in a row, or made with it.
    pub(crate) last: Vec<HashMap<SyncId, EventId>>,
}

impl Ledger {
    /// An empty book about so many devices.
    pub(crate) fn new(nodes: usize) -> Self {
        Self { seen: vec![BTreeMap::new(); nodes], last: vec![HashMap::new(); nodes], ..Self::default() }
    }

    /// The record that goes by a slot, once it was made.
    pub(crate) fn record_of(&self, kind: Kind, slot: u8) -> Option<SyncId> {
        self.slots.get(&(kind, slot)).copied()
    }

    /// A record was made for a slot.
    pub(crate) fn take_slot(&mut self, kind: Kind, slot: u8, id: SyncId) {
        self.slots.entry((kind, slot)).or_insert(id);
    }

    /// The number that the next event will have.
    pub(crate) fn next_event(&self) -> EventId {
        EventId::try_from(self.events.len()).expect("a run has fewer events than that")
    }

    /// Notes a change that was committed.
    pub(crate) fn note(&mut self, record: (Kind, SyncId), event: Event, refers_to: impl IntoIterator<Item = SyncId>) {
        let number = self.next_event();
        let (kind, id) = record;
        let history = self.histories.entry(id).or_default();
        history.kind = Some(kind);
        history.events.push(number);
        history.refers_to.extend(refers_to);
        self.last[event.node].insert(id, number);
        self.events.push(event);
    }

    /// What a device that has no row of a record knows of it all the same: what it did last itself, and what its store holds.
    pub(crate) fn known_without_row(&self, node: usize, id: SyncId, held: Option<&StoreRecord>) -> Vec<EventId> {
        let mut known: Vec<EventId> = self.last[node].get(&id).copied().into_iter().collect();
        known.extend(held.into_iter().flat_map(texts_of));
        known
    }

    /// All events that these know, and they themselves.
    pub(crate) fn known_by(&self, events: impl IntoIterator<Item = EventId>) -> BTreeSet<EventId> {
        let mut known = BTreeSet::new();
        let mut open: Vec<EventId> = events.into_iter().collect();
        while let Some(event) = open.pop() {
            if known.insert(event) {
                open.extend(self.events[event as usize].knew.iter().copied());
            }
        }
        known
    }

    /// Whether the record was ever deleted for good: then whatever was known of it may be gone, also where it lives again.
    pub(crate) fn was_wiped(&self, id: SyncId) -> bool {
        let is_wipe = |event: &EventId| self.events[*event as usize].what == What::DeletedForGood;
        self.wiped.contains(&id) || self.histories.get(&id).is_some_and(|history| history.events.iter().any(is_wipe))
    }

    /// Whether somebody deleted a record in this way, or what its rows ever pointed at, be it by way of others, without knowing all that was
    /// saved of it and of these: whoever knew it and left it where it was did not mean it.
    pub(crate) fn was_deleted(&self, record: SyncId, how: &[What]) -> bool {
        let mut below = BTreeSet::new();
        let mut open = vec![record];
        while let Some(id) = open.pop() {
            let Some(history) = self.histories.get(&id).filter(|_| !below.contains(&id)) else { continue };
            let mut events = history.events.iter().map(|event| &self.events[*event as usize]);
            if events.any(|event| how.contains(&event.what) && (id == record || !self.knew_all_of(event, &below))) {
                return true;
            }
            below.insert(id);
            open.extend(history.refers_to.iter().copied());
        }
        false
    }

    /// Whether the device of a deletion knew everything that was ever saved of other records.
    fn knew_all_of(&self, deletion: &Event, records: &BTreeSet<SyncId>) -> bool {
        let known = self.known_by(deletion.beside.iter().copied());
        let is_known = |event: &EventId| self.events[*event as usize].what != What::Saved || known.contains(event);
        records.iter().all(|id| self.histories[id].events.iter().all(is_known))
    }
}

impl Seen {
    pub(crate) fn of(record: StoreRecord) -> Self {
        Self { texts: texts_of(&record), record }
    }
}

/// The events whose texts a record holds: the content's first, then those that lost.
fn texts_of(record: &StoreRecord) -> Vec<EventId> {
    let mut texts = events_in(&record.serialized);
    texts.extend(events_in(&record.conflicting_serialized_data));
    texts
}

/// A record in a few words: what it is, the changes whose texts it holds, and who knows it.
pub(crate) struct Brief<'a>(pub(crate) &'a StoreRecord);

impl std::fmt::Display for Brief<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let record = self.0;
        let short = |id: &dyn std::fmt::Display| id.to_string().chars().take(4).collect::<String>();
        let deleted = match (record.deleted, record.hard_deleted) {
            (_, true) => " deleted for good",
            (true, false) => " deleted",
            (false, false) => "",
        };
        let (is, lost) = (events_in(&record.serialized), events_in(&record.conflicting_serialized_data));
        let saved = record.last_saved;
        write!(formatter, "{} {}{deleted}, text {is:?}, lost {lost:?}, saved ", record.model_name, record.id)?;
        write!(formatter, "{}@{} knowing", short(&saved.instance), saved.counter)?;
        record
            .counters
            .iter()
            .try_for_each(|stamp| write!(formatter, " {}@{}", short(&stamp.instance), stamp.counter))?;
        write!(formatter, " under {}", record.partition)
    }
}

/// [`Brief`] of a record that may not be there.
pub(crate) fn brief(record: Option<&StoreRecord>) -> String {
    record.map_or_else(|| "nothing".to_owned(), |record| Brief(record).to_string())
}

/// How an event writes its number into a text.
pub(crate) fn text_of(event: EventId) -> String {
    format!("e{event}.")
}

/// The events whose numbers a text holds.
pub(crate) fn events_in(text: &str) -> Vec<EventId> {
    let numbers = text.match_indices("\"e").filter_map(|(start, _)| {
        let rest = &text[start + 2..];
        let (number, _) = rest.split_once(".\"").filter(|(number, _)| !number.is_empty())?;
        number.parse().ok()
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_in_texts() {
        let text = format!("{{\"title\":\"{}\",\"extra\":\"e\"}}\n{{\"title\":\"{}\"}}\n", text_of(7), text_of(12));
        assert_eq!(events_in(&text), [7, 12]);
        assert!(events_in("{\"title\":\"every\"}").is_empty());
    }
}
