//! Chains that are signed as they should be, and say what they should not: one holds where every rule of certificates does, and
//! grants nothing that its root did not have.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use morango::id::CertificateId;
use morango::identity::{
    Certificate, CertificateBody, PrivateKey, UnverifiedCertificate, certificate_id, verify_chain,
};
use morango::scope::Reach;
use morango_fuzz::{golden_certificates, is_good_prefix, school};

/// Links of the longest chain that is drawn: each costs a signature.
const LINKS_MAX: usize = 4;

/// How a certificate is made. Nothing but zeroes makes a good one.
#[derive(Debug, Clone, Arbitrary)]
struct Link {
    key: u8,
    salt: Option<u8>,
    /// Signed with another key than that of the certificate above it.
    signer: Option<u8>,
    parent: Parent,
    id_is_forged: bool,
    other_profile: bool,
    definition: u8,
    dataset: Dataset,
    user: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
enum Parent {
    Above,
    Nobody,
    Stranger,
}

/// The parameter by which everything of a school begins.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Dataset {
    Root,
    LongerThanRoot,
    Other,
    Empty,
    Missing,
    Number,
    Broken,
}

/// Of a learner; some are no values.
const USERS: [Option<&str>; 7] = [Some("ada"), Some("ad"), Some("bob"), Some(""), Some("a b"), Some("a\0"), None];
const DEFINITIONS: [&str; 4] = ["full-facility", "single-user", "reader", "no-such"];

/// A certificate as it was made, and what must be known to judge it.
struct Made {
    link: Link,
    sent: UnverifiedCertificate,
    body: CertificateBody,
    is_signed_by_parent: bool,
    reads: Option<Vec<String>>,
    writes: Option<Vec<String>>,
}

fuzz_target!(|links: Vec<Link>| {
    let made = chain(&links[..links.len().min(LINKS_MAX)]);
    let sent: Vec<UnverifiedCertificate> = made.iter().map(|made| made.sent.clone()).collect();
    let outcome = verify_chain(sent.clone(), &|_: &CertificateId| None, school(), None);
    assert_eq!(outcome.is_ok(), plainly_holds(&made), "{outcome:?}\n{links:?}");
    let Ok(verified) = outcome else { return };
    for (certificate, made) in verified.iter().zip(&made) {
        let scope = certificate.scope(school()).expect("it holds");
        grants_nothing_else(scope.read(), made.reads.as_deref().unwrap_or_default(), &verified[0]);
        grants_nothing_else(scope.write(), made.writes.as_deref().unwrap_or_default(), &verified[0]);
    }
    for known in 1..=verified.len() {
        let known_ones = |id: &CertificateId| verified[..known].iter().find(|known| known.id() == *id).cloned();
        assert_eq!(verify_chain(sent.clone(), &known_ones, school(), None).as_deref(), Ok(&verified[known..]));
    }
});

fn grants_nothing_else(reach: &Reach, prefixes: &[String], root: &Certificate) {
    let own = root.id().to_string();
    let reached = reach.filter().map(|filter| filter.prefixes().to_vec()).unwrap_or_default();
    assert!(reached.iter().all(|prefix| prefix.starts_with(&own) && prefixes.contains(prefix)), "{reached:?}");
    assert!(prefixes.iter().all(|prefix| reach.contains(prefix)), "{prefixes:?}");
}

fn keys() -> &'static Vec<PrivateKey> {
    static KEYS: OnceLock<Vec<PrivateKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let keys = golden_certificates()["keys"].as_object().expect("named keys");
        let pem = |value: &serde_json::Value| value["private_key_pem"].as_str().expect("a text").to_owned();
        keys.values().map(|value| PrivateKey::from_pkcs1_pem(&pem(value)).expect("a good key")).collect()
    })
}

fn key(number: u8) -> &'static PrivateKey {
    &keys()[usize::from(number) % keys().len()]
}

