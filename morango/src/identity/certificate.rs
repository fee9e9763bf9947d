//! Certificates that hold: who owns a key, and what its owner may read and write.
//!
//! The roads to a [`Certificate`] are few: making a root, signing a child, verifying what a peer sent, and reading back what was
//! verified before it was stored.

use super::unverified::{CertificateBody, UnverifiedCertificate};
use super::{IdentityError, PrivateKey, PublicKey};
use crate::id::CertificateId;
use crate::scope::{Scope, ScopeDefinition, ScopeDefinitions, ScopeParams};

/// A certificate that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    body: CertificateBody,
    public_key: PublicKey,
    serialized: String,
    signature: String,
}

/// What somebody asks to be certified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    /// The application's profile.
    pub profile: String,
    /// The scope definition.
    pub scope_definition_id: String,
    /// The version of the scope definition.
    pub scope_version: i64,
    /// The parameters, as JSON text.
    pub scope_params: String,
    /// The requester's key.
    pub public_key: PublicKey,
}

/// The id of the certificate with this key, profile and salt.
///
/// # Source
/// Protocol, chapter 1.
pub fn certificate_id(public_key: &PublicKey, profile: &str, salt: Option<&str>) -> CertificateId {
    let parts = [public_key.as_str(), profile, salt.unwrap_or_default()];
    let present: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    CertificateId::hash_of(&present.join(":"))
}

impl Certificate {
    /// A new root certificate, signed by its own key; its id is the value of the definition's primary parameter.
    ///
    /// # Errors
    /// [`IdentityError::NoRootDefinition`] for a definition without a primary parameter, [`IdentityError::Scope`] where a parameter is
    /// missing, is the primary one, or cannot stand in a partition, and [`IdentityError::RootReachesOutside`].
    pub fn root<N: Into<String>, V: Into<String>>(
        definition: &ScopeDefinition,
        key: &PrivateKey,
        salt: Option<&str>,
        other_params: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, IdentityError> {
        let primary = definition.primary_scope_param_key.clone();
        let primary = primary.ok_or_else(|| IdentityError::NoRootDefinition { id: definition.id.clone() })?;
        let id = certificate_id(key.public_key(), &definition.profile, salt);
        let mut pairs: Vec<(String, String)> =
            other_params.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        // The last of two values of one name counts, and that must be the certificate's own id.
        pairs.push((primary, id.to_string()));
        let request = CertificateRequest {
            profile: definition.profile.clone(),
            scope_definition_id: definition.id.clone(),
            scope_version: definition.version,
            scope_params: ScopeParams::new(pairs)?.as_json().to_owned(),
            public_key: key.public_key().clone(),
        };
        sign(&request, None, salt, key)?.verify(None, definition)
    }

    /// A new certificate below this one, signed with this one's private key.
    ///
    /// A `salt` that the requester cannot foresee keeps it from choosing the id.
    ///
    /// # Errors
    /// [`IdentityError::KeyOfAnother`] for another's key, [`IdentityError::ExceedsParent`] where the scope asked for is wider than
    /// this certificate's, and the others of [`UnverifiedCertificate::verify`].
    pub fn sign_child(
        &self,
        key: &PrivateKey,
        request: &CertificateRequest,
        salt: Option<&str>,
        definitions: &dyn ScopeDefinitions,
    ) -> Result<Self, IdentityError> {
        if key.public_key() != &self.public_key {
            return Err(IdentityError::KeyOfAnother { certificate: self.id() });
        }
        sign(request, Some(self.id()), salt, key)?.verify(Some(self), definitions)
    }

    /// A certificate that was verified before it was stored. This checks that it can be read, and nothing else: never give it what
    /// comes from a peer.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`], [`IdentityError::TooLong`] or [`IdentityError::KeyMalformed`] where the stored texts are damaged.
    pub fn from_store(serialized: impl Into<String>, signature: impl Into<String>) -> Result<Self, IdentityError> {
        UnverifiedCertificate { serialized: serialized.into(), signature: signature.into() }.read()
    }

    pub(super) fn of_parts(
        body: CertificateBody,
        public_key: PublicKey,
        serialized: String,
        signature: String,
    ) -> Self {
        Self { body, public_key, serialized, signature }
    }

    /// The hash id of public key, profile and salt.
    pub fn id(&self) -> CertificateId {
        self.body.id
    }

    /// The certificate that granted this one; none for a root.
    pub fn parent_id(&self) -> Option<CertificateId> {
        self.body.parent_id
    }

    /// The application's profile.
    pub fn profile(&self) -> &str {
        &self.body.profile
    }

    /// The salt, where there is one.
    pub fn salt(&self) -> Option<&str> {
        self.body.salt()
    }

    /// The scope definition.
    pub fn scope_definition_id(&self) -> &str {
        &self.body.scope_definition_id
    }

    /// The version of the scope definition when the certificate was made.
    pub fn scope_version(&self) -> i64 {
        self.body.scope_version
    }

    /// The parameters, as JSON text.
    pub fn scope_params(&self) -> &str {
        &self.body.scope_params
    }

    /// The key of the certificate's owner.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The signed text, byte for byte.
    pub fn serialized(&self) -> &str {
        &self.serialized
    }

    /// The signature over [`serialized`](Self::serialized): a root's own, otherwise its parent's.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The parameters of the certificate.
    ///
    /// # Errors
    /// [`IdentityError::Scope`] where they are not a JSON object.
    pub fn params(&self) -> Result<ScopeParams, IdentityError> {
        Ok(ScopeParams::from_json(self.scope_params())?)
    }

    /// What the certificate's owner may read and write.
    ///
    /// # Errors
    /// [`IdentityError::DefinitionUnknown`], and [`IdentityError::Scope`] where the parameters do not fill the templates.
    pub fn scope(&self, definitions: &dyn ScopeDefinitions) -> Result<Scope, IdentityError> {
        let definition = definitions.definition(self.profile(), self.scope_definition_id()).ok_or_else(|| {
            IdentityError::DefinitionUnknown {
                profile: self.profile().to_owned(),
                id: self.scope_definition_id().to_owned(),
            }
        })?;
        Ok(definition.scope(&self.params()?)?)
    }

    /// Whether the owner of this certificate signed the text.
    pub fn verify(&self, text: &str, signature: &str) -> bool {
        self.public_key.verify(text, signature)
    }
}

impl From<&Certificate> for UnverifiedCertificate {
    /// The certificate as it is sent to a peer, who has to verify it anew.
    fn from(certificate: &Certificate) -> Self {
        Self { serialized: certificate.serialized.clone(), signature: certificate.signature.clone() }
    }
}

/// Writes and signs the text of a certificate. It is verified like anybody's before it counts.
fn sign(
    request: &CertificateRequest,
    parent_id: Option<CertificateId>,
    salt: Option<&str>,
    key: &PrivateKey,
) -> Result<UnverifiedCertificate, IdentityError> {
    let body = CertificateBody {
        id: certificate_id(&request.public_key, &request.profile, salt),
        parent_id,
        profile: request.profile.clone(),
        salt: Some(salt.unwrap_or_default().to_owned()),
        scope_definition_id: request.scope_definition_id.clone(),
        scope_version: request.scope_version,
        scope_params: request.scope_params.clone(),
        public_key_string: request.public_key.as_str().to_owned(),
    };
    let serialized = serde_json::to_string(&body).expect("texts and numbers are JSON");
    let signature = key.sign(&serialized)?;
    Ok(UnverifiedCertificate { serialized, signature })
}
