//! Records that do not belong where they come, among others that do.

use morango::id::{InstanceId, SyncId, TransferSessionId};
use morango::prelude::*;
use morango::scope::Filter;
use morango::{ErrorKind, limits};
use morango_examples::school::PROFILE;
use morango_tests::compare::told_by_device;
use morango_tests::http::Request;
use morango_tests::proxy::Proxy;
use serde_json::{Value, json};

use super::papers::Papers;
use super::school::{School, member};
use super::visitor::{assert_refused, id_of, instance};

/// What is made of a page of records.
type Change = Box<dyn Fn(&mut Value) + Send + Sync>;

/// How many ways there are to spoil a record.
const SPOILS: usize = 30;

/// Makes a record that is to be refused of a good one.
fn spoil(record: &mut Value, number: usize) {
    let spoils: [fn(&mut Value); SPOILS] = [
        |record| record["partition"] = json!("elsewhere"),
        |record| record["partition"] = json!(record["partition"].as_str().expect("a text").to_uppercase()),
        |record| record["partition"] = json!(format!("{}:moved", record["partition"].as_str().expect("a text"))),
        |record| record["partition"] = json!(format!("{}:${{id}}", record["partition"].as_str().expect("a text"))),
        |record| record["partition"] = json!(record["partition"].as_str().expect("a text").replacen(':', "", 1)),
        |record| record["partition"] = json!(record["partition"].as_str().expect("a text").replace('-', "_")),
        // It looks alike, and one letter is another alphabet's.
        |record| record["partition"] = json!(record["partition"].as_str().expect("a text").replacen('a', "\u{430}", 1)),
        |record| record["partition"] = json!(format!("{}\u{0}", record["partition"].as_str().expect("a text"))),
        |record| record["partition"] = json!(format!("{}\u{301}", record["partition"].as_str().expect("a text"))),
        |record| record["source_id"] = json!("another"),
        |record| record["source_id"] = json!(""),
        |record| record["source_id"] = json!("x".repeat(10_000)),
        |record| record["model_name"] = json!("another"),
        |record| record["profile"] = json!("elsewhere"),
        |record| record["last_saved_instance"] = json!("no id"),
        |record| record["last_saved_counter"] = json!(-1),
        |record| record["last_saved_counter"] = json!(i64::MAX),
        |record| record["last_saved_counter"] = json!("seven"),
        |record| record["rmcb_list"][0]["counter"] = json!(i64::MAX),
        |record| record["rmcb_list"][0]["instance_id"] = json!("no id"),
        |record| record["rmcb_list"] = json!("none"),
        |record| {
            let counter = |number: usize| json!({ "instance_id": InstanceId::hash_of(&number.to_string()).to_string(), "counter": 1 });
            record["rmcb_list"] = (0..=limits::RECORD_MAX_COUNTERS_MAX).map(counter).collect();
        },
        |record| record["source_id"] = json!("a NUL \u{0} in it"),
        |record| record["serialized"] = json!({ "an": "object" }),
        |record| record["deleted"] = json!("perhaps"),
        |record| *record = json!({}),
        |record| *record = json!(null),
        |record| {
            record["model_uuid"] = json!(SyncId::hash_of("other").to_string());
            record["rmcb_list"][0]["model_uuid"] = json!(SyncId::hash_of("other").to_string());
        },
        |record| record["rmcb_list"][0]["model_uuid"] = json!(SyncId::hash_of("other").to_string()),
        |record| record["rmcb_list"][0]["transfer_session"] = json!(SyncId::hash_of("other").to_string()),
    ];
    spoils[number](record);
}

#[test]
fn bad_records_among_good_ones_are_set_aside_with_their_reasons() {
    let school = School::open();
    let visitor = school.visitor();
    let dataset = school.dataset.to_string();
    let filter = format!("{dataset}:user-rw:ada");
    let push = visitor.open_push(&filter, 2 * SPOILS);
    let (mut chunk, mut good, mut bad) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SPOILS {
        let first = visitor.record(&push, &filter, &format!("good {number}"));
        let mut second = visitor.record(&push, &filter, &format!("bad {number}"));
        good.push(id_of(&first));
        bad.push(id_of(&second));
        spoil(&mut second, number);
        chunk.extend([first, second]);
    }
    let before = school.holding();

    assert_eq!(visitor.push(&chunk).status, 201, "what is good is taken");
    let session: TransferSessionId = push.parse().expect("an id");
    let rejections = school.city.storage().rejections(&session, 100).expect("they can be listed");
    assert_eq!(rejections.len(), bad.len());
    for rejection in &rejections {
        assert!(!rejection.reason.is_empty() && rejection.reason.len() < 500, "{rejection:?}");
        assert!(!rejection.received.is_empty(), "it is kept as it came: {rejection:?}");
    }
    let reasons: Vec<&str> = rejections.iter().map(|rejection| rejection.reason.as_str()).collect();
    for word in ["outside the filter", "its id is not that", "another record or transfer session"] {
        assert!(reasons.iter().any(|reason| reason.contains(word)), "no reason says {word:?}: {reasons:#?}");
    }
    visitor.finish_push(&push);

    let store = school.city.store();
    assert!(good.iter().all(|id| store.contains_key(id)), "each good one arrived");
    assert!(!bad.iter().any(|id| store.contains_key(id)), "and no bad one");
    assert!(!store.contains_key(&SyncId::hash_of("other")));
    let kept: Vec<_> = school.holding().0.into_iter().filter(|(id, _)| before.0.contains_key(id)).collect();
    assert_eq!(kept, before.0.into_iter().collect::<Vec<_>>(), "what was there is as it was");
    school.assert_works_on();
}

