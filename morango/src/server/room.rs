//! Room for bodies: what all callers of a server together may have it hold in memory.
//!
//! Anybody may send a body before it is known who they are, so what one body may be is not enough of a bound. A body takes room as
//! its bytes come, not when they are announced. One for which there is none left is refused, to come again; one that is to be
//! decompressed waits, since those before it wait for nobody.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// Bytes for which one permit of a semaphore stands.
const PERMIT_BYTES: usize = 1024;

/// Room for the bodies of one server, and how long it waits for them. Copies are cheap, and all of them are one.
#[derive(Debug, Clone)]
pub(super) struct Room {
    on_line: Arc<Semaphore>,
    decompressed: Arc<Semaphore>,
    /// How long the next bytes of a body may take to come.
    pub(super) quiet: Duration,
    /// How long a whole body may take.
    pub(super) whole: Duration,
}

/// Room that is taken until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Taken(Option<OwnedSemaphorePermit>);

impl Room {
    pub(super) fn new() -> Self {
        Self::of(limits::BODIES_BYTES_MAX, limits::BODIES_DECOMPRESSED_BYTES_MAX)
    }

    pub(super) fn of(on_line_bytes: usize, decompressed_bytes: usize) -> Self {
        let semaphore = |bytes: usize| Arc::new(Semaphore::new(bytes / PERMIT_BYTES));
        Self {
            on_line: semaphore(on_line_bytes),
            decompressed: semaphore(decompressed_bytes),
            quiet: Duration::from_secs(limits::BODY_QUIET_SECONDS_MAX),
            whole: Duration::from_secs(limits::BODY_SECONDS_MAX),
        }
    }

    /// Takes room for a body that has now so many bytes, and says whether there was enough.
    pub(super) fn grow(&self, taken: &mut Taken, bytes: usize) -> bool {
        let lacking = permits(bytes).saturating_sub(taken.permits());
        if lacking == 0 {
            return true;
        }
        let Ok(more) = Arc::clone(&self.on_line).try_acquire_many_owned(number(lacking)) else { return false };
        match &mut taken.0 {
            Some(permit) => permit.merge(more),
            None => taken.0 = Some(more),
        }
        true
    }

    /// Waits for room in which a body may be decompressed, on a thread that may block.
    pub(super) fn wait_to_decompress(&self, bytes_max: usize) -> Taken {
        let waiting = Arc::clone(&self.decompressed).acquire_many_owned(number(permits(bytes_max)));
        Taken(Handle::current().block_on(waiting).ok())
    }
}

impl Taken {
    fn permits(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Gives back what so many bytes do not need.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let spare = self.permits().saturating_sub(permits(bytes));
        let given_back = self.0.as_mut().and_then(|permit| permit.split(spare));
        drop(given_back);
    }
}

fn permits(bytes: usize) -> usize {
    bytes.div_ceil(PERMIT_BYTES)
}

fn number(permits: usize) -> u32 {
    u32::try_from(permits).expect("no body is that long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_take_room_as_they_grow_and_give_it_back() {
        let room = Room::of(3 * PERMIT_BYTES, PERMIT_BYTES);
        let (mut one, mut other) = (Taken::default(), Taken::default());
        assert!(room.grow(&mut one, 1) && room.grow(&mut one, PERMIT_BYTES));
        assert!(room.grow(&mut other, 2 * PERMIT_BYTES), "the first has taken no more than it needs");
        assert!(!room.grow(&mut one, PERMIT_BYTES + 1), "there is none left");
        other.shrink(1);
        assert!(room.grow(&mut one, PERMIT_BYTES + 1));
        drop(one);
        assert!(room.grow(&mut other, 3 * PERMIT_BYTES));
    }

    #[test]
    fn whoever_is_to_be_decompressed_waits_for_room() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let room = Room::of(0, 2 * PERMIT_BYTES);
        let wait = |room: Room| move || room.wait_to_decompress(2 * PERMIT_BYTES);
        let mut first = runtime.block_on(runtime.spawn_blocking(wait(room.clone()))).expect("there is room");
        first.shrink(1);
        assert_eq!(room.decompressed.available_permits(), 1, "what is not needed is given back at once");
        // Whoever waits is handed what is free already, so nothing can be counted while somebody does.
        let second = runtime.spawn_blocking(wait(room.clone()));
        drop(first);
        drop(runtime.block_on(second).expect("and then there is room for the second"));
        assert_eq!(room.decompressed.available_permits(), 2);
    }
}
