//! Keys, certificates and chains, held against those that the Python package made, and against forgeries.

use rsa::pkcs1::der::Encode as _;
use rsa::pkcs1::{RsaPublicKey, UintRef};
use serde_json::Value;

use super::instance::hashed_identifier;
use super::*;
use crate::id::{CertificateId, DatabaseId, InstanceId};
use crate::limits;
use crate::scope::{Filter, ScopeDefinition, ScopeDefinitionSource};

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/certificates.json")).expect("the golden file is JSON")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    let list = value[name].as_array().unwrap_or_else(|| panic!("the golden file has the list {name}"));
    assert!(!list.is_empty(), "{name}");
    list
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text"))
}

fn key(golden: &Value, name: &str) -> PrivateKey {
    PrivateKey::from_pkcs1_pem(text(&golden["keys"][name], "private_key_pem")).expect("a good key")
}

/// The definitions of the school in which the golden certificates were made.
fn definitions() -> Vec<ScopeDefinition> {
    let sources = [
        ScopeDefinitionSource {
            profile: "school",
            id: "full-facility",
            version: 1,
            primary: Some("dataset_id"),
            description: "Everything of the school ${dataset_id}.",
            read: &[],
            write: &[],
            read_write: &["${dataset_id}"],
        },
        ScopeDefinitionSource {
            profile: "school",
            id: "single-user",
            version: 1,
            primary: None,
            description: "What concerns the user ${user_id} of the school ${dataset_id}.",
            read: &["${dataset_id}:allusers-ro", "${dataset_id}:user-ro:${user_id}"],
            write: &["${dataset_id}:user-wo:${user_id}"],
            read_write: &["${dataset_id}:user-rw:${user_id}"],
        },
    ];
    sources.into_iter().map(|source| ScopeDefinition::new(source).expect("a good definition")).collect()
}

fn chain(value: &Value) -> Vec<UnverifiedCertificate> {
    let certificates = list(value, "chain").iter();
    certificates
        .map(|one| UnverifiedCertificate {
            serialized: text(one, "serialized").to_owned(),
            signature: text(one, "signature").to_owned(),
        })
        .collect()
}

fn nobody(_: &CertificateId) -> Option<Certificate> {
    None
}

fn verify(chain: Vec<UnverifiedCertificate>) -> Result<Vec<Certificate>, IdentityError> {
    verify_chain(chain, &nobody, &definitions(), None)
}

/// A root, a child and a grandchild of the golden keys.
fn family(golden: &Value) -> Vec<Certificate> {
    verify(chain(golden)).expect("the golden chain holds")
}

#[test]
fn keys_are_read_in_every_spelling_and_written_in_one() {
    let golden = golden();
    for (name, value) in golden["keys"].as_object().expect("named keys") {
        let private = key(&golden, name);
        let expected = text(value, "public_key");
        assert_eq!(private.public_key().as_str(), expected, "{name}");
        assert_eq!(private.to_pkcs1_pem().trim(), text(value, "private_key_pem").trim());
        for spelling in value.as_object().expect("spellings").keys().filter(|name| name.starts_with("public_key")) {
            let key = PublicKey::parse(text(value, spelling)).expect("a good key");
            assert_eq!(key.as_str(), expected, "{name} {spelling}");
        }
    }
}

#[test]
fn a_new_key_is_read_back_and_signs_what_it_verifies() {
    let key = PrivateKey::generate().expect("a new key");
    assert!(key.public_key().as_str().starts_with("MIIBCgKCAQEA") && key.public_key().as_str().ends_with("IDAQAB"));
    let again = PrivateKey::from_pkcs1_pem(&key.to_pkcs1_pem()).expect("what was written is read");
    assert_eq!(again.public_key(), key.public_key());
    let signature = key.sign("größer").expect("a sound key signs");
    assert!(again.public_key().verify("größer", &signature));
    assert!(!again.public_key().verify("grösser", &signature));
    assert!(!again.public_key().verify("größer", "no base64!") && !again.public_key().verify("größer", ""));
}

