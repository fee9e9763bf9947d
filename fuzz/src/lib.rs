//! What the fuzz targets share: small worlds in which names, prefixes and stamps meet often.
//!
//! A target asserts what must hold of whatever comes, held against a second way to say it, as plain as it can be. Bytes drawn
//! at random are almost never the text that something begins with, so most targets draw out of few letters and few instances.

use std::sync::OnceLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};
use morango::counter::{RecordMaxCounters, Stamp};
use morango::id::InstanceId;
use morango::scope::{ScopeDefinition, ScopeDefinitionSource};
use serde_json::Value;

/// A short text out of few letters, so that one is often the beginning of another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub String);

/// Letters that a comparison of texts could take for others, and the two ends of what follows the surrogates.
const PATH_LETTERS: [char; 8] = ['a', 'b', ':', '_', '%', 'é', '\u{d7ff}', '\u{10ffff}'];

/// Characters of the longest path.
const PATH_CHARS_MAX: usize = 6;

impl<'a> Arbitrary<'a> for Path {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let length = bytes.int_in_range(0..=PATH_CHARS_MAX)?;
        let text = (0..length).map(|_| bytes.choose(&PATH_LETTERS).copied());
        Ok(Self(text.collect::<arbitrary::Result<_>>()?))
    }
}

impl std::fmt::Debug for Path {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, formatter)
    }
}

/// One of a handful of instances, at one of its first counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FewStamps(pub Stamp);

/// How many instances there are in a small world.
pub const INSTANCES: u8 = 5;

impl<'a> Arbitrary<'a> for FewStamps {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let number = bytes.int_in_range(0..=INSTANCES - 1)?;
        Ok(Self(Stamp::new(instance(number), bytes.int_in_range(1..=12)?)))
    }
}

/// One of the few instances.
pub fn instance(number: u8) -> InstanceId {
    InstanceId::from_bytes([number; 16])
}

/// Record max counters out of these stamps.
pub fn counters(stamps: &[FewStamps]) -> RecordMaxCounters {
    RecordMaxCounters::from_stamps(stamps.iter().map(|stamp| stamp.0)).expect("the counts are small")
}

/// The golden certificates, which the Python package made.
pub fn golden_certificates() -> &'static Value {
    static GOLDEN: OnceLock<Value> = OnceLock::new();
    GOLDEN.get_or_init(|| {
        let text = include_str!("../../tests/fixtures/certificates.json");
        serde_json::from_str(text).expect("the golden file is JSON")
    })
}

/// Whether Python, and so every peer, takes a character for one that separates prefixes.
pub fn separates(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}' | '\u{1d}' | '\u{1e}' | '\u{1f}')
}

/// Whether a text may stand as one prefix of a filter.
pub fn is_good_prefix(text: &str) -> bool {
    let is_short = text.len() <= morango::limits::PARTITION_BYTES_MAX;
    !text.is_empty() && is_short && !text.contains(|character| separates(character) || character == '\0')
}

/// The definitions of the school in which the golden certificates were made, and one that writes nothing.
pub fn school() -> &'static Vec<ScopeDefinition> {
    static SCHOOL: OnceLock<Vec<ScopeDefinition>> = OnceLock::new();
    const WHOLE: ScopeDefinitionSource = ScopeDefinitionSource {
        profile: "school",
        id: "full-facility",
        version: 1,
        primary: Some("dataset_id"),
        description: "Everything of the school ${dataset_id}.",
        read: &[],
        write: &[],
        read_write: &["${dataset_id}"],
    };
    const LEARNER: ScopeDefinitionSource = ScopeDefinitionSource {
        id: "single-user",
        primary: None,
        description: "What concerns the user ${user_id} of the school ${dataset_id}.",
        read: &["${dataset_id}:allusers-ro", "${dataset_id}:user-ro:${user_id}"],
        write: &["${dataset_id}:user-wo:${user_id}"],
        read_write: &["${dataset_id}:user-rw:${user_id}"],
        ..WHOLE
    };
    const READER: ScopeDefinitionSource =
        ScopeDefinitionSource { id: "reader", primary: None, read: &["${dataset_id}"], read_write: &[], ..WHOLE };
    let made = |source| ScopeDefinition::new(source).expect("a good definition");
    SCHOOL.get_or_init(|| [WHOLE, LEARNER, READER].map(made).into())
}
