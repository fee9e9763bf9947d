//! Why a key, a certificate or a chain does not hold.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::id::CertificateId;
use crate::scope::ScopeError;

/// Why somebody is not who they say, or may not grant what they grant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// A text is no key of the kind that Morango uses: RSA, of 2048 bits or more.
    KeyMalformed {
        /// What is wrong, as a fragment.
        problem: &'static str,
    },
    /// A new key could not be made.
    KeyGeneration,
    /// A private key does not sign: its numbers are those of no key.
    KeyUnsound,
    /// A private key is not that of the certificate in whose name it is to sign.
    KeyOfAnother {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The signed text of a certificate is not what the protocol makes it.
    Malformed {
        /// What is wrong.
        problem: String,
    },
    /// A text of a certificate is longer than this peer takes.
    TooLong {
        /// What it is.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The certificate's id is not the one that its key, profile and salt give.
    IdWrong {
        /// The id that it claims.
        certificate: CertificateId,
    },
    /// The signature does not verify.
    Signature {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The certificate names another parent than the one that it was held against.
    ParentWrong {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The certificate is for another profile than its parent.
    ProfileWrong {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A root certificate reaches for partitions that do not begin with its own id.
    RootReachesOutside {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The certificate asks for more than its parent has.
    ExceedsParent {
        /// The certificate.
        certificate: CertificateId,
    },
    /// This application has no scope definition of this id in this profile.
    DefinitionUnknown {
        /// The profile.
        profile: String,
        /// The definition's id.
        id: String,
    },
    /// The scope definition has no primary parameter, so it makes no root certificates.
    NoRootDefinition {
        /// The definition's id.
        id: String,
    },
    /// The certificate's parameters do not make a scope.
    Scope(ScopeError),
    /// A chain of certificates does not lead from a root to its end.
    Chain {
        /// What is wrong, as a fragment.
        problem: &'static str,
    },
}

impl IdentityError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::KeyMalformed { .. } | Self::KeyOfAnother { .. } | Self::NoRootDefinition { .. } => {
                ErrorKind::InvalidInput
            }
            Self::KeyGeneration | Self::KeyUnsound => ErrorKind::Internal,
            Self::TooLong { .. } => ErrorKind::LimitExceeded,
            Self::Signature { .. } => ErrorKind::SignatureInvalid,
            Self::ExceedsParent { .. } => ErrorKind::CertificateExceedsParent,
            Self::Malformed { .. }
            | Self::IdWrong { .. }
            | Self::ParentWrong { .. }
            | Self::ProfileWrong { .. }
            | Self::RootReachesOutside { .. }
            | Self::DefinitionUnknown { .. }
            | Self::Scope(_)
            | Self::Chain { .. } => ErrorKind::CertificateInvalid,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::DefinitionUnknown { .. } => Some("both applications must define the same scopes"),
            Self::NoRootDefinition { .. } => Some("name its primary parameter in scope_definitions!"),
            Self::ExceedsParent { .. } => Some("ask for a scope that lies within the parent's"),
            _ => None,
        }
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyMalformed { problem } => write!(formatter, "read an RSA key: {problem}"),
            Self::KeyGeneration => formatter.write_str("make a new RSA key"),
            Self::KeyUnsound => formatter.write_str("sign with an RSA key: its numbers do not fit each other"),
            Self::KeyOfAnother { certificate } => {
                write!(formatter, "sign as the certificate {certificate}: the private key is not its own")
            }
            Self::Malformed { problem } => write!(formatter, "read a certificate: {problem}"),
            Self::TooLong { what, max } => {
                write!(formatter, "read a certificate: its {what} is over the limit of {max}")
            }
            Self::IdWrong { certificate } => {
                write!(
                    formatter,
                    "verify the certificate {certificate}: its id is not that of its key, profile and salt"
                )
            }
            Self::Signature { certificate } => {
                write!(formatter, "verify the certificate {certificate}: the signature is not its signer's")
            }
            Self::ParentWrong { certificate } => {
                write!(formatter, "verify the certificate {certificate}: it names another parent")
            }
            Self::ProfileWrong { certificate } => {
                write!(formatter, "verify the certificate {certificate}: its profile is not its parent's")
            }
            Self::RootReachesOutside { certificate } => {
                write!(formatter, "verify the root certificate {certificate}: its scope does not begin with its own id")
            }
            Self::ExceedsParent { certificate } => {
                write!(formatter, "verify the certificate {certificate}: its scope is wider than its parent's")
            }
            Self::DefinitionUnknown { profile, id } => {
                write!(formatter, "find the scope definition {id:?} of the profile {profile:?}")
            }
            Self::NoRootDefinition { id } => {
                write!(formatter, "make a root certificate: the scope definition {id:?} has no primary parameter")
            }
            Self::Scope(_) => formatter.write_str("find out the scope of a certificate"),
            Self::Chain { problem } => write!(formatter, "verify a chain of certificates: {problem}"),
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Scope(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ScopeError> for IdentityError {
    fn from(error: ScopeError) -> Self {
        Self::Scope(error)
    }
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        let mut outer = Self::new(error.kind(), error.to_string());
        if let Some(hint) = error.hint() {
            outer = outer.with_hint(hint);
        }
        match error {
            IdentityError::Scope(inner) => outer.with_source(inner),
            _ => outer,
        }
    }
}
