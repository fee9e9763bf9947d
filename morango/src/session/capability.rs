//! What a peer can do beyond the protocol's first version. Both sides use what both have.

use std::collections::BTreeSet;
use std::fmt;

/// One ability that a peer announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Buffers may be posted gzipped.
    GzipBufferPost,
    /// Certificates may be pushed.
    AllowCertificatePushing,
    /// Counters are exchanged per partition.
    FsicV2Format,
    /// The client drives the server's stages one by one.
    AsyncOperations,
}

impl Capability {
    const ALL: [Self; 4] =
        [Self::GzipBufferPost, Self::AllowCertificatePushing, Self::FsicV2Format, Self::AsyncOperations];

    /// The capability's name on the wire, for example `FSIC_V2_FORMAT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GzipBufferPost => "GZIP_BUFFER_POST",
            Self::AllowCertificatePushing => "ALLOW_CERTIFICATE_PUSHING",
            Self::FsicV2Format => "FSIC_V2_FORMAT",
            Self::AsyncOperations => "ASYNC_OPERATIONS",
        }
    }
}

/// In which form two peers exchange counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsicForm {
    /// Per partition: version 2.
    PerPartition,
    /// One counter of each instance for the whole filter: version 1.
    Flat,
}

/// A set of capabilities. Names that we do not know are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(BTreeSet<Capability>);

impl Capabilities {
    /// What this version of the engine can do and does unless it is told otherwise.
    pub fn ours() -> Self {
        [Capability::GzipBufferPost, Capability::FsicV2Format, Capability::AsyncOperations].into_iter().collect()
    }

    /// Reads names, in any order; unknown ones are passed over.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| Capability::ALL.into_iter().find(|known| known.as_str() == name)).collect()
    }

    /// Whether the set has this capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.0.contains(&capability)
    }

    /// The form in which peers that share these capabilities exchange counters.
    pub fn fsic_form(&self) -> FsicForm {
        if self.has(Capability::FsicV2Format) { FsicForm::PerPartition } else { FsicForm::Flat }
    }

    /// The same set with one capability more.
    #[must_use]
    pub fn with(mut self, capability: Capability) -> Self {
        self.0.insert(capability);
        self
    }

    /// The same set without one of its capabilities.
    #[must_use]
    pub fn without(mut self, capability: Capability) -> Self {
        self.0.remove(&capability);
        self
    }

    /// What both sets have.
    #[must_use]
    pub fn shared_with(&self, other: &Self) -> Self {
        self.0.intersection(&other.0).copied().collect()
    }

    /// The names on the wire.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|capability| capability.as_str())
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        Self(capabilities.into_iter().collect())
    }
}

impl fmt::Display for Capabilities {
    /// The names separated by blanks, as in the request header.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.names().collect::<Vec<_>>().join(" "))
    }
}
