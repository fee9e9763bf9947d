//! Where the bits of new ids come from: the system, unless a simulation has them follow from a seed.

/// 128 new bits, in the form of a version 4 UUID.
pub(super) fn draw() -> [u8; 16] {
    #[cfg(feature = "simulation")]
    if let Some(bytes) = seeded::draw() {
        return bytes;
    }
    uuid::Uuid::new_v4().into_bytes()
}

/// Ids that follow from a seed, so that the same seed gives the same run. Whoever knows the seed can foresee them, nonces too: it is
/// for simulations, and there only with the feature `simulation`.
#[cfg(feature = "simulation")]
pub(super) mod seeded {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// The state of the numbers, while they follow from a seed.
    static STATE: Mutex<Option<u64>> = Mutex::new(None);
    /// One simulation at a time has the ids of the process.
    static TURN: Mutex<()> = Mutex::new(());

    /// All ids of this process follow from a seed until this is dropped. A second one waits for that.
    #[derive(Debug)]
    pub struct SeededIds(#[expect(dead_code, reason = "it is held until this is dropped")] MutexGuard<'static, ()>);

    impl SeededIds {
        /// Begins with this seed.
        pub fn begin(seed: u64) -> Self {
            let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            set(Some(seed));
            Self(turn)
        }

        /// Goes on with another seed.
        pub fn reseed(&self, seed: u64) {
            set(Some(seed));
        }
    }

    impl Drop for SeededIds {
        fn drop(&mut self) {
            set(None);
        }
    }

    fn set(state: Option<u64>) {
        *STATE.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    pub(super) fn draw() -> Option<[u8; 16]> {
        let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.as_mut()?;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&next(state).to_be_bytes());
        bytes[8..].copy_from_slice(&next(state).to_be_bytes());
        Some(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
    }

    /// `SplitMix64`: every seed gives another sequence.
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