#[test]
fn nothing_secret_is_in_debug() {
    let shown = format!("{:?}", key(&golden(), "root"));
    let secret = key(&golden(), "root").to_pkcs1_pem();
    assert!(secret.lines().filter(|line| line.len() == 64).all(|line| !shown.contains(&line[..16])), "{shown}");
}

#[test]
fn a_key_is_shown_by_the_end_of_its_public_half() {
    let key = key(&golden(), "root");
    let public = key.public_key();
    let shown = format!("{public:?}");
    let end = shown.strip_prefix("PublicKey(…").and_then(|rest| rest.strip_suffix(')')).expect("an end");
    assert!(public.as_str().ends_with(end) && end.len() == 24, "{shown}");
    assert_eq!(format!("{key:?}"), format!("PrivateKey(of {shown})"));
    assert_eq!(public.to_string(), public.as_str());
}

#[test]
fn a_key_has_between_2048_and_8192_bits() {
    for (bits, is_good) in [(2_047, false), (2_048, true), (8_192, true), (8_193, false)] {
        let mut modulus = vec![0xff_u8; usize::div_ceil(bits, 8)];
        let unused_bits = modulus.len() * 8 - bits;
        modulus[0] >>= unused_bits;
        let number = |bytes| UintRef::new(bytes).expect("a number");
        let key = RsaPublicKey { modulus: number(&modulus), public_exponent: number(&[1, 0, 1]) };
        let read = PublicKey::from_pkcs1_der(&key.to_der().expect("two numbers"));
        assert_eq!(read.is_ok(), is_good, "{bits} bits: {read:?}");
    }
    for (length, is_long) in [(8 * 1024, false), (8 * 1024 + 1, true)] {
        let error = PublicKey::parse(&"A".repeat(length)).expect_err("no key");
        assert_eq!(error.to_string().contains("too long"), is_long, "{error}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let golden = golden();
    let pem = text(&golden["keys"]["root"], "private_key_pem").to_owned();
    // One digit changed in the middle of the numbers, so that they no longer fit each other.
    let middle = pem.len() / 2;
    let other = if &pem[middle..=middle] == "A" { "B" } else { "A" };
    let bent = [&pem[..middle], other, &pem[middle + 1..]].concat();
    for wrong in ["", "MIIB", "{}", &bent, &pem[..pem.len() / 2]] {
        assert!(matches!(PrivateKey::from_pkcs1_pem(wrong), Err(IdentityError::KeyMalformed { .. })), "{wrong}");
    }
    let elliptic = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJ9H5wSohgFp/IR7LOlW4wt6ocjOhLl83VvzgQb8ZT3ogKxa6q0A0jaDa0mYA1ZdDauLgWJfLIvf3FBtcwAiiKw==";
    let short = "MIGJAoGBAK2W6XFAdUVXT89cBzfXJaoKBJoqZyMmQiu1lwjiuR+vT90Oj/redHCQ51Bu3DYuOdUarI7v0EseYJwbrvv9pMwkpidVjgOd6Ljau6chpjPQUvhWEtge5Cfw2JZAg2Sy/fgZqBwt5u8iOu8zaomcyYNUI5CTFmoPwvzOe3xcrDTPAgMBAAE=";
    for (wrong, word) in
        [("", "PKCS#1"), ("é", "base64"), (elliptic, "another kind"), (short, "2048"), (&"A".repeat(10_000), "long")]
    {
        let error = PublicKey::parse(wrong).expect_err("no key");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_stored_key_that_was_damaged_signs_as_it_did_or_not_at_all() {
    let golden = golden();
    let good = key(&golden, "root");
    let pem = good.to_pkcs1_pem();
    let signature = good.sign("a nonce").expect("a sound key signs");
    let (mut unreadable, mut unsound) = (0, 0);
    for at in (40..pem.len() - 40).step_by(23).filter(|at| pem.is_char_boundary(*at) && &pem[*at..=*at] != "\n") {
        let other = if &pem[at..=at] == "A" { "B" } else { "A" };
        let bent = [&pem[..at], other, &pem[at + 1..]].concat();
        match PrivateKey::from_store(&bent).map(|key| key.sign("a nonce")) {
            Ok(Ok(signed)) => assert_eq!(signed, signature, "what was damaged at {at} is no part of a signature"),
            Ok(Err(error)) => {
                assert_eq!(error, IdentityError::KeyUnsound);
                assert!(PrivateKey::from_pkcs1_pem(&bent).is_err(), "whoever brings a key is told at once");
                unsound += 1;
            }
            Err(error) => {
                assert!(matches!(error, IdentityError::KeyMalformed { .. }), "{error}");
                unreadable += 1;
            }
        }
    }
    assert!(unreadable > 0 && unsound > 0, "{unreadable} could not be read, {unsound} did not sign");
}

#[test]
fn signatures_are_those_of_python() {
    let golden = golden();
    for case in list(&golden, "signatures") {
        let key = key(&golden, text(case, "key"));
        let (signed, signature) = (text(case, "text"), text(case, "signature"));
        assert_eq!(
            key.sign(signed).expect("a sound key signs"),
            signature,
            "PKCS#1 v1.5 has one signature for one text"
        );
        assert!(key.public_key().verify(signed, signature));
        assert!(!key.public_key().verify(&format!("{signed}."), signature));
    }
}

#[test]
fn certificate_ids_are_those_of_python() {
    for case in list(&golden(), "certificate_ids") {
        let key = PublicKey::parse(text(case, "public_key")).expect("a good key");
        let salt = Some(text(case, "salt"));
        assert_eq!(certificate_id(&key, text(case, "profile"), salt).to_string(), text(case, "id"));
    }
}

#[test]
fn a_chain_made_by_python_holds_and_grants_the_same() {
    let golden = golden();
    let certificates = family(&golden);
    for (certificate, sent) in certificates.iter().zip(list(&golden, "chain")) {
        assert_eq!(certificate.id().to_string(), text(sent, "id"));
        assert_eq!(certificate.parent_id().map(|id| id.to_string()).as_deref(), sent["parent"].as_str());
        assert_eq!(certificate.salt().unwrap_or_default(), text(sent, "salt"));
        assert_eq!(certificate.serialized(), text(sent, "serialized"));
        let stored = Certificate::from_store(certificate.serialized(), certificate.signature());
        assert_eq!(stored.as_ref(), Ok(certificate));
    }
    for (certificate, expected) in certificates.iter().zip(list(&golden, "scopes")) {
        assert_eq!(certificate.id().to_string(), text(expected, "certificate_id"));
        let scope = certificate.scope(&definitions()).expect("a scope");
        for (reach, side) in [(scope.read(), "read"), (scope.write(), "write")] {
            let prefixes = list(expected, side).iter().map(|prefix| prefix.as_str().expect("a text"));
            assert_eq!(reach.filter(), Some(&Filter::new(prefixes).expect("good prefixes")), "{side}");
        }
    }
}

#[test]
fn what_python_refuses_is_refused_for_the_same_reason() {
    for case in list(&golden(), "refused") {
        let error = verify(chain(case)).expect_err("refused");
        let is_it = match text(case, "error") {
            "CertificateSignatureInvalid" => matches!(error, IdentityError::Signature { .. }),
            "CertificateIDInvalid" => matches!(error, IdentityError::IdWrong { .. }),
            "CertificateScopeNotSubset" => matches!(error, IdentityError::ExceedsParent { .. }),
            "CertificateProfileInvalid" => matches!(error, IdentityError::ProfileWrong { .. }),
            "CertificateRootScopeInvalid" => matches!(error, IdentityError::RootReachesOutside { .. }),
            "AssertionError" => matches!(error, IdentityError::Chain { .. }),
            other => panic!("{other} is no error that this test knows"),
        };
        assert!(is_it, "{}: {error}", case["why"]);
    }
}

#[test]
fn a_known_certificate_ends_the_walk() {
    let golden = golden();
    let family = family(&golden);
    let known = |id: &CertificateId| family[..2].iter().find(|known| known.id() == *id).cloned();
    let new = verify_chain(chain(&golden), &known, &definitions(), Some(family[2].id())).expect("it holds");
    assert_eq!(new, family[2..]);
    // Of what stands above a known one nothing is read.
    let mut cut = chain(&golden);
    cut[0].serialized = "nonsense".to_owned();
    assert_eq!(verify_chain(cut, &known, &definitions(), None).expect("it holds"), family[2..]);
    let all = |id: &CertificateId| family.iter().find(|known| known.id() == *id).cloned();
    assert_eq!(verify_chain(chain(&golden), &all, &definitions(), None), Ok(Vec::new()));
    // What is known by another text does not vouch for what is shown: nor does what is known above it.
    let other = |id: &CertificateId| match family.iter().position(|known| known.id() == *id) {
        Some(1) => Some(family[0].clone()),
        Some(place) => Some(family[place].clone()).filter(|_| place == 0),
        None => None,
    };
    assert_eq!(verify_chain(chain(&golden), &other, &definitions(), None).as_ref(), Ok(&family));
    let without_root = chain(&golden).split_off(1);
    assert!(matches!(verify_chain(without_root, &other, &definitions(), None), Err(IdentityError::Chain { .. })));
}

#[test]
fn a_chain_out_of_order_is_refused() {
    let golden = golden();
    let good = chain(&golden);
    let expected = CertificateId::hash_of("another");
    let end = verify_chain(good.clone(), &nobody, &definitions(), Some(expected));
    assert!(matches!(end, Err(IdentityError::Chain { .. })), "{end:?}");
    for broken in [
        vec![],
        good.iter().rev().cloned().collect(),
        vec![good[0].clone(), good[0].clone()],
        vec![good[1].clone(), good[1].clone()],
        vec![good[0].clone(), good[2].clone()],
        vec![good[1].clone(), good[2].clone()],
    ] {
        let error = verify(broken).expect_err("out of order");
        assert!(matches!(error, IdentityError::Chain { .. }), "{error}");
    }
    let long = verify(vec![good[0].clone(); limits::CHAIN_CERTIFICATES_MAX + 1]);
    assert!(matches!(long, Err(IdentityError::TooLong { .. })));
}

#[test]
fn a_chain_of_the_greatest_length_holds_and_one_more_does_not() {
    let golden = golden();
    let root_key = key(&golden, "root");
    let root = family(&golden).swap_remove(0);
    let request = CertificateRequest {
        profile: "school".to_owned(),
        scope_definition_id: "full-facility".to_owned(),
        scope_version: 7,
        scope_params: root.scope_params().to_owned(),
        public_key: root_key.public_key().clone(),
    };
    let mut family = vec![root];
    while family.len() <= limits::CHAIN_CERTIFICATES_MAX {
        let (parent, salt) = (&family[family.len() - 1], family.len().to_string());
        let child = parent.sign_child(&root_key, &request, Some(&salt), &definitions());
        family.push(child.expect("it asks for what its parent has"));
    }
    let sent: Vec<UnverifiedCertificate> = family.iter().map(UnverifiedCertificate::from).collect();
    let (longest, _) = sent.split_at(limits::CHAIN_CERTIFICATES_MAX);
    let verified = verify(longest.to_vec()).expect("every link holds");
    assert_eq!(verified, family[..limits::CHAIN_CERTIFICATES_MAX]);
    assert!(verified[1..].iter().all(|child| child.scope_version() == 7));
    assert!(matches!(verify(sent), Err(IdentityError::TooLong { .. })));
}

#[test]
fn only_its_owner_signs_for_a_certificate() {
    let golden = golden();
    let child = &family(&golden)[1];
    let signed_by = |name| key(&golden, name).sign("a nonce").expect("a sound key signs");
    assert!(child.verify("a nonce", &signed_by("child")));
    assert!(!child.verify("another nonce", &signed_by("child")));
    for other in ["root", "grandchild", "stranger"] {
        assert!(!child.verify("a nonce", &signed_by(other)), "{other}");
    }
}

#[test]
fn a_root_that_reaches_outside_on_either_side_is_refused() {
    const OWN: &[&str] = &["${dataset_id}:a", "${dataset_id}:b"];
    const ALSO_ELSEWHERE: &[&str] = &["${dataset_id}", "elsewhere"];
    const NOTHING: &[&str] = &[];
    let key = key(&golden(), "stranger");
    let root = |read, write| {
        let source = ScopeDefinitionSource {
            profile: "school",
            id: "odd",
            version: 1,
            primary: Some("dataset_id"),
            description: "",
            read,
            write,
            read_write: &[],
        };
        let none: [(&str, &str); 0] = [];
        Certificate::root(&ScopeDefinition::new(source).expect("a good definition"), &key, None, none)
    };
    for (read, write) in [(OWN, OWN), (OWN, NOTHING), (NOTHING, OWN)] {
        root(read, write).expect("it begins with its own id");
    }
    for (read, write) in [(ALSO_ELSEWHERE, OWN), (OWN, ALSO_ELSEWHERE), (NOTHING, ALSO_ELSEWHERE)] {
        let error = root(read, write).expect_err("it reaches elsewhere");
        assert!(matches!(error, IdentityError::RootReachesOutside { .. }), "{error}");
    }
}

#[test]
fn a_root_made_here_grants_what_begins_with_its_id() {
    let definitions = definitions();
    let key = key(&golden(), "stranger");
    let root = Certificate::root(&definitions[0], &key, Some("salt"), [("name", "a school")]).expect("a root");
    let scope = root.scope(&definitions).expect("a scope");
    assert!(scope.allows_write(&Filter::new([root.id().to_string()]).expect("a prefix")));
    assert!(!scope.allows_read(&Filter::everything()));
    assert_eq!(verify(vec![UnverifiedCertificate::from(&root)]), Ok(vec![root.clone()]));

    // Its own id cannot be talked out of its parameters.
    let other = Certificate::root(&definitions[0], &key, Some("salt"), [("dataset_id", "other")]).expect("a root");
    assert_eq!(other.params().expect("parameters").get("dataset_id"), Some(root.id().to_string().as_str()));
    let none: [(&str, &str); 0] = [];
    let error = Certificate::root(&definitions[1], &key, None, none).expect_err("no primary parameter");
    assert!(matches!(error, IdentityError::NoRootDefinition { .. }));
}

#[test]
fn a_child_gets_no_more_than_its_parent_has() {
    let golden = golden();
    let family = family(&golden);
    let root_key = key(&golden, "root");
    let request = |definition: &str, dataset: &str| CertificateRequest {
        profile: "school".to_owned(),
        scope_definition_id: definition.to_owned(),
        scope_version: 1,
        scope_params: format!(r#"{{"dataset_id": "{dataset}", "user_id": "ada"}}"#),
        public_key: key(&golden, "stranger").public_key().clone(),
    };
    let sign = |key: &PrivateKey, request: &CertificateRequest| {
        family[0].sign_child(key, request, Some("unforeseen"), &definitions())
    };
    let own = family[0].id().to_string();
    let child = sign(&root_key, &request("single-user", &own)).expect("it is within");
    assert_eq!((child.parent_id(), child.salt()), (Some(family[0].id()), Some("unforeseen")));
    assert_eq!(
        verify(vec![UnverifiedCertificate::from(&family[0]), UnverifiedCertificate::from(&child)]).map(|it| it.len()),
        Ok(2)
    );

    let mut other_profile = request("single-user", &own);
    other_profile.profile = "other".to_owned();
    for (result, word) in [
        (sign(&key(&golden, "child"), &request("single-user", &own)), "private key"),
        (sign(&root_key, &request("single-user", "elsewhere")), "wider"),
        (sign(&root_key, &request("no-such", &own)), "no-such"),
        (sign(&root_key, &request("single-user", "")), "scope"),
        (sign(&root_key, &other_profile), "profile"),
    ] {
        let error = result.expect_err("refused");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn malformed_and_overlong_certificates_are_refused() {
    let good = chain(&golden()).swap_remove(0);
    for serialized in ["", "null", "[]", "{}", "\u{0}"] {
        let wrong = UnverifiedCertificate { serialized: serialized.to_owned(), signature: good.signature.clone() };
        assert!(matches!(wrong.verify(None, &definitions()), Err(IdentityError::Malformed { .. })), "{serialized}");
    }
    let long = UnverifiedCertificate { serialized: " ".repeat(100_000), signature: String::new() };
    assert!(matches!(long.body(), Err(IdentityError::TooLong { .. })));
    let unsigned = UnverifiedCertificate { serialized: good.serialized, signature: String::new() };
    assert!(matches!(unsigned.verify(None, &definitions()), Err(IdentityError::Signature { .. })));
}

#[test]
fn a_certificate_may_just_be_as_long_as_the_limits_and_no_longer() {
    type Change = fn(&mut CertificateBody, String);
    fn as_long(change: Change, length: usize) -> Result<CertificateBody, IdentityError> {
        let mut body = chain(&golden())[0].body().expect("a certificate");
        change(&mut body, "x".repeat(length));
        let serialized = serde_json::to_string(&body).expect("texts are JSON");
        UnverifiedCertificate { serialized, signature: String::new() }.body()
    }
    let parts: [(Change, usize); 4] = [
        (|body, text| body.profile = text, limits::SCOPE_DEFINITION_ID_CHARS_MAX),
        (|body, text| body.scope_definition_id = text, limits::SCOPE_DEFINITION_ID_CHARS_MAX),
        (|body, text| body.salt = Some(text), limits::SALT_CHARS_MAX),
        (|body, text| body.scope_params = text, limits::SCOPE_PARAMS_BYTES_MAX),
    ];
    for (change, max) in parts {
        as_long(change, max).expect("as long as it may be");
        let longer = as_long(change, max + 1);
        assert!(matches!(longer, Err(IdentityError::TooLong { .. })), "{longer:?}");
    }
    let good = chain(&golden()).swap_remove(0);
    let with_lengths = |text: usize, signature: usize| UnverifiedCertificate {
        serialized: good.serialized.clone() + &" ".repeat(text - good.serialized.len()),
        signature: "x".repeat(signature),
    };
    let text_max = limits::CERTIFICATE_BYTES_MAX;
    with_lengths(text_max, 2_048).body().expect("as long as it may be");
    for longer in [with_lengths(text_max + 1, 2_048), with_lengths(text_max, 2_049)] {
        assert!(matches!(longer.body(), Err(IdentityError::TooLong { .. })));
    }
}

#[test]
fn instances_are_named_as_python_names_them() {
    let golden = golden();
    for case in list(&golden, "instance_ids") {
        let facts = SystemFacts::default().with_overrides(&|name| match name {
            "MORANGO_SYSTEM_ID" => Some(text(case, "system").to_owned()),
            "MORANGO_NODE_ID" => Some(text(case, "node").to_owned()),
            _ => None,
        });
        assert_eq!(
            (facts.system_id.as_str(), facts.node_id.as_str()),
            (text(case, "system_id"), text(case, "node_id"))
        );
        let database_id: DatabaseId = text(case, "database_id").parse().expect("an id");
        let instance = Instance::derive(database_id, "notes.db", &facts);
        assert_eq!(instance.id.to_string(), text(case, "id"));
    }
    for case in list(&golden, "proquints") {
        let id: InstanceId = text(case, "instance_id").parse().expect("an id");
        assert_eq!(proquint(&id), text(case, "proquint"));
    }
}

#[test]
fn a_variable_of_two_characters_does_not_name_a_machine() {
    let facts = SystemFacts { system_id: hashed_identifier("machine"), ..SystemFacts::default() };
    assert_eq!(facts.clone().with_overrides(&|_| Some(" ab ".to_owned())), facts);
}
