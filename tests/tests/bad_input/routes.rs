//! Calls that are none: paths, methods, ids and stages that do not exist.

use morango::id::TransferSessionId;
use morango::session::Direction;
use morango_tests::http::Request;
use serde_json::json;

use super::school::School;
use super::visitor::assert_refused;

#[test]
fn an_unknown_path_is_a_404_in_json() {
    let school = School::open();
    let visitor = school.visitor();
    for path in ["", "nothing/", "nonces/more/", "syncsessions/a/b/", "../../etc/passwd", "%2e%2e/"] {
        let answer = visitor.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.value()["code"], "not-found", "{path}");
        assert!(answer.value()["detail"].is_string(), "{path}: {}", answer.value());
    }
    // What is not below the protocol's path is the application's.
    for path in ["/", "/api/morango/v2/nonces/", "/etc/passwd"] {
        assert_eq!(visitor.get(path).status, 404, "{path}");
    }
    school.assert_works_on();
}

#[test]
fn a_method_that_a_path_does_not_have_is_a_405() {
    let school = School::open();
    let visitor = school.visitor();
    let id = TransferSessionId::random();
    for (method, path) in [
        ("POST", "morangoinfo/1/".to_owned()),
        ("GET", "nonces/".to_owned()),
        ("DELETE", "certificates/".to_owned()),
        ("PUT", "certificates/".to_owned()),
        ("PUT", "syncsessions/".to_owned()),
        ("PATCH", format!("syncsessions/{id}/")),
        ("POST", format!("transfersessions/{id}/")),
        ("DELETE", "buffers/".to_owned()),
        ("PATCH", "buffers/".to_owned()),
    ] {
        let answer = visitor.send(Request::new(method, &path).json(&json!({})));
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.value()["code"], "method-not-allowed", "{method} {path}");
        assert!(answer.value()["detail"].is_string(), "{method} {path}");
    }
    school.assert_works_on();
}

#[test]
fn a_session_that_is_unknown_or_closed_is_a_404() {
    let school = School::open();
    let visitor = school.visitor();
    let session = visitor.open_session();
    let (transfer, answer) = visitor.request_transfer(&session, Direction::Pull, &school.dataset.to_string());
    assert_eq!(answer.status, 201);
    let (transfer_path, session_path) = (format!("transfersessions/{transfer}/"), format!("syncsessions/{session}/"));
    assert_eq!(visitor.delete(&transfer_path).status, 204);

    for path in [transfer_path, format!("transfersessions/{}/", TransferSessionId::random())] {
        assert_refused(&visitor.get(&path), 404, "session-unknown", "transfer session");
        assert_refused(&visitor.patch(&path, &json!({ "transfer_stage": "queuing" })), 404, "session-unknown", "");
        assert_refused(&visitor.delete(&path), 404, "session-unknown", "transfer session");
    }
    let chunk = format!("buffers/?transfer_session_id={transfer}&limit=10&offset=0");
    assert_refused(&visitor.get(&chunk), 404, "session-unknown", "transfer session");
    let record = visitor.record(&transfer, &school.dataset.to_string(), "late");
    assert_refused(&visitor.push(&[record]), 404, "session-unknown", "transfer session");

    let (closed_with_it, _) = visitor.request_transfer(&session, Direction::Pull, &school.dataset.to_string());
    assert_eq!(visitor.delete(&session_path).status, 204);
    assert_refused(&visitor.get(&session_path), 404, "session-unknown", "sync session");
    assert_refused(&visitor.delete(&session_path), 404, "session-unknown", "sync session");
    assert_refused(&visitor.get(&format!("transfersessions/{closed_with_it}/")), 404, "session-unknown", "");
    let (_, answer) = visitor.request_transfer(&session, Direction::Pull, &school.dataset.to_string());
    assert_refused(&answer, 404, "session-unknown", "sync session");
    school.assert_works_on();
}

#[test]
fn what_is_no_id_is_no_session() {
    let school = School::open();
    let visitor = school.visitor();
    for id in ["x", "0123", "..", "%00", "'", "0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef-123456789abcdef"] {
        for kind in ["syncsessions", "transfersessions"] {
            let answer = visitor.get(&format!("{kind}/{id}/"));
            assert!(matches!(answer.status, 400 | 404), "{kind} {id}: {}", answer.status);
            assert!(answer.value()["detail"].is_string());
        }
        let answer = visitor.get(&format!("buffers/?transfer_session_id={id}"));
        assert!(matches!(answer.status, 400 | 404), "{id}: {}", answer.status);
    }
    school.assert_works_on();
}

