//! Certificates and keys are kept, and found by who asks.

use morango::id::CertificateId;
use morango::identity::{Certificate, CertificateRequest, PrivateKey};
use morango::port::{CertificateQuery, Storage, StoredCertificate};
use morango::scope::{ScopeDefinition, ScopeDefinitionSource, ScopeParams};

use super::notebook::Device;

#[test]
fn a_chain_is_found_from_the_key_that_is_ours() {
    let device = Device::new();
    let storage = &device.storage;
    let (keys, chain) = chain_of_three();
    let [root, middle, leaf] = &chain;
    // Given: of the chain we own the leaf only.
    storage.save_certificates(&chain, Some((&leaf.id(), &keys[2]))).expect("save");
    let ids = |query: CertificateQuery| -> Vec<CertificateId> {
        let found: Vec<StoredCertificate> = storage.certificates(&query).expect("list");
        found.iter().map(|stored| stored.certificate.id()).collect()
    };
    let none = || None::<String>;
    assert_eq!(
        ids(CertificateQuery::AncestorsOf { id: leaf.id(), profile: none() }),
        [root.id(), middle.id(), leaf.id()]
    );
    assert!(ids(CertificateQuery::AncestorsOf { id: middle.id(), profile: none() }).is_empty(), "it is not ours");
    assert!(ids(CertificateQuery::AncestorsOf { id: leaf.id(), profile: Some("other".to_owned()) }).is_empty());
    assert_eq!(ids(CertificateQuery::Below { primary_partition: root.id(), profile: none() }), [leaf.id()]);
    assert_eq!(ids(CertificateQuery::Owned { profile: Some("notebook".to_owned()) }), [leaf.id()]);
    assert!(ids(CertificateQuery::Owned { profile: Some("other".to_owned()) }).is_empty());

    // Then: every text is what it was, byte for byte, and the key signs as it did.
    let stored = storage.certificate(&root.id()).expect("read").expect("it is here");
    assert_eq!((&stored.certificate, stored.has_private_key), (root, false));
    assert!(storage.private_key(&root.id()).expect("read").is_none());
    let key = storage.private_key(&leaf.id()).expect("read").expect("it is here");
    assert_eq!(key.sign("a").expect("a sound key signs"), keys[2].sign("a").expect("a sound key signs"));

    // And: saving the same again adds the key of another and takes away none.
    storage.save_certificates(&chain, Some((&root.id(), &keys[0]))).expect("save");
    let mut both = [root.id(), leaf.id()];
    both.sort();
    assert_eq!(ids(CertificateQuery::Owned { profile: none() }), both);
    let error = storage.save_certificates(&[], Some((&middle.id(), &keys[0]))).expect_err("another's key");
    assert!(error.to_string().contains("the key of another"), "{error}");

    // And: the key that is shared is no certificate's, and the first one stays.
    assert!(storage.shared_key().expect("read").is_none());
    for key in &keys[..2] {
        assert_eq!(
            storage.keep_shared_key(key).expect("keep").sign("a").expect("a sound key signs"),
            keys[0].sign("a").expect("a sound key signs")
        );
    }
    assert_eq!(
        storage.shared_key().expect("read").expect("it is here").sign("a").expect("a sound key signs"),
        keys[0].sign("a").expect("a sound key signs")
    );
    assert_eq!(ids(CertificateQuery::Owned { profile: none() }), both);
}

