//! Certificates that nobody has checked yet: a text, a signature, and what the text claims.

use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, certificate_id};
use super::{IdentityError, PublicKey};
use crate::id::CertificateId;
use crate::limits;
use crate::scope::{Filter, Reach, Scope, ScopeDefinitions};

/// Characters of the longest signature: base64 of 8192 bits, with room for line breaks.
const SIGNATURE_BYTES_MAX: usize = 2_048;

/// A certificate as a peer sent it. Nothing else that comes with it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedCertificate {
    /// The signed text, byte for byte.
    pub serialized: String,
    /// The signature over it.
    pub signature: String,
}

/// What the signed text of a certificate says, unchecked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateBody {
    /// The hash id of public key, profile and salt.
    pub id: CertificateId,
    /// The certificate that granted this one; none for a root.
    pub parent_id: Option<CertificateId>,
    /// The application's profile.
    pub profile: String,
    /// What makes the id another than a requester could foresee. Peers write the empty text for none.
    #[serde(default)]
    pub salt: Option<String>,
    /// The scope definition.
    pub scope_definition_id: String,
    /// The version of the scope definition when the certificate was made.
    pub scope_version: i64,
    /// The parameters, as JSON text.
    pub scope_params: String,
    /// The public key.
    pub public_key_string: String,
}

impl CertificateBody {
    /// The salt, where there is one.
    pub fn salt(&self) -> Option<&str> {
        self.salt.as_deref().filter(|salt| !salt.is_empty())
    }

    fn check_lengths(&self) -> Result<(), IdentityError> {
        for (what, text, max) in [
            ("profile", self.profile.as_str(), limits::SCOPE_DEFINITION_ID_CHARS_MAX),
            ("scope definition id", &self.scope_definition_id, limits::SCOPE_DEFINITION_ID_CHARS_MAX),
            ("salt", self.salt().unwrap_or_default(), limits::SALT_CHARS_MAX),
        ] {
            if text.chars().count() > max {
                return Err(IdentityError::TooLong { what, max });
            }
        }
        if self.scope_params.len() > limits::SCOPE_PARAMS_BYTES_MAX {
            return Err(IdentityError::TooLong { what: "scope parameters", max: limits::SCOPE_PARAMS_BYTES_MAX });
        }
        Ok(())
    }
}

impl UnverifiedCertificate {
    /// What the signed text claims, for a look before it is verified.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] where the text is not that of a certificate, [`IdentityError::TooLong`].
    pub fn body(&self) -> Result<CertificateBody, IdentityError> {
        for (what, text, max) in [
            ("text", &self.serialized, limits::CERTIFICATE_BYTES_MAX),
            ("signature", &self.signature, SIGNATURE_BYTES_MAX),
        ] {
            if text.len() > max {
                return Err(IdentityError::TooLong { what, max });
            }
        }
        let body: CertificateBody = serde_json::from_str(&self.serialized)
            .map_err(|error| IdentityError::Malformed { problem: error.to_string() })?;
        body.check_lengths()?;
        Ok(body)
    }

    /// Reads the texts without verifying anything: for [`verify`](Self::verify), and for what was verified before it was stored.
    pub(super) fn read(self) -> Result<Certificate, IdentityError> {
        let body = self.body()?;
        let public_key = PublicKey::parse(&body.public_key_string)?;
        Ok(Certificate::of_parts(body, public_key, self.serialized, self.signature))
    }

    /// Checks the certificate against its parent, or, without one, as a root.
    ///
    /// # Errors
    /// An [`IdentityError`] that names the first check of protocol chapter 3 that fails.
    pub fn verify(
        self,
        parent: Option<&Certificate>,
        definitions: &dyn ScopeDefinitions,
    ) -> Result<Certificate, IdentityError> {
        let certificate = self.read()?;
        let id = certificate.id();
        if id != certificate_id(certificate.public_key(), certificate.profile(), certificate.salt()) {
            return Err(IdentityError::IdWrong { certificate: id });
        }
        if certificate.parent_id() != parent.map(Certificate::id) {
            return Err(IdentityError::ParentWrong { certificate: id });
        }
        let signer = parent.unwrap_or(&certificate).public_key();
        if !signer.verify(certificate.serialized(), certificate.signature()) {
            return Err(IdentityError::Signature { certificate: id });
        }
        match parent {
            None => check_root(&certificate, &certificate.scope(definitions)?)?,
            Some(parent) => check_child(&certificate, parent, definitions)?,
        }
        Ok(certificate)
    }
}

/// A root may reach only what begins with its own id.
fn check_root(root: &Certificate, scope: &Scope) -> Result<(), IdentityError> {
    let own = root.id().hex();
    let begins_with_own = |reach: &Reach| {
        let mut prefixes = reach.filter().into_iter().flat_map(Filter::prefixes);
        prefixes.all(|prefix| prefix.starts_with(own.as_str()))
    };
    if begins_with_own(scope.read()) && begins_with_own(scope.write()) {
        Ok(())
    } else {
        Err(IdentityError::RootReachesOutside { certificate: root.id() })
    }
}

/// A child may reach no further than its parent, in the same profile.
fn check_child(
    child: &Certificate,
    parent: &Certificate,
    definitions: &dyn ScopeDefinitions,
) -> Result<(), IdentityError> {
    if child.profile() != parent.profile() {
        return Err(IdentityError::ProfileWrong { certificate: child.id() });
    }
    if !child.scope(definitions)?.is_subset_of(&parent.scope(definitions)?) {
        return Err(IdentityError::ExceedsParent { certificate: child.id() });
    }
    Ok(())
}
