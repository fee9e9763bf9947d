//! Keys and certificates written by hand: good ones, and ones that nobody of good will would sign.

use std::sync::LazyLock;

use morango::id::CertificateId;
use morango::identity::{Certificate, CertificateBody, PrivateKey, PublicKey, UnverifiedCertificate, certificate_id};
use morango_examples::school::{FULL_FACILITY, PROFILE, SINGLE_USER};
use serde_json::{Value, json};

/// A certificate with its key and the chain that leads to it.
#[derive(Clone)]
pub(crate) struct Papers {
    pub(crate) key: PrivateKey,
    pub(crate) body: CertificateBody,
    /// Root first, this one last.
    pub(crate) chain: Vec<UnverifiedCertificate>,
}

/// Making a key takes a while, so the stories share a few. Whoever has no key here has no need of one of their own.
pub(crate) struct Keys {
    pub(crate) root: PrivateKey,
    pub(crate) member: PrivateKey,
    pub(crate) stranger: PrivateKey,
}

pub(crate) fn keys() -> &'static Keys {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| {
        let key = || PrivateKey::generate().expect("a key");
        Keys { root: key(), member: key(), stranger: key() }
    });
    &KEYS
}

impl Papers {
    /// The root of the school in all stories.
    pub(crate) fn root() -> Self {
        Self::root_of(&keys().root)
    }

    /// The root of another school, that of this key.
    pub(crate) fn root_of(key: &PrivateKey) -> Self {
        let id = certificate_id(key.public_key(), PROFILE, None);
        let params = json!({ "dataset_id": id.to_string() });
        let body = body(None, key.public_key(), None, FULL_FACILITY, &params);
        Self { chain: vec![forge(&body, key)], body, key: key.clone() }
    }

    /// A device that holds the whole school.
    pub(crate) fn member() -> Self {
        let root = Self::root();
        let params = json!({ "dataset_id": root.body.id.to_string() });
        root.child(&keys().member, "member", FULL_FACILITY, &params)
    }

    /// The device of one learner, below the member's.
    pub(crate) fn learner(user_id: &str) -> Self {
        let member = Self::member();
        let params = json!({ "dataset_id": member.dataset(), "user_id": user_id });
        member.child(&keys().member, &format!("of {user_id:.20}"), SINGLE_USER, &params)
    }

    /// Another server of the school.
    pub(crate) fn genuine() -> Self {
        let root = Self::root();
        root.child(&keys().stranger, "the server", FULL_FACILITY, &json!({ "dataset_id": root.dataset() }))
    }

    /// A certificate with the key, the salt and so the id of the genuine one, which a learner signed below her own. Only the genuine
    /// one's owner has its key.
    pub(crate) fn counterfeit() -> Self {
        let ada = Self::learner("ada");
        let params = json!({ "dataset_id": ada.dataset(), "user_id": "ada" });
        let papers = ada.child(&keys().stranger, "the server", SINGLE_USER, &params);
        assert_eq!(papers.id(), Self::genuine().id(), "an id says nothing of parent and scope");
        papers
    }

    /// A certificate below this one, signed with its key whether that is right or not.
    pub(crate) fn child(&self, key: &PrivateKey, salt: &str, scope: &str, params: &Value) -> Self {
        self.child_with(key, &body(Some(self.body.id), key.public_key(), Some(salt), scope, params))
    }

    /// A certificate of this text, signed with this one's key.
    pub(crate) fn child_with(&self, key: &PrivateKey, body: &CertificateBody) -> Self {
        let mut chain = self.chain.clone();
        chain.push(forge(body, &self.key));
        Self { key: key.clone(), body: body.clone(), chain }
    }

    /// The certificate as a device keeps it.
    pub(crate) fn certificate(&self) -> Certificate {
        let last = self.chain.last().expect("a chain has an end");
        Certificate::from_store(&*last.serialized, &*last.signature).expect("it can be read")
    }

    /// All certificates of the chain as a device keeps them.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        let read = |one: &UnverifiedCertificate| Certificate::from_store(&*one.serialized, &*one.signature);
        self.chain.iter().map(|one| read(one).expect("it can be read")).collect()
    }

    pub(crate) fn id(&self) -> CertificateId {
        self.body.id
    }

    /// The id of the school, which is that of its root.
    pub(crate) fn dataset(&self) -> String {
        let params: Value = serde_json::from_str(&self.body.scope_params).expect("an object");
        params["dataset_id"].as_str().expect("a text").to_owned()
    }
}

/// What a certificate says, with the id that follows from it.
pub(crate) fn body(
    parent_id: Option<CertificateId>,
    public_key: &PublicKey,
    salt: Option<&str>,
    scope: &str,
    params: &Value,
) -> CertificateBody {
    CertificateBody {
        id: certificate_id(public_key, PROFILE, salt),
        parent_id,
        profile: PROFILE.to_owned(),
        salt: Some(salt.unwrap_or_default().to_owned()),
        scope_definition_id: scope.to_owned(),
        scope_version: 1,
        scope_params: params.to_string(),
        public_key_string: public_key.as_str().to_owned(),
    }
}

/// Signs a certificate without a look at it.
pub(crate) fn forge(body: &CertificateBody, signer: &PrivateKey) -> UnverifiedCertificate {
    let serialized = serde_json::to_string(body).expect("texts and numbers are JSON");
    let signature = signer.sign(&serialized).expect("a sound key signs");
    UnverifiedCertificate { serialized, signature }
}

/// A chain as it travels.
pub(crate) fn chain_text(chain: &[UnverifiedCertificate]) -> String {
    chain_value(chain).to_string()
}

/// A chain as the answer to a question for certificates.
pub(crate) fn chain_value(chain: &[UnverifiedCertificate]) -> Value {
    chain.iter().map(|one| json!({ "serialized": one.serialized, "signature": one.signature })).collect()
}
