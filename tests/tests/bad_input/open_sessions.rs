//! Sessions that somebody else has open. Whoever was let into a session shows its id from then on and nothing else: existing peers do
//! so, and expect it. So the id is the key to it. It opens what the session's own certificates allow, for as long as it is open, and
//! nobody learns it from us.

use morango::id::InstanceId;
use morango::session::Direction;
use morango_examples::school::SINGLE_USER;
use serde_json::{Value, json};

use super::papers::{Papers, keys};
use super::school::School;
use super::visitor::{Visitor, assert_refused, id_of};

/// A learner's session that somebody else would like to have.
struct Open {
    ada: Visitor,
    session: String,
    /// A pull of what is for everybody, with its records queued.
    pull: String,
}

impl Open {
    fn at(school: &School) -> Self {
        let ada = school.visitor_with(Papers::learner("ada"));
        let session = ada.open_session();
        let (pull, answer) =
            ada.request_transfer(&session, Direction::Pull, &format!("{}:allusers-ro", school.dataset));
        assert_eq!(answer.status, 201);
        ada.proceed(&pull, "queuing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
        Self { ada, session, pull }
    }

    fn paths(&self) -> [String; 2] {
        [format!("syncsessions/{}/", self.session), format!("transfersessions/{}/", self.pull)]
    }

    /// How the session stands, as its owner sees it.
    fn standing(&self) -> [Value; 2] {
        self.paths().map(|path| {
            let answer = self.ada.get(&path);
            assert_eq!(answer.status, 200, "it is open");
            answer.value()
        })
    }

    /// Asserts that its owner can go on and end it well.
    fn assert_goes_on(&self) {
        let answer = self.ada.get(&format!("buffers/?transfer_session_id={}", self.pull));
        assert_eq!(answer.status, 200);
        assert!(answer.value().as_array().is_some_and(|records| records.len() >= 2), "{}", answer.value());
        for path in self.paths().iter().rev() {
            assert_eq!(self.ada.delete(path).status, 204, "{path}");
        }
    }
}

/// Another learner, with another key.
fn ben(school: &School) -> Visitor {
    let member = Papers::member();
    let params = json!({ "dataset_id": member.dataset(), "user_id": "ben" });
    school.visitor_with(member.child(&keys().stranger, "of ben", SINGLE_USER, &params))
}

#[test]
fn whoever_knows_the_id_of_an_open_session_has_what_its_own_certificates_allow_and_only_while_it_is_open() {
    let school = School::open();
    let (dataset, before) = (school.dataset, school.holding());
    let (open, ben) = (Open::at(&school), ben(&school));

    // Ben reads what Ada was about to read: that is what the id of an open session is worth in this protocol.
    for path in open.paths() {
        assert_eq!(ben.get(&path).status, 200, "{path}");
    }
    let answer = ben.get(&format!("buffers/?transfer_session_id={}", open.pull));
    assert!(answer.value().as_array().is_some_and(|records| records.len() >= 2));

    // It is Ada's certificate that counts there. Nothing that Ada may not do can be done in her session, whatever Ben may do elsewhere.
    for direction in [Direction::Pull, Direction::Push] {
        for filter in [dataset.to_string(), format!("{dataset}:user-rw:ben"), format!("{dataset}:user-ro")] {
            let (_, answer) = ben.request_transfer(&open.session, direction, &filter);
            assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
        }
    }
    let filter = format!("{dataset}:user-rw:ada");
    let (push, answer) = ben.request_transfer(&open.session, Direction::Push, &filter);
    assert_eq!(answer.status, 201, "Ada may write there");
    ben.proceed(&push, "serializing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
    ben.proceed(&push, "queuing", &json!({ "records_total": 3 }));
    let within = ben.record(&push, &filter, "in Ada's name");
    let outside = [format!("{dataset}:user-rw:ben"), format!("{dataset}:allusers-ro")]
        .map(|partition| ben.record(&push, &partition, "beyond Ada's certificate"));
    assert_eq!(ben.push(&[within.clone(), outside[0].clone(), outside[1].clone()]).status, 201);
    ben.finish_push(&push);
    let store = school.city.store();
    assert!(store.contains_key(&id_of(&within)), "the same as if Ada had sent it");
    assert!(!outside.iter().any(|record| store.contains_key(&id_of(record))), "set aside");

    // Whoever may speak in a session may end it; from then on its ids open nothing to anybody.
    for path in open.paths().iter().rev() {
        assert_eq!(ben.delete(path).status, 204, "{path}");
    }
    for visitor in [&ben, &open.ada] {
        for path in open.paths() {
            assert_refused(&visitor.get(&path), 404, "session-unknown", "");
        }
        let answer = visitor.get(&format!("buffers/?transfer_session_id={}", open.pull));
        assert_refused(&answer, 404, "session-unknown", "");
        assert_refused(&visitor.push(std::slice::from_ref(&within)), 404, "session-unknown", "");
        let (_, answer) = visitor.request_transfer(&open.session, Direction::Pull, &filter);
        assert_refused(&answer, 404, "session-unknown", "");
    }
    let kept: Vec<_> = school.holding().0.into_iter().filter(|(id, _)| before.0.contains_key(id)).collect();
    assert_eq!(kept, before.0.into_iter().collect::<Vec<_>>(), "what was there is as it was");
    // Ada opens another, as after any session that ended early.
    Open::at(&school).assert_goes_on();
    school.assert_works_on();
}

#[test]
fn the_ids_of_open_sessions_are_told_to_nobody_and_no_other_id_opens_them() {
    let school = School::open();
    let before = school.holding();
    let (open, ben) = (Open::at(&school), ben(&school));
    let standing = open.standing();

    // Nothing that Ben may ask for without them has them in it.
    let (own_session, own_pull) =
        (ben.open_session(), ben.open_transfer(Direction::Pull, &format!("{}:allusers-ro", school.dataset)));
    for path in [
        "morangoinfo/1/".to_owned(),
        "certificates/".to_owned(),
        format!("certificates/?primary_partition={}", school.dataset),
        "syncsessions/".to_owned(),
        "transfersessions/".to_owned(),
        "buffers/".to_owned(),
        "buffers/?transfer_session_id=".to_owned(),
        format!("syncsessions/{own_session}/"),
        format!("transfersessions/{own_pull}/"),
        format!("buffers/?transfer_session_id={own_pull}"),
    ] {
        let answer = ben.get(&path);
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains(&open.session) && !text.contains(&open.pull), "{path}: {text}");
    }

    // An id that is nearly right is as good as none, and so is one of another kind.
    let near = |id: &str| -> Vec<String> {
        let change = |at: usize| {
            let digit = if &id[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &id[..at], &id[at + 1..])
        };
        (0..id.len()).map(change).collect()
    };
    let mut sessions = near(&open.session);
    sessions.extend([open.pull.clone(), Papers::learner("ada").id().to_string(), school.dataset.to_string()]);
    let mut transfers = near(&open.pull);
    transfers.extend([open.session.clone(), InstanceId::hash_of("the visitor's instance").to_string()]);
    for id in sessions {
        let path = format!("syncsessions/{id}/");
        assert_refused(&ben.get(&path), 404, "session-unknown", &id);
        assert_refused(&ben.delete(&path), 404, "session-unknown", &id);
        let (_, answer) = ben.request_transfer(&id, Direction::Pull, &format!("{}:allusers-ro", school.dataset));
        assert_refused(&answer, 404, "session-unknown", &id);
    }
    for id in transfers {
        let path = format!("transfersessions/{id}/");
        assert_refused(&ben.get(&path), 404, "session-unknown", &id);
        assert_refused(&ben.patch(&path, &json!({ "transfer_stage": "cleanup" })), 404, "session-unknown", &id);
        assert_refused(&ben.delete(&path), 404, "session-unknown", &id);
        assert_refused(&ben.get(&format!("buffers/?transfer_session_id={id}")), 404, "session-unknown", &id);
        let record = ben.record(&id, &format!("{}:user-rw:ben", school.dataset), "lost");
        assert_refused(&ben.push(&[record]), 404, "session-unknown", &id);
    }
    assert_eq!(open.standing(), standing, "the session of another has not moved");
    assert_eq!(school.holding(), before);
    open.assert_goes_on();
    school.assert_works_on();
}

#[test]
fn a_session_of_ones_own_gives_nothing_of_the_session_of_another() {
    let school = School::open();
    let (dataset, before) = (school.dataset, school.holding());
    let (open, ben) = (Open::at(&school), ben(&school));
    let standing = open.standing();
    let own = ben.open_session();

    // Ben has the ids and shows them under his own certificate: as his own sync session, and as a transfer session within his.
    let nonce = ben.nonce();
    let mut request = ben.session_request();
    request["id"] = json!(open.session);
    request["signature"] = json!(ben.papers.key.sign(&format!("{nonce}:{}", open.session)).expect("a sound key signs"));
    request["nonce"] = json!(nonce);
    assert_refused(&ben.post("syncsessions/", &request), 409, "session-conflict", &open.session);
    for (push, filter) in [(false, "allusers-ro"), (false, "user-rw:ben"), (true, "user-rw:ben")] {
        let request = json!({
            "id": open.pull, "filter": format!("{dataset}:{filter}"), "push": push, "sync_session_id": own,
            "client_fsic": "{}",
        });
        assert_refused(&ben.post("transfersessions/", &request), 409, "session-conflict", &open.pull);
    }
    for direction in [Direction::Pull, Direction::Push] {
        let (_, answer) = ben.request_transfer(&own, direction, &format!("{dataset}:user-rw:ada"));
        assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
    }

    // What Ben sends in a session of his own is measured by his own filter, and stays there.
    let filter = format!("{dataset}:user-rw:ben");
    let push = ben.open_push(&filter, 2);
    let good = ben.record(&push, &filter, "his own");
    let of_ada = ben.record(&push, &format!("{dataset}:user-rw:ada"), "hers");
    let for_her = ben.record(&open.pull, &filter, "into her session");
    assert_refused(&ben.push(&[good.clone(), for_her]), 400, "message-malformed", "another session's");
    assert_eq!(ben.push(&[good.clone(), of_ada.clone()]).status, 201);
    ben.finish_push(&push);
    let store = school.city.store();
    assert!(store.contains_key(&id_of(&good)) && !store.contains_key(&id_of(&of_ada)));

    assert_eq!(open.standing(), standing, "the session of another has not moved");
    assert_eq!(ben.delete(&format!("syncsessions/{own}/")).status, 204);
    open.assert_goes_on();
    let kept: Vec<_> = school.holding().0.into_iter().filter(|(id, _)| before.0.contains_key(id)).collect();
    assert_eq!(kept, before.0.into_iter().collect::<Vec<_>>(), "what was there is as it was");
    school.assert_works_on();
}
