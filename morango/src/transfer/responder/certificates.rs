//! Certificates: which ones this peer shows, and which it signs.

use super::{Caller, Responder};
use crate::id::{CertificateId, SyncId};
use crate::identity::{Certificate, CertificateRequest};
use crate::port::{CertificateQuery, Credentials, GrantRequest};
use crate::scope::ScopeParams;
use crate::{Error, ErrorKind, Result};

impl Responder {
    /// The certificates that answer a query; none where the certificate that it names is not here.
    ///
    /// # Errors
    /// The storage fails.
    pub fn certificates(&self, query: &CertificateQuery) -> Result<Vec<Certificate>> {
        let stored = self.home.storage.certificates(query)?;
        Ok(stored.into_iter().map(|stored| stored.certificate).collect())
    }

    /// Signs a certificate below one whose private key is here, for a user who may have it. Who shows wrong credentials again and again
    /// has to wait.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] and [`ErrorKind::Forbidden`], by the application's own judgement;
    /// [`ErrorKind::CertificateUnknown`] and [`ErrorKind::PrivateKeyMissing`] for a parent that cannot sign;
    /// [`ErrorKind::CertificateExceedsParent`] and [`ErrorKind::CertificateInvalid`] for a request that does not fit it.
    pub fn sign_certificate(
        &self,
        caller: &Caller,
        credentials: Option<&Credentials>,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<Certificate> {
        let credentials = credentials
            .ok_or_else(|| Error::unauthenticated("sign a certificate: the request came without credentials"))?;
        let scope_params = ScopeParams::from_json(&request.scope_params)?;
        let grant = GrantRequest {
            profile: &request.profile,
            scope_definition: &request.scope_definition_id,
            scope_params: &scope_params,
        };
        self.authorize(caller, credentials, &grant)?;

        let storage = &self.home.storage;
        let parent_certificate = storage.certificate(parent)?.ok_or_else(|| {
            Error::new(ErrorKind::CertificateUnknown, format!("sign a certificate: its parent {parent} is not here"))
        })?;
        let key = storage.private_key(parent)?.ok_or_else(|| {
            let message = format!("sign a certificate: the private key of its parent {parent} is not here");
            Error::new(ErrorKind::PrivateKeyMissing, message)
        })?;
        // The salt is drawn here, so that nobody can ask for a certificate of a given id.
        let salt = SyncId::random().to_string();
        let parent_certificate = parent_certificate.certificate;
        let signed = parent_certificate.sign_child(&key, request, Some(&salt), &*self.home.registry)?;
        storage.save_certificates(std::slice::from_ref(&signed), None)?;
        tracing::info!(certificate = %signed.id(), %parent, scope = request.scope_definition_id, "signed a certificate");
        Ok(signed)
    }

    /// Has the application judge, unless the caller has guessed wrong too often.
    fn authorize(&self, caller: &Caller, credentials: &Credentials, grant: &GrantRequest<'_>) -> Result<()> {
        self.guesses.begin(self.home.clock.elapsed(), &caller.ip, credentials)?;
        let judged = self.accounts.authorize(credentials, grant);
        // Whatever else an application may have against it, it does not say that the password was wrong.
        if judged.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::Unauthenticated) {
            self.guesses.prove_right(&caller.ip, credentials);
        }
        judged
    }
}
