//! Chains of certificates: broken at each link in each way, shown to a server and by one.

use morango::identity::{PublicKey, UnverifiedCertificate};
use morango::port::CertificateQuery;
use morango::prelude::*;
use morango::{ErrorKind, limits};
use morango_examples::school::{FULL_FACILITY, SINGLE_USER};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::http::Answer;
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;
use serde_json::{Value, json};

use super::ON;
use super::papers::{Papers, chain_value, forge, keys};
use super::school::{School, certificates_of, device_with, holding, impatient, member};
use super::visitor::{Visitor, assert_refused};

/// What a peer makes of a certificate before it signs it.
type Change = fn(&mut morango::identity::CertificateBody, &PublicKey);

/// A chain that is not to be taken, and how it is refused.
struct Broken {
    how: &'static str,
    papers: Papers,
    status: u16,
    code: &'static str,
}

fn broken(how: &'static str, papers: Papers, code: &'static str) -> Broken {
    let status = match code {
        "certificate-exceeds-parent" => 400,
        "limit-exceeded" => 413,
        _ => 403,
    };
    Broken { how, papers, status, code }
}

/// The papers of a learner with one link of the chain changed by its owner's own hand, and signed anew.
fn with_link(link: usize, change: impl FnOnce(&mut morango::identity::CertificateBody)) -> Papers {
    let mut papers = Papers::learner("ada");
    let mut body = papers.chain[link].body().expect("it is one");
    change(&mut body);
    let signer = if link == 0 { &keys().root } else { signer_of(link) };
    papers.chain[link] = forge(&body, signer);
    if link + 1 == papers.chain.len() {
        papers.body = body;
    }
    papers
}

fn signer_of(link: usize) -> &'static morango::identity::PrivateKey {
    if link == 1 { &keys().root } else { &keys().member }
}

fn with_signature(link: usize, signature: String) -> Papers {
    let mut papers = Papers::learner("ada");
    papers.chain[link].signature = signature;
    papers
}

fn with_chain(change: impl FnOnce(&mut Vec<UnverifiedCertificate>)) -> Papers {
    let mut papers = Papers::learner("ada");
    change(&mut papers.chain);
    papers
}