/// An id covers key, profile and salt, so that two certificates of one id may stand below different parents.
#[test]
fn the_last_takes_the_place_of_another_of_its_id_unless_its_key_is_here() {
    let device = Device::new();
    let storage = &device.storage;
    let (keys, [root, middle, leaf]) = chain_of_three();
    // Given: the leaf again, this time directly below the root.
    let other = child_of(&root, &root, &keys[0], &keys[2]);
    assert_eq!(other.id(), leaf.id());
    let kept = || storage.certificate(&leaf.id()).expect("read").expect("it is here").certificate;
    let child = child_of(&root, &leaf, &keys[2], &keys[0]);

    storage.save_certificates(&[root.clone(), middle.clone(), leaf.clone()], None).expect("save");
    storage.save_certificates(&[root.clone(), other.clone(), child.clone()], None).expect("save");
    assert_eq!(kept(), leaf, "above the last those that are here stay");
    storage.save_certificates(&[root.clone(), other.clone()], None).expect("save");
    assert_eq!(kept(), other, "the last takes its place");
    assert_eq!(storage.certificate(&child.id()).expect("read").map(|it| it.certificate), Some(child));

    // And: its new parent is found above it, and what is ours stays.
    storage.save_certificates(&[], Some((&other.id(), &keys[2]))).expect("save");
    let query = CertificateQuery::AncestorsOf { id: other.id(), profile: None };
    let chain = storage.certificates(&query).expect("list").into_iter().map(|it| it.certificate);
    assert_eq!(chain.collect::<Vec<_>>(), [root.clone(), other.clone()]);
    storage.save_certificates(&[root, middle, leaf.clone()], None).expect("save");
    assert_eq!(kept(), other, "one of our own is never replaced");
}

#[test]
fn certificates_of_strangers_are_forgotten_and_those_of_our_roots_stay() {
    let device = Device::new();
    let storage = &device.storage;
    let ((keys, ours), (_, strangers)) = (chain_of_three(), chain_of_three());
    // Given: of our chain we hold the key in the middle; the strangers' leaf opened a session.
    storage.save_certificates(&ours, Some((&ours[1].id(), &keys[1]))).expect("save");
    storage.save_certificates(&strangers, None).expect("save");
    let session = super::sessions::session_of(strangers[1].id());
    storage.create_sync_session(&session).expect("create");
    let kept = |chain: &[Certificate; 3]| {
        chain.each_ref().map(|certificate| storage.certificate(&certificate.id()).expect("read").is_some())
    };

    storage.forget_sessions(session.last_activity_at, 10).expect("forget");
    assert_eq!((kept(&ours), kept(&strangers)), ([true; 3], [true, true, false]), "a session names it and its parent");
    storage.close_sync_session(&session.id, session.last_activity_at).expect("close");
    storage.forget_sessions(session.last_activity_at + chrono::TimeDelta::days(1), 10).expect("forget");
    assert_eq!((kept(&ours), kept(&strangers)), ([true; 3], [false; 3]));
}

fn whole() -> ScopeDefinition {
    ScopeDefinition::new(ScopeDefinitionSource {
        profile: "notebook",
        id: "whole",
        version: 1,
        primary: Some("owner_id"),
        description: "",
        read: &[],
        write: &[],
        read_write: &["${owner_id}"],
    })
    .expect("a definition")
}

/// A certificate for all that the root allows.
fn child_of(root: &Certificate, parent: &Certificate, signer: &PrivateKey, key: &PrivateKey) -> Certificate {
    let request = CertificateRequest {
        profile: "notebook".to_owned(),
        scope_definition_id: "whole".to_owned(),
        scope_version: 1,
        scope_params: ScopeParams::new([("owner_id", root.id().to_string())]).expect("params").as_json().to_owned(),
        public_key: key.public_key().clone(),
    };
    // Of another salt than the root, whose key one of them has.
    parent.sign_child(signer, &request, Some("child"), &whole()).expect("a child")
}

fn chain_of_three() -> ([PrivateKey; 3], [Certificate; 3]) {
    let keys = [(); 3].map(|()| PrivateKey::generate().expect("a key"));
    let root = Certificate::root(&whole(), &keys[0], None, Vec::<(String, String)>::new()).expect("a root");
    let middle = child_of(&root, &root, &keys[0], &keys[1]);
    let leaf = child_of(&root, &middle, &keys[1], &keys[2]);
    (keys, [root, middle, leaf])
}
