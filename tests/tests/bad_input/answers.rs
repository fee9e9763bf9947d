//! Answers of a server that are too large, too deep or too often the same, or that claim what this client has yet to save.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use morango::prelude::*;
use morango::{ErrorKind, limits};
use morango_tests::device::Device;
use morango_tests::http::Answer;
use morango_tests::proxy::Proxy;
use serde_json::{Value, json};

use super::school::{FAR, School, certificate, failure, holding, member};

/// The calls whose answer says how a transfer stands. Of a stage that takes a while the end is told in another one.
const STANDING: &[&str] = &["PATCH transfersessions/ID/", "GET transfersessions/ID/"];

/// A proxy that makes something else of the answers to some calls.
fn changing(url: &str, calls: &'static [&str], change: impl Fn(Answer) -> Answer + Send + Sync + 'static) -> Proxy {
    Proxy::start(url, move |request, onward| {
        let reply = onward.forward(request);
        if calls.contains(&&*request.call()) { reply.change(&change) } else { reply }
    })
}

/// The same where it is JSON that is changed.
fn changing_value(url: &str, calls: &'static [&str], change: impl Fn(&mut Value) + Send + Sync + 'static) -> Proxy {
    changing(url, calls, move |answer| {
        let mut body = answer.value();
        change(&mut body);
        answer.with_value(&body)
    })
}

#[test]
fn a_server_that_claims_our_own_future_does_not_keep_our_changes_at_home() {
    let school = School::open();
    let home = school.synced_member("home");
    let dataset = school.dataset.to_string();
    for part in ["sub", "super"] {
        for (options, sends) in
            [(SyncOptions::pull(), false), (SyncOptions::push(), true), (SyncOptions::both_ways(), true)]
        {
            println!("{part} {options:?}");
            let class = school.add_class(&home, part);
            let (own, dataset) = (home.engine.instance().id.to_string(), dataset.clone());
            let lies = Arc::new(AtomicUsize::new(0));
            let told = Arc::clone(&lies);
            let proxy = changing_value(&school.url, STANDING, move |body| {
                let Some(mut counters) =
                    body["server_fsic"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
                else {
                    return;
                };
                counters[part][&dataset][&own] = json!(FAR);
                body["server_fsic"] = json!(counters.to_string());
                told.fetch_add(1, Ordering::SeqCst);
            });
            home.sync(&proxy.url(), &certificate(), options);
            assert!(lies.load(Ordering::SeqCst) > 0);
            assert!(home.counters().iter().all(|(_, _, counter)| *counter < FAR), "nobody is believed about us");
            assert_eq!(school.city.store().contains_key(&class), sends, "what is saved here goes out to the liar, too");
            home.sync(&school.url, &certificate(), SyncOptions::push());
            assert!(school.city.store().contains_key(&class), "and to everybody");
        }
    }
    school.assert_syncs(&home);
}

#[test]
fn a_client_takes_no_counters_without_end() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    let (dataset, counters) = (school.dataset.to_string(), many_counters(1_900_000));
    let text = json!({ "sub": { dataset: counters }, "super": {} }).to_string();
    assert!(text.len() > limits::COUNTERS_BODY_BYTES_MAX, "{} bytes", text.len());
    let proxy = changing_value(&school.url, STANDING, move |body| {
        body["server_fsic"] = json!(text);
    });
    let error = failure(&home, &proxy.url(), SyncOptions::pull());
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
    assert_eq!(believed(&home), []);
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn a_client_does_not_keep_one_map_of_counters_once_for_each_of_many_prefixes() {
    let school = School::open();
    let home = member("home");
    let (dataset, text) = (school.dataset, json!(many_counters(10_000)).to_string());
    let proxy = Proxy::start(&school.url, move |request, onward| {
        let reply = onward.forward(request);
        reply.change(|answer| match request.call().as_str() {
            // One of old, who knows of one map for all alone.
            "GET morangoinfo/1/" => {
                let mut body = answer.value();
                body["capabilities"] = json!(["ASYNC_OPERATIONS"]);
                answer.with_value(&body)
            }
            call if STANDING.contains(&call) => {
                let mut body = answer.value();
                body["server_fsic"] = json!(text);
                answer.with_value(&body)
            }
            _ => answer,
        })
    });
    let filter = Filter::new((0..2_000).map(|number| format!("{dataset}:user-rw:{number:04}"))).expect("prefixes");
    for options in [SyncOptions::pull(), SyncOptions::push()] {
        let error = failure(&home, &proxy.url(), options.filter(filter.clone()));
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "it would be 800 MB: {error:?}");
    }
    assert_eq!(believed(&home), []);
    assert!(home.store().is_empty());
    school.assert_syncs(&home);
}

/// What a device claims to have of others.
fn believed(device: &Device) -> Vec<(String, String, i64)> {
    let own = device.engine.instance().id.to_string();
    device.counters().into_iter().filter(|(_, instance, _)| *instance != own).collect()
}

fn many_counters(number: usize) -> BTreeMap<String, i64> {
    (0..number).map(|number| (format!("{number:032x}"), 1)).collect()
}