/// Chains whose every fault lies below the root, which the server knows.
fn broken_chains() -> Vec<Broken> {
    let other_id = || Papers::learner("somebody else").id();
    let mut chains = Vec::new();
    for link in [1, 2] {
        let id = with_link(link, |body| body.id = other_id());
        chains.push(broken("another id", id, "certificate-invalid"));
        let salt = with_link(link, |body| body.salt = Some("another".to_owned()));
        chains.push(broken("an id of another salt", salt, "certificate-invalid"));
        let key = with_link(link, |body| body.public_key_string = keys().stranger.public_key().as_str().to_owned());
        chains.push(broken("an id of another key", key, "certificate-invalid"));
        let parent = with_link(link, |body| body.parent_id = Some(other_id()));
        chains.push(broken("another parent", parent, "certificate-invalid"));
        let own = with_link(link, |body| body.parent_id = Some(body.id));
        chains.push(broken("itself for a parent", own, "certificate-invalid"));
        let none = with_link(link, |body| body.parent_id = None);
        chains.push(broken("no parent", none, "certificate-invalid"));
        let profile = with_link(link, |body| body.profile = "elsewhere".to_owned());
        chains.push(broken("another profile", profile, "certificate-invalid"));
        let scope = with_link(link, |body| body.scope_definition_id = "made-up".to_owned());
        chains.push(broken("an unknown scope", scope, "certificate-invalid"));
        let params = with_link(link, |body| body.scope_params = "{}".to_owned());
        chains.push(broken("a scope without parameters", params, "certificate-invalid"));
        let blank = with_link(link, |body| body.scope_params = r#"{"dataset_id": "", "user_id": ""}"#.to_owned());
        chains.push(broken("a scope of everything", blank, "certificate-invalid"));
        let text = with_link(link, |body| body.scope_params = "no JSON".to_owned());
        chains.push(broken("parameters that are none", text, "certificate-invalid"));
        let long = with_link(link, |body| body.scope_params = json!({ "x": "y".repeat(20_000) }).to_string());
        chains.push(broken("parameters without end", long, "limit-exceeded"));

        let stranger = with_signature(
            link,
            keys().stranger.sign(&Papers::learner("ada").chain[link].serialized).expect("a sound key signs"),
        );
        chains.push(broken("a stranger's signature", stranger, "signature-invalid"));
        chains.push(broken("no signature", with_signature(link, String::new()), "signature-invalid"));
        chains.push(broken("a signature without end", with_signature(link, "A".repeat(70_000)), "limit-exceeded"));
        let spaced = with_chain(|chain| chain[link].serialized.push(' '));
        chains.push(broken("a text other than the signed one", spaced, "signature-invalid"));
        let nonsense = with_chain(|chain| chain[link].serialized = "[]".to_owned());
        chains.push(broken("a text that is none", nonsense, "certificate-invalid"));
        let huge = with_chain(|chain| chain[link].serialized = " ".repeat(limits::CERTIFICATE_BYTES_MAX + 1));
        chains.push(broken("a text without end", huge, "limit-exceeded"));
        let missing = with_chain(|chain| drop(chain.remove(link)));
        chains.push(broken("a missing link", missing, "certificate-invalid"));
        let twice = with_chain(|chain| chain.insert(link, chain[link].clone()));
        chains.push(broken("a link twice", twice, "certificate-invalid"));
    }
    chains.push(broken("nothing in it", with_chain(Vec::clear), "certificate-invalid"));
    chains.push(broken("the end first", with_chain(|chain| chain.reverse()), "certificate-invalid"));
    chains.push(broken("its last links swapped", with_chain(|chain| chain.swap(1, 2)), "certificate-invalid"));
    chains.push(broken("no root", with_chain(|chain| drop(chain.remove(0))), "certificate-invalid"));
    chains.push(broken("more than is allowed", endless(), "limit-exceeded"));
    let ten_thousand = with_chain(|chain| chain.resize(10_000, chain[2].clone()));
    chains.push(broken("ten thousand links", ten_thousand, "limit-exceeded"));
    chains.push(broken("more scope than its parent", greedy(), "certificate-exceeds-parent"));
    chains.push(broken("another learner's scope", envious(), "certificate-exceeds-parent"));
    chains.push(broken("another school's scope", foreign(), "certificate-exceeds-parent"));
    chains.push(broken("a root that reaches outside", presumptuous(), "certificate-invalid"));
    chains
}

/// Each certificate is good: there are too many.
fn endless() -> Papers {
    let mut papers = Papers::member();
    let params = json!({ "dataset_id": papers.dataset() });
    for number in 0..limits::CHAIN_CERTIFICATES_MAX {
        papers = papers.child(&keys().member, &number.to_string(), FULL_FACILITY, &params);
    }
    papers
}

/// A learner signs a certificate for the whole school.
fn greedy() -> Papers {
    let learner = Papers::learner("ada");
    let params = json!({ "dataset_id": learner.dataset() });
    learner.child(&keys().member, "greedy", FULL_FACILITY, &params)
}

/// A learner signs a certificate for another learner.
fn envious() -> Papers {
    let learner = Papers::learner("ada");
    let params = json!({ "dataset_id": learner.dataset(), "user_id": "ben" });
    learner.child(&keys().member, "envious", SINGLE_USER, &params)
}

/// A member signs a certificate for another school.
fn foreign() -> Papers {
    let other = Papers::root_of(&keys().stranger).dataset();
    Papers::member().child(&keys().member, "foreign", FULL_FACILITY, &json!({ "dataset_id": other }))
}

/// A stranger makes a root certificate that reaches for our school.
fn presumptuous() -> Papers {
    let mut papers = Papers::root_of(&keys().stranger);
    papers.body.scope_params = json!({ "dataset_id": Papers::root().dataset() }).to_string();
    papers.chain = vec![forge(&papers.body, &keys().stranger)];
    papers
}

#[test]
fn a_server_takes_no_chain_that_is_broken_anywhere() {
    let school = School::open();
    let before = school.holding();
    for broken in broken_chains() {
        println!("a chain with {}", broken.how);
        let visitor = school.visitor_with(broken.papers);
        let answer = visitor.post("syncsessions/", &visitor.session_request());
        assert_refused(&answer, broken.status, broken.code, "");
    }
    assert_eq!(certificates_of(&school.city), 1, "nothing of a broken chain is kept, not even what was good in it");
    assert_eq!(school.holding(), before);
    school.visitor_with(Papers::learner("ada")).open_session();
    school.assert_works_on();
}

#[test]
fn a_chain_that_is_no_text_of_json_is_a_malformed_message() {
    let school = School::open();
    let visitor = school.visitor();
    for chain in [
        json!("no JSON"),
        json!("{}"),
        json!("[1]"),
        json!(r#"[{"serialized": "{}"}]"#),
        json!("[".repeat(100_000)),
        json!(null),
        chain_value(&visitor.papers.chain),
    ] {
        let mut request = visitor.session_request();
        request["certificate_chain"] = chain;
        assert_refused(&visitor.post("syncsessions/", &request), 400, "message-malformed", "read");
    }
    school.assert_works_on();
}

#[test]
fn a_session_is_between_certificates_that_both_sides_have() {
    let school = School::open();
    let visitor = school.visitor();
    let unknown = Papers::learner("nobody").id().to_string();
    let member = visitor.papers.id().to_string();
    visitor.open_session();
    for (member_changed, value, status, code) in [
        ("server_certificate_id", unknown.as_str(), 400, "certificate-unknown"),
        // The server has seen the member's certificate by now, but not its key.
        ("server_certificate_id", member.as_str(), 400, "private-key-missing"),
        ("client_certificate_id", unknown.as_str(), 403, "certificate-invalid"),
        ("profile", "elsewhere", 403, "certificate-invalid"),
        ("profile", "", 403, "certificate-invalid"),
        ("server_certificate_id", "no id", 400, "message-malformed"),
        ("client_certificate_id", "", 400, "message-malformed"),
        ("id", "../../x", 400, "message-malformed"),
        ("instance", "no JSON", 400, "message-malformed"),
        ("instance", "null", 400, "message-malformed"),
    ] {
        let mut request = visitor.session_request();
        request[member_changed] = json!(value);
        let answer = visitor.post("syncsessions/", &request);
        assert_refused(&answer, status, code, "");
    }
    school.assert_works_on();
}

#[test]
fn a_member_of_another_school_is_refused_and_nothing_of_it_is_kept() {
    let school = School::open();
    let before = (school.holding(), certificates_of(&school.city));
    // Anybody can make a root, and as many certificates below it as a chain may have.
    let root = Papers::root_of(&keys().stranger);
    let params = json!({ "dataset_id": root.dataset() });
    let below = (0..10).fold(root.clone(), |papers, number| {
        papers.child(&keys().stranger, &format!("stranger {number}"), FULL_FACILITY, &params)
    });
    for papers in [root, below] {
        let stranger = Visitor::new(&school.url, papers);
        let request = stranger.session_request();
        let answer = stranger.post("syncsessions/", &request);
        assert_refused(&answer, 403, "certificate-invalid", "does not begin where that of");
    }
    assert_eq!((school.holding(), certificates_of(&school.city)), before);
    school.assert_works_on();
}

#[test]
fn a_client_takes_no_server_whose_chain_is_broken() {
    let school = School::open();
    let root = Papers::root();
    let papers = root.child(&keys().member, "home", FULL_FACILITY, &json!({ "dataset_id": root.dataset() }));
    let home = device_with("home", &papers);
    let (before, kept) = (holding(&home), certificates_of(&home));
    for broken in broken_chains() {
        println!("a chain with {}", broken.how);
        let chain = chain_value(&broken.papers.chain);
        let end = broken.papers.chain.last().map_or(json!([]), |last| chain_value(std::slice::from_ref(last)));
        let code = if broken.papers.chain.is_empty() { "certificate-unknown" } else { broken.code };
        let proxy = Proxy::start(&school.url, move |request, onward| match request.call().as_str() {
            "GET certificates/" if request.target.contains("primary_partition") => {
                Reply::Whole(Answer::json(200, &end))
            }
            "GET certificates/" => Reply::Whole(Answer::json(200, &chain)),
            _ => onward.forward(request),
        });
        // Asked for by name, the certificate's own fault is told.
        let named = SyncOptions::pull().server_certificate(broken.papers.id());
        // Whoever shows a good certificate at the end is not refused for the chain of another.
        let ends_elsewhere = |last: &UnverifiedCertificate| last.body().is_ok_and(|body| body.id != broken.papers.id());
        let is_misleading = broken.papers.chain.last().is_some_and(ends_elsewhere);
        for (options, is_named) in [(named, true), (SyncOptions::pull(), false)] {
            if is_misleading && !is_named {
                continue;
            }
            let error = home
                .engine
                .sync(&impatient(&proxy.url()), &papers.certificate(), options)
                .expect_err("nobody is to be taken for whom they are not");
            if is_named {
                assert_eq!(error.kind().code(), code, "{error:?}");
            }
            assert!(!error.is_retryable(), "{error:?}");
        }
        let seen = proxy.seen();
        assert!(!seen.iter().any(|call| call.contains("sessions")), "nothing is signed or shown: {seen:?}");
    }
    assert_eq!((holding(&home), certificates_of(&home)), (before, kept));
    school.assert_works_on();
}

/// A device that shows the genuine certificate, and the counterfeit's chain when it is asked for that; all else the server at `url` does.
fn counterfeiter(url: &str) -> Proxy {
    let (listed, chain) = (chain_value(&Papers::genuine().chain[1..]), chain_value(&Papers::counterfeit().chain));
    let of_genuine = format!("ancestors_of={}", Papers::genuine().id());
    Proxy::start(url, move |request, onward| {
        if request.call() != "GET certificates/" {
            onward.forward(request)
        } else if request.target.contains(&of_genuine) {
            Reply::Whole(Answer::json(200, &chain))
        } else if request.target.contains("primary_partition") {
            onward.forward(request).change(|answer| {
                let mut all = listed.clone();
                all.as_array_mut().expect("a list").extend(answer.value().as_array().expect("a list").clone());
                answer.with_value(&all)
            })
        } else {
            onward.forward(request)
        }
    })
}

/// A device that may sync the whole school, with a key that only it has.
fn home_of_its_own() -> (Device, Papers) {
    let root = Papers::root();
    let papers = root.child(&keys().member, "home", FULL_FACILITY, &json!({ "dataset_id": root.dataset() }));
    (device_with("home", &papers), papers)
}

/// Asserts that the genuine server, a device below it and `home` can bring each other up to date, whoever calls.
fn assert_knows_the_genuine(school: &School, home: &mut Device, papers: &Papers) {
    let mut server = device_with("server", &Papers::genuine());
    server.sync(&school.url, &Papers::genuine().certificate(), SyncOptions::pull());
    let there = school.add_class(&server, "from the genuine server");
    let url = server.serve(SchoolAccounts::admin());
    home.sync(&url, &papers.certificate(), SyncOptions::both_ways());
    assert!(home.store().contains_key(&there), "as a server it has its own scope");

    let home_url = home.serve(SchoolAccounts::admin());
    let here = school.add_class(&server, "from the genuine caller");
    server.sync(&home_url, &Papers::genuine().certificate(), SyncOptions::both_ways());
    assert!(home.store().contains_key(&here), "and as a caller");

    let class = below_the_genuine();
    let below = device_with("class", &class);
    below.sync(&home_url, &class.certificate(), SyncOptions::both_ways());
    assert!(below.store().contains_key(&here), "and so have those below it");
    home.fall_silent();
}

/// The papers of a device that the genuine server let in.
fn below_the_genuine() -> Papers {
    let params = json!({ "dataset_id": Papers::genuine().dataset() });
    Papers::genuine().child(&keys().member, "class", FULL_FACILITY, &params)
}

#[test]
fn a_certificate_with_the_id_of_another_does_not_lock_the_genuine_one_out() {
    let school = School::open();
    let (mut home, papers) = home_of_its_own();
    let liar = counterfeiter(&school.url);
    let whole = Filter::new([papers.dataset()]).expect("a prefix");
    home.sync(&liar.url(), &papers.certificate(), SyncOptions::both_ways().filter(whole));
    assert!(liar.seen().iter().filter(|call| *call == "GET certificates/").count() > 1, "it was asked for the chain");
    assert!(
        home.storage().certificate(&Papers::genuine().id()).expect("it can be read").is_none(),
        "nobody proved its key"
    );
    assert_knows_the_genuine(&school, &mut home, &papers);
    school.assert_works_on();
}

#[test]
fn a_certificate_in_the_place_of_the_genuine_one_makes_room_when_its_owner_comes() {
    let school = School::open();
    // As a server: the counterfeit is kept, with no key of its owner's, as by an earlier version.
    let (mut home, papers) = home_of_its_own();
    home.storage().save_certificates(&Papers::counterfeit().certificates(), None).expect("certificates are kept");
    assert_knows_the_genuine(&school, &mut home, &papers);

    // As a caller, and before it comes itself somebody below it.
    let (mut home, papers) = home_of_its_own();
    home.sync(&school.url, &papers.certificate(), SyncOptions::pull());
    home.storage().save_certificates(&Papers::counterfeit().certificates(), None).expect("certificates are kept");
    let url = home.serve(SchoolAccounts::admin());
    let class = below_the_genuine();
    for papers in [class, Papers::genuine()] {
        let device = device_with("caller", &papers);
        device.sync(&url, &papers.certificate(), SyncOptions::both_ways());
        let class = school.add_class(&device, "from the caller");
        // By now it shows its last certificate only, and its whole chain where that is refused.
        home.storage().save_certificates(&Papers::counterfeit().certificates(), None).expect("certificates are kept");
        device.sync(&url, &papers.certificate(), SyncOptions::push());
        assert!(home.store().contains_key(&class), "it is not held to the counterfeit's scope");
    }
    school.assert_works_on();
}

/// Whoever stands between can have the genuine server sign, and show the counterfeit beside its signature.
#[test]
fn a_counterfeit_does_not_break_the_chain_of_a_device_below_the_genuine_one() {
    let school = School::open();
    let mut server = device_with("server", &Papers::genuine());
    server.sync(&school.url, &Papers::genuine().certificate(), SyncOptions::pull());
    let liar = counterfeiter(&server.serve(SchoolAccounts::admin()));
    let class = below_the_genuine();
    let below = device_with("class", &class);
    let options = SyncOptions::pull().server_certificate(Papers::genuine().id());
    below.engine.sync(&impatient(&liar.url()), &class.certificate(), options).expect("within the counterfeit's scope");
    let query = CertificateQuery::AncestorsOf { id: class.id(), profile: None };
    let chain = below.storage().certificates(&query).expect("it can be read");
    let chain: Vec<_> = chain.into_iter().map(|stored| stored.certificate).collect();
    assert_eq!(chain, class.certificates());
    below.sync(&school.url, &class.certificate(), SyncOptions::both_ways());
}

#[test]
fn a_certificate_is_granted_below_the_genuine_one_though_another_is_in_its_place() {
    let school = School::open();
    let mut server = device_with("server", &Papers::genuine());
    server.sync(&school.url, &Papers::genuine().certificate(), SyncOptions::pull());
    let url = server.serve(SchoolAccounts::admin());
    let device = Device::on(ON, "tablet");
    device.storage().save_certificates(&Papers::counterfeit().certificates(), None).expect("certificates are kept");
    let dataset = Papers::genuine().dataset();
    let credentials = morango::port::Credentials::new("admin", "secret");
    let params = [("dataset_id", dataset.as_str())];
    let granted = device
        .engine
        .request_certificate(&impatient(&url), Papers::genuine().id(), FULL_FACILITY, &params, &credentials)
        .expect("the genuine one may grant it");
    // The city knows nobody of that chain but the root.
    device.sync(&school.url, &granted, SyncOptions::both_ways());
}

#[test]
fn a_certificate_that_differs_from_the_one_asked_for_is_not_kept() {
    let school = School::open();
    let home = member("home");
    let root = Papers::root();
    let stranger = keys().stranger.public_key();
    let stored = home.engine.certificates().expect("certificates can be listed").len();
    let changes: [(&str, Change); 6] = [
        ("another key", |body, key| {
            body.public_key_string = key.as_str().to_owned();
            body.id = morango::identity::certificate_id(key, &body.profile, body.salt.as_deref());
        }),
        ("another learner", |body, _| {
            body.scope_params = body.scope_params.replace("\"ada\"", "\"ben\"");
        }),
        ("another scope", |body, _| body.scope_definition_id = FULL_FACILITY.to_owned()),
        ("another id", |body, _| body.id = Papers::root().id()),
        ("another parent", |body, _| body.parent_id = Some(Papers::member().id())),
        ("another profile", |body, _| body.profile = "elsewhere".to_owned()),
    ];
    for (how, change) in changes {
        println!("{how}");
        let (key, stranger) = (root.key.clone(), stranger.clone());
        let proxy = Proxy::start(&school.url, move |request, onward| {
            let reply = onward.forward(request);
            if request.call() != "POST certificates/" {
                return reply;
            }
            reply.change(|answer| {
                let signed = answer.value()["serialized"].as_str().expect("a text").to_owned();
                let mut body = serde_json::from_str(&signed).expect("a certificate");
                change(&mut body, &stranger);
                let Value::Array(forged) = chain_value(&[forge(&body, &key)]) else { unreachable!("a list") };
                answer.with_value(&forged[0])
            })
        });
        let params = [("dataset_id", root.dataset()), ("user_id", "ada".to_owned())];
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let peer = impatient(&proxy.url());
        let credentials = morango::port::Credentials::new("admin", "secret");
        let error = home
            .engine
            .request_certificate(&peer, root.id(), SINGLE_USER, &params, &credentials)
            .expect_err("it is not what was asked for");
        assert!(
            matches!(error.kind(), ErrorKind::CertificateInvalid | ErrorKind::PeerAnswerUnexpected),
            "{how}: {error:?}"
        );
    }
    assert_eq!(home.engine.certificates().expect("certificates can be listed").len(), stored);
    school.assert_syncs(&home);
}
