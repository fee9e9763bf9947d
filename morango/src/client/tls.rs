//! TLS with ring as its only cryptography. Nothing is loaded for a peer that is called without TLS.

use std::sync::Arc;

use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::{Error, ErrorKind, Result};

/// Whom a TLS connection trusts.
#[derive(Debug, Clone, Default)]
pub(super) enum Trust {
    /// Whom the operating system trusts.
    #[default]
    System,
    /// Only the authorities of this PEM text.
    Only(Vec<u8>),
}

/// The settings for a peer at this address.
pub(super) fn config(url: &Url, trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("set up TLS", error))?;
    let builder = match trust {
        // No request of this client goes to another scheme than the peer's, so nobody has to be trusted.
        _ if url.scheme() == "http" => builder.with_root_certificates(RootCertStore::empty()),
        Trust::System => {
            builder.with_platform_verifier().map_err(|error| failed("load whom this system trusts", error))?
        }
        Trust::Only(pem) => builder.with_root_certificates(authorities(pem)?),
    };
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Whether a request failed because the other end's certificate was refused. The same certificate is refused again the next time.
pub(super) fn is_untrusted(error: &reqwest::Error) -> bool {
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        let mut refused = cause;
        // An I/O error passes over what it wraps when it is asked for its source.
        while let Some(wrapped) = refused.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            refused = wrapped;
        }
        if let Some(refused) = refused.downcast_ref::<rustls::Error>() {
            return matches!(refused, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented);
        }
        below = cause.source();
    }
    false
}

fn authorities(pem: &[u8]) -> Result<RootCertStore> {
    const WHAT: &str = "read the authorities to trust";
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| failed(WHAT, error))?;
        store.add(certificate).map_err(|error| failed(WHAT, error))?;
    }
    if store.is_empty() {
        return Err(Error::new(ErrorKind::Configuration, format!("{WHAT}: the PEM text holds no certificate")));
    }
    Ok(store)
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Configuration, what).with_source(error)
}
