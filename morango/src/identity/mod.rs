//! Who is speaking: keys, certificates and the chains that lead to them, nonces, and the instance itself.
//!
//! Everything here is pure but three files: `key`, which draws random numbers for a new key, `system`, which reads what this
//! machine is, and `process`, which reads what runs on it. This room stores nothing and asks no peer.

mod certificate;
mod chain;
mod error;
mod instance;
mod key;
mod nonce;
mod pem;
mod process;
mod public_key;
mod system;
#[cfg(test)]
mod tests;
mod unverified;

pub use certificate::{Certificate, CertificateRequest, certificate_id};
pub use chain::verify_chain;
pub use error::IdentityError;
pub use instance::{Instance, SystemFacts, proquint};
pub use key::PrivateKey;
pub use nonce::{Nonce, session_challenge};
pub(crate) use process::{Liveness, Run, liveness};
pub use public_key::PublicKey;
pub use unverified::{CertificateBody, UnverifiedCertificate};