#[test]
fn an_answer_of_json_without_bottom_is_none_at_any_call() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    let (lists, objects) = ("[".repeat(100_000), "{\"id\":".repeat(100_000));
    let closed = format!("{lists}{}", "]".repeat(100_000));
    let objects = format!("{objects}1{}", "}".repeat(100_000));
    for calls in [
        &["GET morangoinfo/1/"][..],
        &["GET certificates/"],
        &["POST nonces/"],
        &["POST syncsessions/"],
        &["POST transfersessions/"],
        STANDING,
        &["GET buffers/"],
    ] {
        for (how, deep) in [("lists", &lists), ("objects", &objects), ("closed", &closed)] {
            if (calls, how) == (&["GET buffers/"], "closed") {
                // That is a page of one record, which is bad.
                continue;
            }
            println!("{calls:?} {how}");
            let deep = deep.clone();
            let proxy =
                changing(&school.url, calls, move |answer| Answer { body: deep.clone().into_bytes(), ..answer });
            let error = failure(&home, &proxy.url(), SyncOptions::pull());
            assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected, "{calls:?} {how}: {error:?}");
            assert!(error.report().len() < 5_000, "it does not say it again: {} bytes", error.report().len());
        }
    }
    let deep = closed.clone();
    let proxy = changing_value(&school.url, STANDING, move |body| body["server_fsic"] = json!(deep));
    assert_eq!(failure(&home, &proxy.url(), SyncOptions::pull()).kind(), ErrorKind::PeerAnswerUnexpected);
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn records_without_bottom_and_half_characters_in_a_page_are_set_aside_and_the_others_come() {
    const FIELDS: [&str; 6] = ["partition", "source_id", "model_name", "profile", "serialized", "last_saved_instance"];
    let school = School::open();
    let spoilt_total = FIELDS.len() + 2;
    for number in 0..spoilt_total + 3 {
        school.add_class(&school.city, &number.to_string());
    }
    school.city.serialize();
    let all = school.city.store().len();
    let home = member("home");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let proxy = changing(&school.url, &["GET buffers/"], move |answer| {
        let mut body = answer.value();
        let records = body["results"].as_array_mut().expect("a page");
        let classes = records.iter_mut().filter(|record| record["model_name"] == "classroom");
        for (number, record) in classes.take(spoilt_total).enumerate() {
            match FIELDS.get(number) {
                Some(field) => record[*field] = json!("HALF"),
                None if number == FIELDS.len() => record["serialized"] = json!("DEEP"),
                None => *record = json!("DEEP"),
            }
        }
        let text = body.to_string().replace("HALF", r"\ud83d").replace("\"DEEP\"", &deep);
        Answer { body: text.into_bytes(), ..answer }
    });
    let report = home.sync(&proxy.url(), &certificate(), SyncOptions::pull());
    let pulled = report.pull.as_ref().expect("a pull");
    assert_eq!(pulled.rejections_total, spoilt_total as u64);
    assert!(pulled.rejections.iter().all(|rejection| rejection.reason.contains("read a record")), "{report}");
    assert_eq!(home.store().len(), all - spoilt_total);
    assert!(home.store().into_iter().all(|(id, record)| record == school.city.record(&id)), "only what is genuine");
    assert!(home.waiting().is_empty());

    // What was refused counts as received, and comes with its next change.
    school.city.sql("UPDATE classroom SET name = name || '!'");
    school.assert_syncs(&home);
}

#[test]
fn a_page_of_too_many_records_is_refused_however_small_they_are() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    let many = format!("[{}{{}}]", "{},".repeat(limits::CHUNK_RECORDS_ACCEPTED_MAX));
    for page in [many.clone(), format!(r#"{{"count": 3, "results": {many}}}"#)] {
        let proxy =
            changing(&school.url, &["GET buffers/"], move |answer| Answer { body: page.clone().into(), ..answer });
        let error = failure(&home, &proxy.url(), SyncOptions::pull());
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error:?}");
    }
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn one_record_a_thousand_times_in_the_pages_of_a_pull_is_kept_once() {
    let school = School::open();
    let home = member("home");
    let again = 1_000;
    let proxy = Proxy::start(&school.url, move |request, onward| {
        let number = |name: &str| -> usize {
            let query = request.target.split(['?', '&']).find_map(|part| part.strip_prefix(name));
            query.and_then(|text| text.parse().ok()).expect("a page is asked for by its place")
        };
        match request.call().as_str() {
            call if STANDING.contains(&call) => onward.forward(request).change(|answer| {
                let mut body = answer.value();
                if let Some(total) = body["records_total"].as_u64() {
                    body["records_total"] = json!(total + again);
                }
                answer.with_value(&body)
            }),
            "GET buffers/" => {
                let (offset, limit) = (number("offset="), number("limit="));
                let mut whole = request.clone();
                whole.target = whole.target.replace(&format!("offset={offset}"), "offset=0");
                onward.forward(&whole).change(|answer| {
                    let mut body = answer.value();
                    let mut all = body["results"].as_array().expect("a page").clone();
                    all.extend(std::iter::repeat_n(all[0].clone(), 1_000));
                    body["count"] = json!(all.len());
                    body["results"] = all.into_iter().skip(offset).take(limit).collect();
                    answer.with_value(&body)
                })
            }
            _ => onward.forward(request),
        }
    });
    let report = home.sync(&proxy.url(), &certificate(), SyncOptions::pull());
    let pulled = report.pull.as_ref().expect("a pull");
    assert_eq!((pulled.records_total, pulled.records_transferred), (1_003, 1_003), "it says that there are so many");
    assert!(pulled.rejections_total > 0, "{report}");
    assert!(pulled.rejections.iter().all(|rejection| rejection.reason.contains("twice")), "{report}");
    assert!(home.waiting().is_empty());
    morango_tests::compare::assert_equal(&home, &school.city, &[]);
    school.assert_syncs(&home);
}
