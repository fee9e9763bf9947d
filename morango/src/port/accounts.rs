//! Who the application's users are, and which scopes they may hand out.
//!
//! A peer that wants a certificate shows credentials; the application decides. The engine keeps no passwords.

use std::collections::BTreeMap;
use std::fmt;

use crate::scope::ScopeParams;
use crate::{Error, ErrorKind, Result};

/// What a peer shows to be given a certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user part as it came: a user name, or `key=value&key=value`.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// A user name and a password.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// The user part as named values. A plain user name stands under `username`.
    ///
    /// As existing peers do, it is split at `&` and `=` and not percent-decoded.
    /// Wrong guesses at a user's password are counted by `username`: look users up by it, and by other values only beside it.
    pub fn user_values(&self) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for part in self.user.split('&') {
            match part.split_once('=') {
                Some((key, value)) => values.insert(key.to_owned(), value.to_owned()),
                None => values.insert("username".to_owned(), part.to_owned()),
            };
        }
        values
    }
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a user asks to be signed.
#[derive(Debug, Clone)]
pub struct GrantRequest<'a> {
    /// The profile.
    pub profile: &'a str,
    /// The id of the scope definition, for example `single-user`.
    pub scope_definition: &'a str,
    /// The parameters that fill the definition's templates.
    pub scope_params: &'a ScopeParams,
}

/// The application's users, seen from a peer that asks for a certificate.
///
/// It is called from a thread that may block.
pub trait Accounts: Send + Sync + 'static {
    /// Decides whether these credentials may be given a certificate of this scope.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] where nobody has these credentials, [`ErrorKind::Forbidden`] where they are good
    /// but do not allow the scope. Use [`Error::unauthenticated`] and [`Error::forbidden`].
    fn authorize(&self, credentials: &Credentials, request: &GrantRequest<'_>) -> Result<()>;
}

/// No users at all: every request is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAccounts;

impl Accounts for NoAccounts {
    fn authorize(&self, _credentials: &Credentials, request: &GrantRequest<'_>) -> Result<()> {
        Err(Error::forbidden(format!(
            "grant a certificate of scope {:?}: this peer gives out none",
            request.scope_definition
        )))
    }
}

impl Error {
    /// Nobody has the credentials that were shown.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthenticated, message)
    }

    /// The credentials are good but do not allow what was asked.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden, message)
    }
}
