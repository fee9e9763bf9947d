//! Filters that reach outside the scopes, by plain asking and by tricks with prefixes.

use std::collections::BTreeSet;

use morango::ErrorKind;
use morango::prelude::*;
use morango::scope::Filter;
use morango::session::Direction;
use morango_tests::proxy::Proxy;
use serde_json::{Value, json};

use super::papers::Papers;
use super::school::{School, device_with, failure, holding, impatient, member};
use super::visitor::{assert_refused, id_of};

/// Filters that no learner may push or pull, whoever they are.
fn outside(dataset: &str) -> Vec<String> {
    let mut filters = vec![
        String::new(),
        " \n ".to_owned(),
        dataset.to_owned(),
        format!("{dataset}:"),
        format!("{dataset}:user-r"),
        format!("{dataset}:user-rw"),
        format!("{dataset}:user-rw:"),
        format!("{dataset}:user-rw:ben"),
        format!("{dataset}:user-rw:ad"),
        format!("{dataset}:user-rw:Ada"),
        format!("{}:user-rw:ada", dataset.to_uppercase()),
        format!("{dataset}:USER-RW:ada"),
        format!("{dataset}:user_rw:ada"),
        format!("{dataset}:user-rw:%"),
        format!("{dataset}:user-rw:___"),
        format!("{dataset}:user-rw:*"),
        format!("{dataset}%"),
        "%".to_owned(),
        "_".to_owned(),
        "' OR '1'='1".to_owned(),
        format!("{dataset}:user-rw:${{user_id}}"),
        "${dataset_id}".to_owned(),
        // One prefix that is allowed does not let another in.
        format!("{dataset}:user-rw:ada\n{dataset}:user-rw:ben"),
        format!("{dataset}:user-rw:ada {dataset}"),
    ];
    filters.push(format!("{dataset}:user-rw:ben\n{dataset}:user-rw:ada"));
    filters
}

