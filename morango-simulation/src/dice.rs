//! Numbers that follow from a seed.

/// Draws numbers: the same seed draws the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice that begin at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a part: another one for each word and number.
    pub(crate) fn seed_of(seed: u64, word: &str, number: u64) -> u64 {
        let mut mixed = Self(seed ^ number.rotate_left(32)).next();
        for byte in word.bytes() {
            mixed = Self(mixed ^ u64::from(byte)).next();
        }
        mixed
    }

    /// The next number (`SplitMix64`).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a machine's numbers have at most 64 bits");
        usize::try_from(self.next() % end).expect("it is below a number of this type")
    }

    /// A number below `end` as a small one.
    pub(crate) fn small(&mut self, end: u8) -> u8 {
        u8::try_from(self.below(end.into())).expect("it is below a number of this type")
    }

    /// Whether it happens, of so many thousand times.
    pub(crate) fn happens(&mut self, of_thousand: usize) -> bool {
        self.below(1_000) < of_thousand
    }

    /// One of these.
    pub(crate) fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

impl rsa::rand_core::CryptoRng for Dice {}

/// The form in which the `rsa` crate asks for numbers.
impl rsa::rand_core::RngCore for Dice {
    fn next_u32(&mut self) -> u32 {
        rsa::rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        self.next()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
