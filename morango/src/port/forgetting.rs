//! Taking all of a school, or whatever lies under one root, off a device, without a trace of it elsewhere.

use super::renewal::{Renewal, Renewed};
use crate::id::CertificateId;

/// What becomes of the certificates under a root whose records are taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Papers {
    /// They stay, and with them the right to pull everything again.
    #[default]
    Kept,
    /// They go, and with them the private keys. Nobody can speak in their name from here any more.
    Forgotten,
}

/// What becomes of changes that were made here and that nobody else is known to have.
///
/// Somebody has them once a transfer that sent them is complete, or says so of itself; a record that was refused there counts as had,
/// as it counts as received. What came from others is not among them: those
/// from whom it came had it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unsent {
    /// Where there are any, nothing is done.
    #[default]
    Refused,
    /// They are lost.
    Lost,
}

/// An order to take all records under a root off this database.
pub struct Forgetting<'a> {
    /// The profile.
    pub profile: &'a str,
    /// The root certificate, whose id is where the records' partitions begin.
    pub root: CertificateId,
    /// What becomes of the certificates.
    pub papers: Papers,
    /// What becomes of changes that nobody else is known to have.
    pub unsent: Unsent,
    /// Who this database is from then on: the instance that saved what is taken off must not claim to have it.
    pub renewal: Renewal<'a>,
}

/// What was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Forgotten {
    /// Rows of the application.
    pub rows: u64,
    /// Records of the store.
    pub records: u64,
    /// How many records and rows held changes that nobody else is known to have.
    pub unsent: u64,
    /// Certificates.
    pub certificates: u64,
    /// Which instance this database is now.
    pub renewed: Renewed,
}

impl Forgotten {
    /// What a storage has to tell.
    pub fn new([rows, records, unsent, certificates]: [u64; 4], renewed: Renewed) -> Self {
        Self { rows, records, unsent, certificates, renewed }
    }
}
