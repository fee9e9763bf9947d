//! The power of a device: which of the calls of its storage fails, and from which on there is none any more.
//!
//! Calls are counted within a sync. Which of a device's threads makes one never changes its number: see [`Turnstile`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use morango::{Error, ErrorKind, Result};

use super::turnstile::Turnstile;
use crate::plan::Blow;

/// The power of a device, from when it was switched on until it goes off.
#[derive(Debug, Default)]
pub(crate) struct Power {
    is_off: AtomicBool,
    state: Mutex<State>,
    pub(crate) turnstile: Turnstile,
}

#[derive(Debug, Default)]
struct State {
    calls: u16,
    calls_of_verbs: HashMap<&'static str, u16>,
    strikes: Vec<Strike>,
    struck: Vec<Struck>,
}

/// Which call is to be hit, of all of them or of one verb alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) verb: Option<String>,
    pub(crate) call: u16,
    pub(crate) blow: Blow,
}

impl Strike {
    /// Those that hit calls of whatever verb, by their numbers.
    pub(crate) fn each(blows: &[(u16, Blow)]) -> Vec<Self> {
        blows.iter().map(|(call, blow)| Self { verb: None, call: *call, blow: *blow }).collect()
    }
}

/// A call that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Struck {
    pub(crate) verb: &'static str,
    pub(crate) blow: Blow,
}

impl Power {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts calls from here on, and has some of them go wrong.
    pub(crate) fn arm(&self, strikes: Vec<Strike>) {
        *self.state() = State { strikes, ..State::default() };
    }

    /// Nothing goes wrong any more. Tells what did.
    pub(crate) fn disarm(&self) -> Vec<Struck> {
        std::mem::take(&mut *self.state()).struck
    }

    /// Whether it is gone.
    pub(crate) fn is_off(&self) -> bool {
        self.is_off.load(Ordering::SeqCst)
    }

    pub(super) fn go_off(&self) {
        self.is_off.store(true, Ordering::SeqCst);
        self.turnstile.release();
    }

    /// What happens to the call that begins now.
    ///
    /// # Errors
    /// There is no power.
    pub(super) fn next(&self, verb: &'static str) -> Result<Option<Blow>> {
        if self.is_off() {
            return Err(off(verb));
        }
        let mut state = self.state();
        let number = state.calls;
        state.calls = state.calls.saturating_add(1);
        let of_verb = state.calls_of_verbs.entry(verb).or_default();
        let number_of_verb = std::mem::replace(of_verb, of_verb.saturating_add(1));
        let is_hit = |strike: &&Strike| match &strike.verb {
            None => strike.call == number,
            Some(of) => of == verb && strike.call == number_of_verb,
        };
        let blow = state.strikes.iter().find(is_hit).map(|strike| strike.blow);
        state.struck.extend(blow.map(|blow| Struck { verb, blow }));
        Ok(blow)
    }
}

/// What whoever asks hears where there is no power.
pub(super) fn off(verb: &'static str) -> Error {
    Error::new(ErrorKind::StorageUnavailable, format!("{verb}: the device has no power"))
}
