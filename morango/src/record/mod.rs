//! What travels: records in the store, records in a buffer, and what happens where two of them meet.
//!
//! This room decides and computes. It reads no database and sends nothing; storages carry out what it says.

mod buffer;
mod conflict;
mod contents;
mod error;
mod length;
mod loose;
mod merge;
mod store;
mod uid;
mod union;

pub use crate::model::{ID_PLACEHOLDER, IdRule, record_id};
pub use buffer::{BufferRecord, Gate, Refused};
pub use conflict::{Conflict, ConflictPage, Resolution, Version};
pub use error::RecordError;
pub use length::is_longer_in_json;
pub use loose::{Heading, LooseCounter, LooseRecord};
pub use merge::{Merged, MergedRow, Relation, give_way, merge, merge_row, put_before, relation};
pub use store::StoreRecord;
pub use uid::{record_partition, record_partition_template};
