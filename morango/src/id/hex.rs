//! How 128 bits are written and read: the text form that all ids share, and the macro that makes an id type.

use std::fmt;

/// The 32 hexadecimal digits of an id, on the stack.
#[derive(Clone, Copy)]
pub struct HexText([u8; 32]);

impl HexText {
    /// The digits of these 128 bits.
    pub fn of(bytes: &[u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 0x0f)];
        }
        Self(text)
    }

    /// The digits as text, for example `0123456789abcdef0123456789abcdef`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits are ASCII")
    }
}

impl std::ops::Deref for HexText {
    type Target = str;
    fn deref(&self) -> &str {
        self.as_str()
    }
}

/// A text is no id: it is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseIdError {
    pub(crate) kind: &'static str,
    pub(crate) found: String,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "parse {:?} as a {}: it must be 32 lower-case hexadecimal digits", self.found, self.kind)
    }
}

impl std::error::Error for ParseIdError {}

/// Reads 32 lower-case hexadecimal digits.
pub(crate) fn parse_hex(text: &str) -> Option<[u8; 16]> {
    fn nibble(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        }
    }
    let digits: &[u8; 32] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// The start of a text, for a message: what a peer sends may be of any length.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// *Shape*: 128 bits; written as 32 lower-case hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "diesel", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "diesel", diesel(sql_type = diesel::sql_types::Text))]
        #[cfg_attr(feature = "diesel", diesel(sql_type = diesel::sql_types::Binary))]
        #[cfg_attr(feature = "diesel-postgres", diesel(sql_type = diesel::sql_types::Uuid))]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id of these 128 bits.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 128 bits.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The 32 digits, without an allocation.
            pub fn hex(&self) -> $crate::id::HexText {
                $crate::id::HexText::of(&self.0)
            }

            /// The id that is the hash id of a text.
            pub fn hash_of(text: &str) -> Self {
                Self($crate::id::hash_id(text))
            }

            /// A new random id, in the form of a version 4 UUID.
            pub fn random() -> Self {
                Self($crate::id::draw::draw())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::ParseIdError;

            /// Reads 32 lower-case hexadecimal digits; anything else is an error.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::id::hex::parse_hex(text).map(Self).ok_or_else(|| $crate::id::ParseIdError {
                    kind: stringify!($name),
                    found: $crate::id::hex::excerpt(text),
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.hex())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.hex().as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.hex())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_id;

#[cfg(test)]
mod tests {
    use crate::id::{CertificateId, SyncId};

    #[test]
    fn an_id_is_written_as_it_was_read() {
        let text = "0123456789abcdef0123456789abcdef";
        let id: SyncId = text.parse().expect("32 digits are an id");
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_string(&id).expect("an id is JSON"), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<SyncId>(&format!("\"{text}\"")).expect("and back"), id);
    }

    #[test]
    fn what_is_not_32_lower_case_digits_is_refused() {
        for text in [
            "",
            "0123",
            "0123456789ABCDEF0123456789ABCDEF",
            "01234567-89ab-cdef-0123-456789abcdef",
            "é123456789abcdef0123456789abcde",
        ] {
            let error = text.parse::<CertificateId>().expect_err("no id");
            assert!(error.to_string().contains("CertificateId"), "{error}");
        }
    }

    #[test]
    fn the_unset_id_is_no_other() {
        assert!(SyncId::unset().is_unset());
        assert!(!SyncId::random().is_unset());
    }
}
