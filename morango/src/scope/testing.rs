//! Repeatable dice for the tests of the pure rooms: the seed is in the test, so that a failure comes back.

/// A small generator of numbers and texts (xorshift), not random enough for anything but tests.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound as u64).expect("it is below a usize")
    }

    /// A text of up to `length_max` characters out of few, so that prefixes meet often.
    pub(crate) fn text(&mut self, length_max: usize) -> String {
        const ALPHABET: [char; 8] = ['a', 'b', '%', '_', ':', 'é', '\u{d7ff}', '\u{10ffff}'];
        let length = self.below(length_max + 1);
        (0..length).map(|_| ALPHABET[self.below(ALPHABET.len())]).collect()
    }
}