#[test]
fn a_filter_outside_the_scopes_is_refused_for_push_and_pull() {
    let school = School::open();
    let before = school.holding();
    let dataset = school.dataset.to_string();
    let learner = school.visitor_with(Papers::learner("ada"));
    let session = learner.open_session();
    for direction in [Direction::Push, Direction::Pull] {
        for filter in outside(&dataset) {
            println!("{direction} {filter:?}");
            let (id, answer) = learner.request_transfer(&session, direction, &filter);
            assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
            assert_refused(&learner.get(&format!("transfersessions/{id}/")), 404, "session-unknown", &id);
        }
    }
    for (direction, allowed, refused) in [
        (Direction::Pull, "allusers-ro", "user-wo:ada"),
        (Direction::Push, "user-wo:ada", "allusers-ro"),
        (Direction::Pull, "user-ro:ada", "user-wo:ada"),
        (Direction::Push, "user-rw:ada", "user-ro:ada"),
    ] {
        let session = learner.open_session();
        let (_, answer) = learner.request_transfer(&session, direction, &format!("{dataset}:{refused}"));
        assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
        let (_, answer) = learner.request_transfer(&session, direction, &format!("{dataset}:{allowed}:more"));
        assert!(matches!(answer.status, 201 | 202), "{direction} {allowed}");
    }
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_filter_outside_the_scope_in_which_the_server_speaks_is_refused_too() {
    let school = School::open();
    let before = school.holding();
    let dataset = school.dataset.to_string();
    // The city speaks for Ada only, to somebody who may have the whole school.
    let ada = Papers::learner("ada");
    let key = Some((&ada.body.id, &ada.key));
    school.city.storage().save_certificates(&ada.certificates(), key).expect("certificates are kept");
    let visitor = school.visitor();
    let mut request = visitor.session_request();
    request["server_certificate_id"] = json!(ada.id().to_string());
    assert_eq!(visitor.post("syncsessions/", &request).status, 201);
    let session = request["id"].as_str().expect("a text");

    for (direction, path) in [
        // What she may read and not write does not come from her; what she may write and not read does not go to her.
        (Direction::Pull, "allusers-ro"),
        (Direction::Pull, "user-ro:ada"),
        (Direction::Pull, "user-rw:ben"),
        (Direction::Push, "user-wo:ada"),
        (Direction::Push, "user-ro:ben"),
    ] {
        let (_, answer) = visitor.request_transfer(session, direction, &format!("{dataset}:{path}"));
        assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
    }
    for direction in [Direction::Pull, Direction::Push] {
        let (_, answer) = visitor.request_transfer(session, direction, &dataset);
        assert_refused(&answer, 403, "filter-outside-scope", "does not allow it");
        let (_, answer) = visitor.request_transfer(session, direction, &format!("{dataset}:user-rw:ada"));
        assert!(matches!(answer.status, 201 | 202), "{direction}");
    }
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_filter_without_end_is_refused_before_anything_is_done_with_it() {
    let school = School::open();
    let visitor = school.visitor();
    let session = visitor.open_session();
    let dataset = school.dataset.to_string();
    let many: Vec<String> = (0..20_000).map(|number| format!("{dataset}:{number}")).collect();
    for filter in [many.join("\n"), format!("{dataset}:{}", "x".repeat(100_000))] {
        let (_, answer) = visitor.request_transfer(&session, Direction::Pull, &filter);
        assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
        assert!(answer.body.len() < 2_000, "the filter is not said again");
    }
    school.assert_works_on();
}

#[test]
fn a_prefix_finds_what_begins_with_it_letter_by_letter() {
    let school = School::open();
    let dataset = school.dataset.to_string();
    let admin = school.visitor();
    let push = admin.open_push(&dataset, 8);
    let names = ["a_b", "axb", "A_B", "a%b", "a_b:deeper", "a_bc", "a", "a\u{301}_b"];
    let records: Vec<Value> =
        names.iter().map(|name| admin.record(&push, &format!("{dataset}:user-rw:{name}"), name)).collect();
    assert_eq!(admin.push(&records).status, 201);
    admin.finish_push(&push);
    assert!(records.iter().all(|record| school.city.store().contains_key(&id_of(record))));

    for (learner, seen) in [
        ("a_b", vec!["a_b", "a_b:deeper", "a_bc"]),
        ("axb", vec!["axb"]),
        ("A_B", vec!["A_B"]),
        ("a%b", vec!["a%b"]),
        ("%", vec![]),
        ("_", vec![]),
        ("'", vec![]),
    ] {
        let pulled = school.visitor_with(Papers::learner(learner)).pull(&format!("{dataset}:user-rw:{learner}"));
        let pulled: BTreeSet<&str> = pulled.iter().filter_map(|record| record["source_id"].as_str()).collect();
        assert_eq!(pulled, seen.into_iter().collect(), "{learner}");
    }
    school.assert_works_on();
}

#[test]
fn a_client_does_not_ask_for_what_its_certificate_does_not_hold() {
    let school = School::open();
    let learner = Papers::learner("ada");
    let home = device_with("home", &learner);
    let before = holding(&home);
    let dataset = school.dataset.to_string();
    let server = Proxy::start(&school.url, |request, onward| onward.forward(request));
    for options in [SyncOptions::pull(), SyncOptions::push(), SyncOptions::both_ways()] {
        for filter in [dataset.clone(), format!("{dataset}:user-rw:ben"), format!("{dataset}:USER-RW:ada")] {
            let options = options.clone().filter(Filter::new([filter]).expect("a filter"));
            let error = home
                .engine
                .sync(&impatient(&server.url()), &learner.certificate(), options)
                .expect_err("it may not be synced");
            assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
            assert!(error.is_permission() && error.hint().is_some(), "{error:?}");
        }
    }
    let seen = server.seen();
    assert!(!seen.iter().any(|call| call.contains("transfersessions")), "it is not even asked: {seen:?}");
    assert_eq!(holding(&home), before);
    school.assert_works_on();
}

#[test]
fn a_server_that_makes_another_filter_of_the_one_asked_for_is_not_followed() {
    let school = School::open();
    let learner = Papers::learner("ada");
    let home = device_with("home", &learner);
    let before = holding(&home);
    let dataset = school.dataset.to_string();
    let other = Papers::root_of(&super::papers::keys().stranger).dataset();
    let asked = format!("{dataset}:allusers-ro");
    for answered in
        [String::new(), other.clone(), format!("{asked}\n{other}"), dataset[..8].to_owned(), format!("{asked}:less")]
    {
        let made = answered.clone();
        let proxy = Proxy::start(&school.url, move |request, onward| {
            let reply = onward.forward(request);
            if request.call() != "POST transfersessions/" {
                return reply;
            }
            let made = made.clone();
            reply.change(move |answer| {
                let mut body = answer.value();
                body["filter"] = json!(made);
                answer.with_value(&body)
            })
        });
        let options = SyncOptions::pull().filter(Filter::new([asked.clone()]).expect("a filter"));
        let error = home
            .engine
            .sync(&impatient(&proxy.url()), &learner.certificate(), options)
            .expect_err("nobody asked for that");
        assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected, "{answered:?}: {error:?}");
    }
    assert_eq!(holding(&home), before);
    school.assert_works_on();
}

#[test]
fn a_client_is_told_that_the_server_refuses_its_filter() {
    let school = School::open();
    let home = member("home");
    // The server is asked for more than the client wants, as if it did not know its own scope.
    let proxy = Proxy::start(&school.url, |request, onward| {
        let mut request = request.clone();
        if request.call() == "POST transfersessions/" {
            let mut body = request.value();
            body["filter"] = json!("");
            request.body = body.to_string().into_bytes();
        }
        onward.forward(&request)
    });
    for options in [SyncOptions::pull(), SyncOptions::push()] {
        let error = failure(&home, &proxy.url(), options);
        assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
    }
    school.assert_syncs(&home);
}
