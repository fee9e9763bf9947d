//! Certificates of any bytes: nobody makes one that holds without the key of the one above it, and keys have one spelling.

#![no_main]

use std::collections::HashSet;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use morango::id::CertificateId;
use morango::identity::{Certificate, PublicKey, UnverifiedCertificate, verify_chain};
use morango::limits;
use morango::wire;
use morango_fuzz::{golden_certificates, school};

fuzz_target!(|body: &[u8]| {
    if let Ok(text) = std::str::from_utf8(body) {
        keys_have_one_spelling(text);
        check(vec![UnverifiedCertificate { serialized: text.to_owned(), signature: String::new() }]);
    }
    let bare = wire::read_certificate(body).map(|certificate| vec![certificate]);
    for chain in [bare, wire::read_certificates(body), wire::read_pushed_chain(body)].into_iter().flatten() {
        check(chain);
    }
});

fn keys_have_one_spelling(text: &str) {
    if let Ok(key) = PublicKey::parse(text) {
        assert_eq!(PublicKey::parse(key.as_str()).as_ref(), Ok(&key));
        assert!(!key.verify("text", "") && !key.verify("text", text));
    }
}

/// The texts that somebody signed with a golden key.
fn signed_texts() -> &'static HashSet<String> {
    static TEXTS: OnceLock<HashSet<String>> = OnceLock::new();
    TEXTS.get_or_init(|| {
        let golden = golden_certificates();
        let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
        let refused = list(&golden["refused"]).into_iter().flat_map(|case| list(&case["chain"]));
        let all = list(&golden["chain"]).into_iter().chain(refused);
        all.map(|certificate| certificate["serialized"].as_str().expect("a text").to_owned()).collect()
    })
}

fn nobody(_: &CertificateId) -> Option<Certificate> {
    None
}

fn check(chain: Vec<UnverifiedCertificate>) {
    for certificate in &chain {
        if let Ok(stored) = Certificate::from_store(certificate.serialized.clone(), certificate.signature.clone()) {
            assert!(certificate.serialized.len() <= limits::CERTIFICATE_BYTES_MAX);
            let again = wire::read_certificate(&wire::write_certificate(&stored)).expect("what we wrote");
            assert_eq!((&again, UnverifiedCertificate::from(&stored)), (certificate, certificate.clone()));
            assert_eq!(certificate.body().expect("it was read").id, stored.id());
        }
    }
    let length = chain.len();
    let last = chain.last().and_then(|last| last.body().ok()).map(|body| body.id);
    let Ok(verified) = verify_chain(chain.clone(), &nobody, school(), None) else { return };
    assert_eq!((verified.len(), verified.last().map(Certificate::id)), (length, last));
    for certificate in &verified {
        assert!(signed_texts().contains(certificate.serialized()), "nobody signed {:?}", certificate.serialized());
    }
    // What holds for itself holds beside what was known before, and ends where it says.
    let known = |id: &CertificateId| verified.first().filter(|first| first.id() == *id).cloned();
    assert_eq!(verify_chain(chain.clone(), &known, school(), last).as_deref(), Ok(&verified[1..]));
    assert!(verify_chain(chain, &nobody, school(), Some(CertificateId::hash_of("another"))).is_err());
}