#[test]
fn half_a_character_is_no_text_and_its_chunk_is_refused_as_a_whole() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1);
    let good = visitor.record(&push, &filter, "1");
    let before = school.holding();
    for field in ["partition", "source_id", "model_name", "profile", "serialized", "last_saved_instance"] {
        println!("{field}");
        let mut record = good.clone();
        record[field] = json!("HALF");
        let chunk = Value::Array(vec![record]).to_string().replace("HALF", r"\ud83d");
        let answer = visitor.send(Request::new("POST", "buffers/").body("application/json", chunk));
        assert_refused(&answer, 400, "message-malformed", "read");
    }
    assert_eq!(school.holding(), before);
    assert_eq!(visitor.push(&[good]).status, 201, "the transfer goes on");
    visitor.finish_push(&push);
    school.assert_works_on();
}

#[test]
fn half_a_character_among_good_records_is_set_aside_with_its_record() {
    const FIELDS: [&str; 5] = ["partition", "source_id", "model_name", "profile", "serialized"];
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, FIELDS.len() + 1);
    let good = visitor.record(&push, &filter, "good");
    let bad = FIELDS.map(|field| {
        let mut record = visitor.record(&push, &filter, field);
        record[field] = json!("HALF");
        record
    });
    let chunk: Value = bad.iter().chain([&good]).cloned().collect();
    let chunk = chunk.to_string().replace("HALF", r"\ud83d");
    let answer = visitor.send(Request::new("POST", "buffers/").body("application/json", chunk));
    assert_eq!(answer.status, 201, "what is good is taken");
    visitor.finish_push(&push);
    let store = school.city.store();
    assert!(store.contains_key(&id_of(&good)) && !bad.iter().any(|record| store.contains_key(&id_of(record))));
    let session: TransferSessionId = push.parse().expect("an id");
    let rejections = school.city.storage().rejections(&session, 100).expect("they can be listed");
    assert_eq!(rejections.len(), FIELDS.len());
    school.assert_works_on();
}

#[test]
fn one_record_a_thousand_times_is_kept_once() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1_000);
    let record = visitor.record(&push, &filter, "1");
    assert_eq!(visitor.push(&vec![record.clone(); 1_000]).status, 201);
    visitor.finish_push(&push);
    let mut kept = school.city.store();
    assert_eq!(kept.remove(&id_of(&record)).expect("it is kept").serialized, r#"{"word": "good"}"#);
    school.assert_works_on();
}

#[test]
fn a_record_that_claims_the_id_of_another_does_not_move_or_change_it() {
    let school = School::open();
    let dataset = school.dataset.to_string();
    let class = school.add_class(&school.city, "the true one");
    school.city.serialize();
    let true_record = school.city.record(&class);
    let learner = school.visitor_with(Papers::learner("ada"));
    let filter = format!("{dataset}:user-rw:ada");
    let push = learner.open_push(&filter, 2);
    // A learner may write below their own partition alone, and tries to draw the class there; or to put words in its mouth.
    let mut drawn = learner.record_of(&push, "classroom", &filter, &true_record.source_id, "{}");
    drawn["model_uuid"] = json!(class.to_string());
    drawn["rmcb_list"][0]["model_uuid"] = json!(class.to_string());
    let mut in_place = drawn.clone();
    in_place["partition"] = json!(true_record.partition);
    assert_eq!(learner.push(&[drawn]).status, 201);
    assert_eq!(learner.push(&[in_place]).status, 201);
    learner.finish_push(&push);
    assert_eq!(school.city.record(&class), true_record);
    school.assert_works_on();
}

