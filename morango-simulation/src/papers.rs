//! The certificates of a run. Keys follow from a fixed seed, and few of them are made: making one is slow.

use std::sync::LazyLock;

use morango::id::CertificateId;
use morango::identity::{Certificate, CertificateRequest, PrivateKey};
use morango::model::Registry;
use morango::port::Storage;
use morango::scope::{ScopeDefinitions as _, ScopeParams};
use morango_examples::school::{FULL_FACILITY, PROFILE, SINGLE_USER};
use rsa::pkcs1::EncodeRsaPrivateKey as _;

use crate::dice::Dice;
use crate::school::Version;

const BITS: usize = 2048;

/// The key of the school's root, and the one of all its devices: certificates of one key differ by their salt.
static KEYS: LazyLock<[PrivateKey; 2]> = LazyLock::new(|| {
    let mut dice = Dice::new(2_048);
    [(); 2].map(|()| {
        let key = rsa::RsaPrivateKey::new(&mut dice, BITS).expect("dice give numbers");
        let document = key.to_pkcs1_der().expect("a key can be written");
        PrivateKey::from_pkcs1_der(document.as_bytes()).expect("a key that was just made")
    })
});

/// What a device may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The whole school.
    School,
    /// What concerns everybody and one learner, by their id.
    Learner(String),
}

impl Reach {
    /// Whether a device may read there, so that others may let it have what they hold.
    pub(crate) fn may_read(&self, partition: &str) -> bool {
        match self {
            Self::School => true,
            Self::Learner(id) => {
                ["user-ro", "user-rw"].iter().any(|part| partition.ends_with(&format!(":{part}:{id}")))
                    || partition.ends_with(":allusers-ro")
            }
        }
    }

    /// Whether a device may write there, so that what it saves can leave it.
    pub(crate) fn may_write(&self, partition: &str) -> bool {
        match self {
            Self::School => true,
            Self::Learner(id) => {
                ["user-rw", "user-wo"].iter().any(|part| partition.ends_with(&format!(":{part}:{id}")))
            }
        }
    }
}

fn registry() -> std::sync::Arc<Registry> {
    Version::New.registry()
}

/// The school's root certificate.
pub(crate) fn root() -> Certificate {
    let registry = registry();
    let definition = registry.definition(PROFILE, FULL_FACILITY).expect("the school defines it");
    Certificate::root(definition, &KEYS[0], None, std::iter::empty::<(String, String)>()).expect("a root")
}

/// Gives a storage the root with its key.
pub(crate) fn found(storage: &dyn Storage) {
    let root = root();
    storage.save_certificates(std::slice::from_ref(&root), Some((&root.id(), &KEYS[0]))).expect("they are kept");
}

/// Gives a storage a certificate of its own below the root.
pub(crate) fn grant(storage: &dyn Storage, reach: &Reach, salt: &str) -> CertificateId {
    let (root, registry) = (root(), registry());
    let (scope, params) = match reach {
        Reach::School => (FULL_FACILITY, vec![("dataset_id", root.id().to_string())]),
        Reach::Learner(id) => (SINGLE_USER, vec![("dataset_id", root.id().to_string()), ("user_id", id.clone())]),
    };
    let definition = registry.definition(PROFILE, scope).expect("the school defines it");
    let request = CertificateRequest {
        profile: PROFILE.to_owned(),
        scope_definition_id: scope.to_owned(),
        scope_version: definition.version,
        scope_params: ScopeParams::new(params).expect("good parameters").as_json().to_owned(),
        public_key: KEYS[1].public_key().clone(),
    };
    let own = root.sign_child(&KEYS[0], &request, Some(salt), &*registry).expect("it is within the school");
    let id = own.id();
    storage.save_certificates(&[root], None).expect("they are kept");
    storage.save_certificates(&[own], Some((&id, &KEYS[1]))).expect("they are kept");
    id
}