#[test]
fn a_stage_that_does_not_exist_is_a_malformed_message_and_the_session_goes_on() {
    let school = School::open();
    let visitor = school.visitor();
    let transfer = visitor.open_transfer(Direction::Pull, &school.dataset.to_string());
    let path = format!("transfersessions/{transfer}/");
    for body in [
        json!({ "transfer_stage": "serialising" }),
        json!({ "transfer_stage": "QUEUING" }),
        json!({ "transfer_stage": 3 }),
        json!({ "transfer_stage": "queuing", "records_total": -1 }),
        json!({ "transfer_stage": "queuing", "records_transferred": "many" }),
        json!({ "transfer_stage": "queuing", "bytes_sent": 1e300 }),
        json!({ "transfer_stage": "queuing", "client_fsic": {} }),
        json!({ "transfer_stage": "queuing", "client_fsic": "no JSON" }),
        json!({ "transfer_stage": "queuing", "client_fsic": r#"{"sub": {"": {"x": 1}}}"# }),
        json!([]),
        json!("queuing"),
    ] {
        assert_refused(&visitor.patch(&path, &body), 400, "message-malformed", "read");
    }
    let session = visitor.proceed(&transfer, "queuing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
    assert!(session["records_total"].as_u64().is_some_and(|total| total > 0), "{session}");
    // To go back is to stay.
    let answer = visitor.patch(&path, &json!({ "transfer_stage": "initializing" }));
    assert_eq!((answer.status, &answer.value()["transfer_stage"]), (200, &json!("queuing")));
    school.assert_works_on();
}

#[test]
fn counters_from_outside_the_filter_are_refused() {
    let school = School::open();
    let visitor = school.visitor();
    let before = school.holding();
    let dataset = school.dataset.to_string();
    let instance = super::visitor::instance();
    for counters in [
        json!({ "sub": { "": { &instance: 5 } }, "super": {} }),
        json!({ "sub": { "elsewhere": { &instance: 5 } }, "super": {} }),
        json!({ "sub": { &dataset: { &instance: -5 } }, "super": {} }),
        json!({ "sub": { &dataset: { &instance: i64::MAX } }, "super": {} }),
        json!({ "sub": { &dataset: { "no id": 5 } }, "super": {} }),
    ] {
        let transfer = visitor.open_transfer(Direction::Push, &dataset);
        let path = format!("transfersessions/{transfer}/");
        let mut answer =
            visitor.patch(&path, &json!({ "transfer_stage": "serializing", "client_fsic": counters.to_string() }));
        while answer.status == 200 && answer.value()["transfer_stage_status"] == "started" {
            answer = visitor.get(&path);
        }
        let is_refused = matches!(answer.status, 400 | 403);
        let has_failed = answer.status == 200 && answer.value()["transfer_stage_status"] == "errored";
        assert!(is_refused || has_failed, "{counters}: {} {}", answer.status, answer.value());
    }
    let is_theirs = |(_, saved_by, _): &(String, String, i64)| *saved_by == instance;
    assert!(!school.city.counters().iter().any(is_theirs), "nothing of it is believed");
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_session_goes_one_way() {
    let school = School::open();
    let visitor = school.visitor();
    let dataset = school.dataset.to_string();
    let pull = visitor.open_transfer(Direction::Pull, &dataset);
    visitor.proceed(&pull, "queuing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
    let record = visitor.record(&pull, &dataset, "against the current");
    assert_refused(&visitor.push(&[record]), 409, "session-conflict", "");
    let push = visitor.open_push(&dataset, 1);
    assert_refused(&visitor.get(&format!("buffers/?transfer_session_id={push}")), 409, "session-conflict", "");
    school.assert_works_on();
}

#[test]
fn a_page_that_is_none_is_refused_and_one_past_the_end_is_empty() {
    let school = School::open();
    let visitor = school.visitor();
    let transfer = visitor.open_transfer(Direction::Pull, &school.dataset.to_string());
    visitor.proceed(&transfer, "queuing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
    let page = |query: &str| visitor.get(&format!("buffers/?transfer_session_id={transfer}&{query}"));
    for query in ["limit=no", "limit=-1", "limit=10&offset=-1", "limit=10&offset=99999999999999999999999"] {
        let answer = page(query);
        assert_refused(&answer, 400, "invalid-input", "");
    }
    let past = page("limit=10&offset=1000000");
    assert_eq!((past.status, past.value()["results"].as_array().map(Vec::len)), (200, Some(0)));
    let all = page("limit=999999999&offset=0");
    assert!(all.value()["results"].as_array().is_some_and(|records| records.len() >= 3));
    assert_refused(&visitor.get("buffers/"), 400, "invalid-input", "transfer_session_id");
    school.assert_works_on();
}
