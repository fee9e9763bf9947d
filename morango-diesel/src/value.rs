//! What is bound in a statement: values of the kinds that the databases keep.

use std::borrow::Cow;

use morango::id::SyncId;

/// A value that is bound. A null has a type too: PostgreSQL asks for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// A text or none.
    Text(Option<Cow<'a, str>>),
    /// Bytes or none.
    Blob(Option<Cow<'a, [u8]>>),
    /// A whole number or none.
    Integer(Option<i64>),
    /// A number.
    Real(f64),
    /// An id of ours or none.
    Id(Option<SyncId>),
    /// A text that may hold any character, as a peer's may, or none; see [`Value::content`].
    Content(Option<Cow<'a, str>>),
    /// A value for each of many rows, as one. Only PostgreSQL takes that: elsewhere a statement for each row is as quick.
    Many(Many<'a>),
}

/// Values of one kind, one for each of many rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Many<'a> {
    /// Texts.
    Texts(Vec<&'a str>),
    /// Bytes, and texts that may hold any character.
    Blobs(Vec<Cow<'a, [u8]>>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Ids of ours.
    Ids(Vec<SyncId>),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Some(Cow::Borrowed(bytes)))
    }
}

impl<'a, const LENGTH: usize> From<&'a [u8; LENGTH]> for Value<'a> {
    fn from(bytes: &'a [u8; LENGTH]) -> Self {
        Self::Blob(Some(Cow::Borrowed(bytes)))
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Blob(Some(Cow::Owned(bytes)))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::Blob(bytes.map(Cow::Borrowed))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

/// A number of rows or bytes, for a limit. What does not fit limits nothing.
impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Integer(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

/// A flag is 0 or 1.
impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Integer(Some(i64::from(flag)))
    }
}

impl<'a> Value<'a> {
    /// A text that may hold any character, also that of the number 0: what a peer or a user wrote, or what quotes it.
    pub(crate) fn content(text: &'a str) -> Self {
        Self::Content(Some(Cow::Borrowed(text)))
    }

    /// Texts of names, one for each row.
    pub(crate) fn texts(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Many(Many::Texts(texts.into_iter().collect()))
    }

    /// Texts that may hold any character, one for each row; see [`Value::content`].
    pub(crate) fn contents(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Many(Many::Blobs(texts.into_iter().map(|text| Cow::Borrowed(text.as_bytes())).collect()))
    }

    /// Bytes, for each row.
    pub(crate) fn blobs(blobs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self::Many(Many::Blobs(blobs.into_iter().map(Cow::Owned).collect()))
    }

    /// Whole numbers and flags, one for each row.
    pub(crate) fn integers<N: Into<i64>>(numbers: impl IntoIterator<Item = N>) -> Self {
        Self::Many(Many::Integers(numbers.into_iter().map(Into::into).collect()))
    }

    /// Ids, one for each row.
    pub(crate) fn ids(ids: impl IntoIterator<Item = [u8; 16]>) -> Self {
        Self::Many(Many::Ids(ids.into_iter().map(SyncId::from_bytes).collect()))
    }
}

/// All ids are 128 bits.
macro_rules! id_values {
    ($($id:ident),+) => {$(
        impl From<&morango::id::$id> for Value<'_> {
            fn from(id: &morango::id::$id) -> Self {
                Self::Id(Some(SyncId::from_bytes(*id.as_bytes())))
            }
        }

        impl From<Option<&morango::id::$id>> for Value<'_> {
            fn from(id: Option<&morango::id::$id>) -> Self {
                Self::Id(id.map(|id| SyncId::from_bytes(*id.as_bytes())))
            }
        }
    )+};
}

id_values!(SyncId, CertificateId, InstanceId, DatabaseId, SyncSessionId, TransferSessionId, NonceId);
