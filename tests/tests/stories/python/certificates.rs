//! Who is given which certificate.
//!
//! Goal: a certificate signed by either side holds on the other, and nobody is given more than they may have. Method: the
//! client asks the server over HTTP with a name and a password.

use morango::port::CertificateQuery;
use morango_examples::school::{FULL_FACILITY, SINGLE_USER};
use serde_json::{Value, json};

use super::meeting::{Caller, Cast, Meeting};
use super::school::{School, furnish};

/// A school with two learners, one of whom has an account.
fn with_learners(cast: Cast) -> (Meeting, School) {
    let mut meeting = Meeting::of_strangers(cast, &[]);
    let dataset = meeting.dataset.clone();
    let school = furnish(&mut meeting.server(), &dataset);
    meeting.open(Some(("ada", &school.ada)));
    (meeting, school)
}

/// The certificates below the root that the client holds: id, parent, scope, and whether it has the key.
fn held_by_client(meeting: &mut Meeting, id: &str) -> Vec<(String, Option<String>, String, bool)> {
    let mut held: Vec<_> = match meeting.cast.caller {
        Caller::Rust => {
            let query = CertificateQuery::AncestorsOf { id: id.parse().expect("an id"), profile: None };
            let stored = meeting.rust.storage().certificates(&query).expect("the certificates can be listed");
            let told = stored.iter().map(|stored| {
                let certificate = &stored.certificate;
                let parent = certificate.parent_id().map(|id| id.to_string());
                let scope = certificate.scope_definition_id().to_owned();
                (certificate.id().to_string(), parent, scope, stored.has_private_key)
            });
            told.collect()
        }
        Caller::Python => {
            let Value::Array(listed) = meeting.python.run("certificates", json!({})) else { panic!("a list") };
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let told = listed.iter().map(|certificate| {
                let scope = text(&certificate["scope_definition"]).expect("a scope");
                let has_key = certificate["has_private_key"].as_bool().expect("yes or no");
                (text(&certificate["id"]).expect("an id"), text(&certificate["parent"]), scope, has_key)
            });
            told.collect()
        }
    };
    held.sort();
    held
}

fn assert_holds(meeting: &mut Meeting, id: &str, scope: &str) {
    let root = meeting.dataset.clone();
    let mut expected = vec![
        (root.clone(), None, FULL_FACILITY.to_owned(), false),
        (id.to_owned(), Some(root), scope.to_owned(), true),
    ];
    expected.sort();
    assert_eq!(held_by_client(meeting, id), expected);
}

pub(super) fn an_administrator_is_given_the_whole_school(cast: Cast) {
    let (mut meeting, _) = with_learners(cast);

    let id = meeting.request(FULL_FACILITY, None, "admin", "secret").expect("the certificate is given");

    assert_holds(&mut meeting, &id, FULL_FACILITY);
    assert!(meeting.pull() > 0);
}

pub(super) fn a_learner_is_given_their_own_scope(cast: Cast) {
    let (mut meeting, school) = with_learners(cast);

    let id = meeting.request(SINGLE_USER, Some(&school.ada), "ada", "secret").expect("the certificate is given");

    assert_holds(&mut meeting, &id, SINGLE_USER);
    assert!(meeting.pull() > 0);
}

pub(super) fn a_learner_is_refused_the_scope_of_another(cast: Cast) {
    let (mut meeting, school) = with_learners(cast);

    assert_eq!(meeting.request(SINGLE_USER, Some(&school.bert), "ada", "secret"), Err(403));
    assert_eq!(meeting.request(FULL_FACILITY, None, "ada", "secret"), Err(403));

    if cast.caller == Caller::Rust {
        assert!(meeting.rust.engine.certificates().expect("a list").is_empty(), "no key is kept of what was refused");
    }
}

pub(super) fn a_wrong_password_is_refused(cast: Cast) {
    let (mut meeting, school) = with_learners(cast);

    let status = meeting.request(SINGLE_USER, Some(&school.ada), "ada", "guessed").expect_err("the password is wrong");

    assert!(matches!(status, 401 | 403), "refused with {status}");
}