#[test]
fn a_source_id_that_is_an_id_does_not_make_a_record_of_another_partition() {
    let school = School::open();
    let dataset = school.dataset.to_string();
    let learner = school.visitor_with(Papers::learner("ada"));
    let filter = format!("{dataset}:user-rw:ada");
    let push = learner.open_push(&filter, 1);
    // The dataset's own id is its source id: whoever may write anything tries to be the dataset.
    let mut dataset_record = learner.record_of(&push, "dataset", &filter, &dataset, r#"{"description": "mine"}"#);
    dataset_record["model_uuid"] = json!(dataset);
    dataset_record["rmcb_list"][0]["model_uuid"] = json!(dataset);
    assert_eq!(learner.push(&[dataset_record]).status, 201);
    let before = school.holding();
    learner.finish_push(&push);
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn texts_that_are_no_rows_are_kept_and_sent_on_and_keep_no_other_from_its_row() {
    let school = School::open();
    let visitor = school.visitor();
    let dataset = school.dataset.to_string();
    let partition = format!("{dataset}:allusers-ro");
    let texts = [
        "",
        "no JSON at all",
        "null",
        "[]",
        "7",
        "{}",
        "{\"name\": ",
        r#"{"name": 7, "dataset_id": [], "facility_id": null}"#,
        r#"{"name": "\ud800"}"#,
        &"[".repeat(50_000),
        &format!(r#"{{"name": "{}"}}"#, "x".repeat(100_000)),
        "\u{feff}{}\r\n\u{2028}",
    ];
    let push = visitor.open_push(&dataset, texts.len() + 1);
    let mut chunk: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| visitor.record_of(&push, "classroom", &partition, &format!("odd {number}"), text))
        .collect();
    let ids: Vec<SyncId> = chunk.iter().map(id_of).collect();
    let row =
        json!({ "dataset_id": dataset, "facility_id": school.facility.to_string(), "name": "good", "parent_id": null });
    let good = visitor.record_of(&push, "classroom", &partition, "good", &row.to_string());
    let good_id = id_of(&good);
    chunk.insert(2, good);
    assert_eq!(visitor.push(&chunk).status, 201);
    visitor.finish_push(&push);

    let waiting = school.city.waiting();
    assert_eq!(waiting, ids.iter().copied().collect(), "all of them wait, and the good one does not");
    for (id, text) in ids.iter().zip(texts) {
        assert_eq!(school.city.record(id).serialized, text, "kept as it came");
    }
    let report = school.city.engine.deserialize(PROFILE, &Filter::everything()).expect("the others go on");
    assert_eq!(report.failures_total, ids.len() as u64);
    for failure in &report.failures {
        assert!(!failure.reason.is_empty(), "{failure:?}");
    }

    let home = member("home");
    let report = home.sync(&school.url, &Papers::member().certificate(), SyncOptions::pull());
    for (id, text) in ids.iter().zip(texts) {
        assert_eq!(home.record(id).serialized, text, "sent on as it came");
    }
    assert!(!home.waiting().contains(&good_id));
    let pulled = report.pull.as_ref().expect("a pull");
    let deserialized = pulled.deserialize.as_ref().expect("it deserialized");
    assert_eq!(deserialized.failures_total, ids.len() as u64, "and told here, too");
    school.assert_syncs(&home);
}

#[test]
fn a_record_that_was_bad_and_is_sent_well_becomes_a_row() {
    let school = School::open();
    let visitor = school.visitor();
    let dataset = school.dataset.to_string();
    let partition = format!("{dataset}:allusers-ro");
    let push = visitor.open_push(&dataset, 1);
    let bad = visitor.record_of(&push, "classroom", &partition, "class", "no JSON");
    let id = id_of(&bad);
    assert_eq!(visitor.push(&[bad]).status, 201);
    visitor.finish_push(&push);
    assert!(school.city.waiting().contains(&id));

    let push = visitor.open_push(&dataset, 1);
    let row =
        json!({ "dataset_id": dataset, "facility_id": school.facility.to_string(), "name": "good", "parent_id": null });
    let good = visitor.record_of(&push, "classroom", &partition, "class", &row.to_string());
    assert_eq!(visitor.push(&[good]).status, 201);
    visitor.finish_push(&push);
    assert!(school.city.waiting().is_empty());
    school.assert_works_on();
}

#[test]
fn a_chunk_that_is_sent_twice_counts_once() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 3);
    let chunk: Vec<Value> = (0..3).map(|number| visitor.record(&push, &filter, &number.to_string())).collect();
    let transferred = || visitor.get(&format!("transfersessions/{push}/")).value()["records_transferred"].clone();
    for _ in 0..3 {
        assert_eq!(visitor.push(&chunk).status, 201);
        assert_eq!(transferred(), 3);
    }
    // The same records cut into other chunks are the same records, too.
    assert_eq!(visitor.push(&chunk[1..]).status, 201);
    visitor.finish_push(&push);
    let arrived = told_by_device(&school.city, &[&filter]);
    assert_eq!(arrived.len(), 3);
    for record in arrived.values() {
        assert_eq!(record["record_max_counters"].as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(record["last_saved_instance"], instance());
    }
    school.assert_works_on();
}

#[test]
fn a_record_twice_in_one_chunk_is_kept_once() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 2);
    let first = visitor.record_of(&push, "mystery", &filter, "twice", "1");
    let second = visitor.record_of(&push, "mystery", &filter, "twice", "2");
    let id = id_of(&first);
    assert_eq!(visitor.push(&[first, second]).status, 201);
    visitor.finish_push(&push);
    assert!(school.city.store().contains_key(&id));
    school.assert_works_on();
}

