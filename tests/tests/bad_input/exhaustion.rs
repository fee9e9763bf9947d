//! What costs a peer little, and would cost us memory or time without end.

use std::collections::BTreeMap;

use morango::id::{InstanceId, TransferSessionId};
use morango::session::Direction;
use morango_tests::http::Request;
use serde_json::{Value, json};

use super::school::School;
use super::visitor::{assert_refused, id_of};

/// As many counters of different instances.
fn counters(number: usize, counter: i64) -> BTreeMap<String, i64> {
    (0..number).map(|number| (InstanceId::hash_of(&number.to_string()).to_string(), counter)).collect()
}

/// A filter of many prefixes.
fn wide_filter(dataset: &str) -> String {
    (0..2_000).map(|number| format!("{dataset}:user-rw:{number}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn one_map_of_counters_is_not_kept_once_for_each_of_many_prefixes() {
    let school = School::open();
    let filter = wide_filter(&school.dataset.to_string());
    let before = school.holding();
    for direction in [Direction::Pull, Direction::Push] {
        let visitor = school.visitor().with_capabilities("ASYNC_OPERATIONS GZIP_BUFFER_POST");
        let transfer = visitor.open_transfer(direction, &filter);
        let told = json!(counters(10_000, 1)).to_string();
        let request = json!({ "transfer_stage": "serializing", "client_fsic": told });
        let session = visitor.patch_until_done(&transfer, &request);
        assert_eq!(session["transfer_stage_status"], "errored", "{direction}: it would be 800 MB");
    }
    for direction in [Direction::Pull, Direction::Push] {
        let visitor = school.visitor().with_capabilities("");
        let told: Value = json!(counters(10_000, 1)).to_string().into();
        let (_, answer) = visitor.request_transfer_with(&visitor.open_session(), direction, &filter, &told);
        assert_refused(&answer, 500, "peer-stage-failed", "open a transfer session");
    }
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_map_of_counters_that_say_nothing_takes_no_time() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = wide_filter(&school.dataset.to_string());
    let transfer = visitor.open_transfer(Direction::Push, &filter);
    let told = json!({ "super": { "": counters(100_000, 0) }, "sub": {} }).to_string();
    visitor.proceed(&transfer, "serializing", &json!({ "client_fsic": told }));
    visitor.proceed(&transfer, "queuing", &json!({ "records_total": 1 }));
    let first = filter.lines().next().expect("there are many");
    assert_eq!(visitor.push(&[visitor.record(&transfer, first, "1")]).status, 201);
    visitor.finish_push(&transfer);
    school.assert_works_on();
}

#[test]
fn a_long_body_is_not_read_of_somebody_who_has_no_session() {
    let school = School::open();
    let visitor = school.visitor();
    let id = TransferSessionId::random();
    // Of what is announced not one byte comes: whoever waited for it would not answer.
    let announced = |method: &str, path: &str| Request::new(method, path).header("Content-Length", "60000000");
    let answer = visitor.send(announced("PATCH", &format!("transfersessions/{id}/")));
    assert_refused(&answer, 404, "session-unknown", "");
    let answer = visitor.send(
        Request { headers: Vec::new(), ..announced("POST", "certificatechain/") }.header("Content-Length", "16000000"),
    );
    assert_refused(&answer, 403, "forbidden", "does not allow certificate pushing");
    school.assert_works_on();
}

#[test]
fn a_record_that_grows_where_it_travels_does_not_stand_in_the_way_of_others() {
    let school = School::open();
    let visitor = school.visitor();
    let partition = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&partition, 2);
    // Each character takes six bytes on the line, wherever the record goes, and the same again once it lost.
    let mut long = visitor.record(&push, &partition, "long");
    long["serialized"] = json!("\u{1}".repeat(5 * 1024 * 1024));
    let good = visitor.record(&push, &partition, "good");
    assert_eq!(visitor.push(&[long.clone(), good.clone()]).status, 201);
    visitor.finish_push(&push);
    let session: TransferSessionId = push.parse().expect("an id");
    let rejections = school.city.storage().rejections(&session, 10).expect("they can be listed");
    assert_eq!(rejections.len(), 1);
    assert!(rejections[0].reason.contains("serialized is too long"), "{}", rejections[0].reason);
    assert!(school.city.store().contains_key(&id_of(&good)) && !school.city.store().contains_key(&id_of(&long)));
    school.assert_works_on();
}
