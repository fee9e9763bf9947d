//! When a process is killed: where it tells of an event, or at a request, which also comes in the midst of its work.

use std::fmt;

use morango_tests::dice::Dice;

/// A moment in a sync.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// The process tells of this event, and goes no further.
    Event(&'static str),
    /// The request with this number, counted from 0, is on its way.
    Request(usize, Manner),
}

/// What becomes of the request at which a process is killed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manner {
    /// It gets lost on its way.
    Unsent,
    /// It is being worked on, for about so long.
    Meanwhile(Turns),
    /// Its answer gets lost.
    Unanswered,
    /// Its answer gets lost but for so many hundredths of it.
    Cut(usize),
    /// Its answer has come, about so long ago.
    After(Turns),
}

/// How long something takes: how often a thread of ours gives way to others meanwhile. So the moment is one of chance, and nobody waits
/// for a clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns(u32);

impl Moment {
    /// A moment by chance: one of these events in every second case (in turns, so that each comes), one of so many requests otherwise.
    pub(super) fn of_turn(turn: usize, events: &[&'static str], requests: usize, dice: &mut Dice) -> Self {
        if turn.is_multiple_of(2) {
            return Self::Event(events[turn / 2 % events.len()]);
        }
        let manner = match dice.below(5) {
            0 => Manner::Unsent,
            1 => Manner::Meanwhile(Turns::by_chance(dice)),
            2 => Manner::Unanswered,
            3 => Manner::Cut(dice.below(100)),
            _ => Manner::After(Turns::by_chance(dice)),
        };
        Self::Request(dice.below(requests), manner)
    }
}

impl Turns {
    /// No time.
    pub(super) const NONE: Self = Self(0);

    /// A short time is as likely as one that is twice as long.
    fn by_chance(dice: &mut Dice) -> Self {
        let longest = 1 << dice.below(16);
        Self(u32::try_from(dice.below(longest)).expect("it is small"))
    }

    /// Lets the time pass.
    pub(super) fn pass(self) {
        for _ in 0..self.0 {
            std::thread::yield_now();
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => write!(formatter, "at {event}"),
            Self::Request(number, manner) => write!(formatter, "at request {number}, {manner:?}"),
        }
    }
}
