//! Chance that can be had again: the same seed gives the same throws, on every machine.

/// Throws that follow from a seed.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The throws of this seed.
    pub fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to this bound, without it.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }

    /// Whether one of two equal chances came.
    pub fn is_heads(&mut self) -> bool {
        self.below(2) == 0
    }
}
