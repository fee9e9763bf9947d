//! The instance: one database on one machine, which owns one counter.
//!
//! Pure: what the machine is comes in as [`SystemFacts`], which [`SystemFacts::read`] gathers in another file.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::id::{DatabaseId, HexText, InstanceId};

/// What is known of the machine and the program on it.
///
/// `system_id` and `node_id` go into the instance id; they are hashes, so that no serial number leaves the machine. The others are for
/// people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemFacts {
    /// The operating system, for example `linux 6.8.0 x86_64`.
    pub platform: String,
    /// The name of the machine.
    pub hostname: String,
    /// The version of this software.
    pub sysversion: String,
    /// The machine, as 20 hexadecimal digits; empty where it has no id of its own.
    pub system_id: String,
    /// Its network card, as 20 hexadecimal digits; empty where it has none that stays.
    pub node_id: String,
}

impl SystemFacts {
    /// The same facts with the machine's or the card's id replaced where `MORANGO_SYSTEM_ID` or `MORANGO_NODE_ID` is set to at least
    /// three characters. The variables are looked up through `variable`.
    #[must_use]
    pub fn with_overrides(mut self, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let lookup = |name| variable(name).filter(|value| value.trim().chars().count() >= 3);
        if let Some(value) = lookup("MORANGO_SYSTEM_ID") {
            self.system_id = hashed_identifier(&value);
        }
        if let Some(value) = lookup("MORANGO_NODE_ID") {
            self.node_id = hashed_identifier(&value);
        }
        self
    }
}

/// A serial number or address as it is shown to others: 20 hexadecimal digits that give it away to nobody who does not know it. Upper
/// and lower case do not matter.
///
/// # Source
/// The Python package, so that a variable set by hand means the same to every peer; the salt is its constant.
pub(super) fn hashed_identifier(value: &str) -> String {
    const SALT: &str = "::b88281f3-302c-4def-bb87-043f681e4183";
    const DIGITS: usize = 20;
    if value.is_empty() {
        return String::new();
    }
    let salted = format!("{value}{SALT}").to_ascii_lowercase();
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes());
    let first = digest.as_ref()[..16].try_into().expect("a SHA-1 has 20 bytes");
    HexText::of(&first)[..DIGITS].to_owned()
}

/// One database on one machine.
///
/// # Source
/// Protocol, chapter 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The instance's id.
    pub id: InstanceId,
    /// The operating system.
    pub platform: String,
    /// The name of the machine.
    pub hostname: String,
    /// The version of this software.
    pub sysversion: String,
    /// The network card, hashed.
    pub node_id: String,
    /// The database, whose id changes when it is copied.
    pub database_id: DatabaseId,
    /// Where the database is, for people.
    pub db_path: String,
    /// The machine, hashed.
    pub system_id: String,
}

impl Instance {
    /// The instance of this database on this machine: another as soon as the database's, the machine's or the card's id is.
    pub fn derive(database_id: DatabaseId, db_path: impl Into<String>, facts: &SystemFacts) -> Self {
        let SystemFacts { platform, hostname, sysversion, system_id, node_id } = facts.clone();
        let id = InstanceId::hash_of(&format!("{database_id}::{system_id}::{node_id}"));
        Self { id, platform, hostname, sysversion, node_id, database_id, db_path: db_path.into(), system_id }
    }
}

/// The first 32 bits of an instance's id as words that can be said aloud, for example `jasiv-bohil`.
///
/// # Source
/// Protocol, chapter 1, `instance_hash`.
pub fn proquint(id: &InstanceId) -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 4] = b"aiou";
    let word = |bits: u16| {
        let consonant = |shift: u32| char::from(CONSONANTS[usize::from(bits >> shift & 0xf)]);
        let vowel = |shift: u32| char::from(VOWELS[usize::from(bits >> shift & 0x3)]);
        String::from_iter([consonant(12), vowel(10), consonant(6), vowel(4), consonant(0)])
    };
    let bytes = id.as_bytes();
    let (high, low) = (u16::from_be_bytes([bytes[0], bytes[1]]), u16::from_be_bytes([bytes[2], bytes[3]]));
    // Zeroes in front are not said, as in a number.
    if high == 0 { word(low) } else { format!("{}-{}", word(high), word(low)) }
}