#[test]
fn a_chunk_of_two_sessions_is_refused_as_a_whole_and_each_goes_on() {
    let school = School::open();
    let (visitor, other) = (school.visitor(), school.visitor());
    let filter = format!("{}:user-rw:ada", school.dataset);
    let (push, other_push) = (visitor.open_push(&filter, 1), other.open_push(&filter, 1));
    let own = visitor.record(&push, &filter, "own");
    let foreign = other.record(&other_push, &filter, "foreign");
    let answer = visitor.push(&[own.clone(), foreign.clone()]);
    assert_refused(&answer, 400, "message-malformed", "another session's");
    assert_eq!(visitor.push(std::slice::from_ref(&own)).status, 201);
    assert_eq!(other.push(std::slice::from_ref(&foreign)).status, 201);
    visitor.finish_push(&push);
    other.finish_push(&other_push);
    let store = school.city.store();
    assert!(store.contains_key(&id_of(&own)) && store.contains_key(&id_of(&foreign)));
    school.assert_works_on();
}

/// A proxy that spoils the first records of each page, each in its own way.
fn spoiling_proxy(url: &str, count: usize) -> Proxy {
    Proxy::start(url, move |request, onward| {
        let reply = onward.forward(request);
        if request.call() != "GET buffers/" {
            return reply;
        }
        reply.change(|answer| {
            let mut body = answer.value();
            for (number, record) in body["results"].as_array_mut().into_iter().flatten().take(count).enumerate() {
                spoil(record, number);
            }
            answer.with_value(&body)
        })
    })
}

#[test]
fn a_pull_takes_what_is_good_and_reports_the_rest() {
    let school = School::open();
    for number in 0..30 {
        school.add_class(&school.city, &number.to_string());
    }
    school.city.serialize();
    let all = school.city.store().len();
    let home = member("home");
    let certificate = Papers::member().certificate();
    let proxy = spoiling_proxy(&school.url, SPOILS);
    let report = home.sync(&proxy.url(), &certificate, SyncOptions::pull());
    let pulled = report.pull.as_ref().expect("a pull");
    assert_eq!((pulled.rejections_total, pulled.rejections.len()), (SPOILS as u64, SPOILS));
    assert!(pulled.rejections.iter().all(|rejection| !rejection.reason.is_empty()));
    assert_eq!(home.store().len(), all - SPOILS);
    assert!(home.store().into_iter().all(|(id, record)| record == school.city.record(&id)), "only what is genuine");
    drop(proxy);

    // What was refused counts as received, so it does not come by itself when the line is good again. To claim less would
    // stop the good records of the same instance here: a device that claims them not passes them on to nobody.
    home.sync(&school.url, &certificate, SyncOptions::pull());
    assert_eq!(home.store().len(), all - SPOILS, "they are reported, and kept among the rejections");
    // It comes with the next change of each.
    school.city.sql("UPDATE classroom SET name = name || '!'");
    home.sync(&school.url, &certificate, SyncOptions::pull());
    assert!(home.store().len() > all - SPOILS);
    school.assert_works_on();
}

#[test]
fn a_page_that_is_not_what_was_promised_ends_the_pull_and_loses_nothing() {
    let school = School::open();
    let home = member("home");
    let surplus = school.visitor().record("", "", "more");
    let changes: Vec<(&str, Change)> = vec![
        ("no records", Box::new(|body| body["results"] = json!([]))),
        (
            "more records",
            Box::new(move |body| {
                let results = body["results"].as_array_mut().expect("a page");
                results.extend(std::iter::repeat_n(surplus.clone(), 10));
            }),
        ),
        ("no page", Box::new(|body| *body = json!({ "nothing": true }))),
        ("a text", Box::new(|body| *body = json!("[]"))),
    ];
    for (how, change) in changes {
        println!("{how}");
        let proxy = Proxy::start(&school.url, move |request, onward| {
            let reply = onward.forward(request);
            if request.call() != "GET buffers/" {
                return reply;
            }
            reply.change(|answer| {
                let mut body = answer.value();
                change(&mut body);
                answer.with_value(&body)
            })
        });
        let error = super::school::failure(&home, &proxy.url(), SyncOptions::pull());
        assert_eq!(error.kind(), ErrorKind::PeerAnswerUnexpected, "{how}: {error:?}");
    }
    school.assert_syncs(&home);
}