fn chain(links: &[Link]) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    for (level, link) in links.iter().enumerate() {
        // Two links are by themselves never of one id; that takes the same salt twice.
        let salt = link.salt.map_or_else(|| format!("of level {level}"), |salt| format!("salt {}", salt % 2));
        let profile = if link.other_profile { "other" } else { "school" };
        let own_id = certificate_id(key(link.key).public_key(), profile, Some(&salt));
        let above = made.last().map(|above| (above.body.id, above.link.key));
        let root = made.first().map_or(own_id, |root| root.body.id).to_string();
        let params = params(link, &root);
        let body = CertificateBody {
            id: if link.id_is_forged { CertificateId::hash_of("forged") } else { own_id },
            parent_id: match link.parent {
                Parent::Above => above.map(|(id, _)| id),
                Parent::Nobody => None,
                Parent::Stranger => Some(CertificateId::hash_of("stranger")),
            },
            profile: profile.to_owned(),
            salt: Some(salt),
            scope_definition_id: DEFINITIONS[usize::from(link.definition) % DEFINITIONS.len()].to_owned(),
            scope_version: 1,
            scope_params: params,
            public_key_string: key(link.key).public_key().as_str().to_owned(),
        };
        let rightful = above.map_or(link.key, |(_, key)| key);
        let signer = key(link.signer.unwrap_or(rightful));
        let serialized = serde_json::to_string(&body).expect("texts and numbers are JSON");
        let sent =
            UnverifiedCertificate { signature: signer.sign(&serialized).expect("a sound key signs"), serialized };
        let (reads, writes) = granted(link, &root);
        let is_signed_by_parent = signer.public_key() == key(rightful).public_key();
        made.push(Made { link: link.clone(), sent, body, is_signed_by_parent, reads, writes });
    }
    made
}

fn dataset(link: &Link, root: &str) -> Option<String> {
    match link.dataset {
        Dataset::Root => Some(root.to_owned()),
        Dataset::LongerThanRoot => Some(format!("{root}0")),
        Dataset::Other => Some("other".to_owned()),
        Dataset::Empty => Some(String::new()),
        Dataset::Number => Some("7".to_owned()),
        Dataset::Missing | Dataset::Broken => None,
    }
}

fn user(link: &Link) -> Option<&'static str> {
    USERS[usize::from(link.user) % USERS.len()]
}

fn params(link: &Link, root: &str) -> String {
    let mut object = serde_json::Map::new();
    match (link.dataset, dataset(link, root)) {
        (Dataset::Number, _) => drop(object.insert("dataset_id".to_owned(), 7.into())),
        (Dataset::Broken, _) => return "{".to_owned(),
        (_, Some(text)) => drop(object.insert("dataset_id".to_owned(), text.into())),
        (_, None) => {}
    }
    if let Some(user) = user(link) {
        object.insert("user_id".to_owned(), user.into());
    }
    serde_json::Value::Object(object).to_string()
}

/// What the definition grants, for reading and for writing; `None` where it cannot be filled.
fn granted(link: &Link, root: &str) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let good = |prefixes: Vec<String>| prefixes.iter().all(|prefix| is_good_prefix(prefix)).then_some(prefixes);
    let dataset = dataset(link, root).filter(|text| is_good_prefix(text));
    let user = user(link).filter(|text| is_good_prefix(text));
    if link.other_profile {
        return (None, None);
    }
    match (usize::from(link.definition) % DEFINITIONS.len(), dataset, user) {
        (0, Some(dataset), _) => (good(vec![dataset.clone()]), good(vec![dataset])),
        (1, Some(dataset), Some(user)) => {
            let shared = format!("{dataset}:user-rw:{user}");
            let reads = vec![format!("{dataset}:allusers-ro"), format!("{dataset}:user-ro:{user}"), shared.clone()];
            (good(reads), good(vec![format!("{dataset}:user-wo:{user}"), shared]))
        }
        (2, Some(dataset), _) => (good(vec![dataset]), Some(Vec::new())),
        _ => (None, None),
    }
}

/// The rules of certificates, one after another.
fn plainly_holds(chain: &[Made]) -> bool {
    let is_within = |prefixes: &[String], above: &[String]| {
        prefixes.iter().all(|prefix| above.iter().any(|outer| prefix.starts_with(outer.as_str())))
    };
    let holds = |(level, made): (usize, &Made)| {
        let above = level.checked_sub(1).map(|above| &chain[above]);
        let is_linked = made.body.parent_id == above.map(|above| above.body.id);
        let is_repeated = chain[..level].iter().any(|other| other.body.id == made.body.id);
        let (Some(reads), Some(writes)) = (&made.reads, &made.writes) else { return false };
        let is_narrower = match above {
            None => is_within(reads, &[made.body.id.to_string()]) && is_within(writes, &[made.body.id.to_string()]),
            Some(above) => {
                above.body.profile == made.body.profile
                    && is_within(reads, above.reads.as_deref().unwrap_or_default())
                    && is_within(writes, above.writes.as_deref().unwrap_or_default())
            }
        };
        is_linked && !is_repeated && !made.link.id_is_forged && made.is_signed_by_parent && is_narrower
    };
    !chain.is_empty() && chain.iter().enumerate().all(holds)
}
