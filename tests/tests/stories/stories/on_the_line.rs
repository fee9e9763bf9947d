//! What is on the line, seen by somebody who asks the same beside a sync.
//!
//! Goal: whoever speaks the protocol by hand is told what existing peers tell, member by member. Method: while a real sync
//! runs, a watcher of it sends requests of its own to the same server and keeps the answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use morango::hook::{Event, Phase};
use morango::id::TransferSessionId;
use morango::prelude::*;
use morango::session::Stage;
use morango_examples::school::{FULL_FACILITY, PROFILE};
use morango_tests::device::{Device, SchoolAccounts};
use morango_tests::http::Request;
use serde_json::{Map, Value, json};

use super::given::{Between, SCHOOL_RECORDS, empty_device, root, serving_school};

/// The answer to a GET, which has to go well.
fn get(url: &str, path: &str) -> Value {
    let answer = Request::new("GET", path).header("X-Morango-Capabilities", "FSIC_V2_FORMAT").send(url);
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.value()
}

/// What a watcher saw while the client pulled from `url`.
fn beside_a_pull<T: Send + 'static>(
    client: &Device,
    url: &str,
    look: impl Fn(&Event) -> Option<T> + Send + Sync + 'static,
) -> (SyncReport, Vec<T>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let options = SyncOptions::pull().on_event(move |event| kept.lock().expect("nobody panicked").extend(look(event)));
    let report = client.sync(url, root(), options);
    let seen = std::mem::take(&mut *seen.lock().expect("nobody panicked"));
    (report, seen)
}

fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// The transfer whose records are queued by now, where the event says so.
fn queued(event: &Event) -> Option<TransferSessionId> {
    match event {
        Event::Stage { transfer_session, stage: Stage::Queuing, phase: Phase::Completed, .. } => {
            Some(*transfer_session)
        }
        _ => None,
    }
}

pub(super) fn open_sessions_are_told_with_every_member_that_existing_peers_tell(on: Between) {
    let (server, school, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let asked = url.clone();

    let (report, told) = beside_a_pull(&client, &url, move |event| match event {
        Event::SessionOpened { sync_session, .. } => Some(get(&asked, &format!("syncsessions/{sync_session}/"))),
        _ => queued(event).map(|transfer| get(&asked, &format!("transfersessions/{transfer}/"))),
    });

    let [session, transfer] = told.as_slice() else { panic!("one of each: {told:?}") };
    let expected = [
        "id",
        "start_timestamp",
        "last_activity_timestamp",
        "active",
        "client_certificate",
        "server_certificate",
        "profile",
        "connection_kind",
        "connection_path",
        "client_ip",
        "server_ip",
        "client_instance",
        "server_instance",
    ];
    assert_eq!(members(session), BTreeSet::from(expected));
    assert_eq!(session["id"], report.sync_session.to_string());
    assert_eq!((&session["active"], &session["connection_kind"]), (&json!(true), &json!("network")));
    assert_eq!((&session["client_ip"], &session["profile"]), (&json!("127.0.0.1"), &json!(PROFILE)));
    for (name, device) in [("client_instance", &client), ("server_instance", &server)] {
        let instance: Value = serde_json::from_str(session[name].as_str().expect("a text")).expect("of JSON");
        assert_eq!(instance["id"], device.engine.instance().id.to_string(), "{name}");
    }
    let expected = [
        "id",
        "start_timestamp",
        "last_activity_timestamp",
        "active",
        "filter",
        "push",
        "records_transferred",
        "records_total",
        "bytes_received",
        "bytes_sent",
        "sync_session",
        "server_fsic",
        "client_fsic",
        "transfer_stage",
        "transfer_stage_status",
    ];
    assert_eq!(members(transfer), BTreeSet::from(expected));
    assert_eq!((&transfer["push"], &transfer["filter"]), (&json!(false), &json!(school.dataset.to_string())));
    assert_eq!((&transfer["records_total"], &transfer["records_transferred"]), (&json!(SCHOOL_RECORDS), &json!(0)));
    assert_eq!(
        (&transfer["transfer_stage"], &transfer["transfer_stage_status"]),
        (&json!("queuing"), &json!("completed"))
    );
    let closed = Request::new("GET", &format!("syncsessions/{}/", report.sync_session)).send(&url);
    assert_eq!(closed.status, 404);
}

pub(super) fn who_says_what_it_will_read_of_a_transfer_is_told_no_more(on: Between) {
    let (_server, _, url) = serving_school(on);
    let client = empty_device(on.client, "client");
    let asked = url.clone();

    let (_, told) = beside_a_pull(&client, &url, move |event| {
        let transfer = queued(event)?;
        let told = |query: &str| get(&asked, &format!("transfersessions/{transfer}/{query}"));
        Some(["", "?tell=counters", "?tell=standing", "?tell=nonsense&tell", "?%FF"].map(told))
    });

    let [[all, counters, standing, nonsense, unreadable]] = told.as_slice() else { panic!("one pull: {told:?}") };
    let short = ["id", "filter", "records_total", "records_transferred", "transfer_stage", "transfer_stage_status"];
    assert_eq!(members(standing), BTreeSet::from(short));
    assert_eq!(members(counters), short.into_iter().chain(["server_fsic"]).collect());
    for (name, value) in counters.as_object().expect("an object") {
        assert_eq!(all[name], *value, "{name}");
    }
    assert!(members(all) == members(nonsense) && members(all) == members(unreadable), "other peers are told all");
}

pub(super) fn pages_lead_through_the_queue_and_a_list_without_a_limit_holds_all(on: Between) {
    let (server, school, url) = serving_school(on);
    school.logs(&server, school.ada, 14);
    let client = empty_device(on.client, "client");
    let asked = url.clone();
    let ids = |records: &Value| -> Vec<String> {
        let records = records.as_array().expect("a list of records");
        records.iter().map(|record| record["model_uuid"].as_str().expect("an id").to_owned()).collect()
    };

    let (_, seen) = beside_a_pull(&client, &url, move |event| {
        let transfer = queued(event)?;
        let all = get(&asked, &format!("buffers/?transfer_session_id={transfer}"));
        let mut pages = Vec::new();
        let mut next = format!("buffers/?transfer_session_id={transfer}&limit=10&offset=0");
        loop {
            let page = get(&asked, &next);
            let link = page["next"].as_str().map(str::to_owned);
            pages.push(page);
            let Some(link) = link else { return Some((all, pages)) };
            let (_, path) = link.split_once("/api/morango/v1/").expect("a link leads to a path of the protocol");
            path.clone_into(&mut next);
        }
    });

    let [(all, pages)] = seen.as_slice() else { panic!("one pull") };
    assert_eq!(pages.iter().map(|page| ids(&page["results"]).len()).collect::<Vec<_>>(), [10, 10, 3]);
    assert!(pages.iter().all(|page| page["count"] == 23));
    assert!(pages[0]["previous"].is_null() && pages[1]["previous"].is_string());
    let together: Vec<String> = pages.iter().flat_map(|page| ids(&page["results"])).collect();
    assert_eq!(together, ids(all), "the order is the same");
    assert_eq!(together.iter().collect::<BTreeSet<_>>().len(), 23);
}

pub(super) fn only_certificates_are_told_whose_keys_are_here(on: Between) {
    let (_server, school, url) = serving_school(on);
    let mut office = Device::on(on.client, "office");
    let dataset = school.dataset.to_string();
    let of_office = office.request(&url, &root().id(), FULL_FACILITY, &[("dataset_id", &dataset)], "admin");
    let url_of_office = office.serve(SchoolAccounts::admin());
    let (top, leaf) = (root().id().to_string(), of_office.id().to_string());
    let (top, leaf) = (top.as_str(), leaf.as_str());
    let assert_told = |url: &str, query: &str, expected: &[&str]| {
        let list = get(url, &format!("certificates/{query}"));
        let ids = list.as_array().expect("a list").iter().map(|certificate| certificate["id"].as_str());
        assert_eq!(ids.collect::<Vec<_>>(), expected.iter().map(|id| Some(*id)).collect::<Vec<_>>(), "{query}");
    };

    // The server has signed the office's certificate and knows it, but does not hold its key.
    assert_told(&url, &format!("?primary_partition={top}"), &[top]);
    assert_told(&url, &format!("?ancestors_of={leaf}"), &[]);
    assert_told(&url_of_office, &format!("?primary_partition={top}"), &[leaf]);
    assert_told(&url_of_office, &format!("?ancestors_of={leaf}"), &[top, leaf]);
    assert_told(&url_of_office, &format!("?ancestors_of={top}"), &[]);
    assert_told(&url_of_office, &format!("?primary_partition={}", SyncId::random()), &[]);
    assert_told(&url_of_office, "", &[leaf]);
    assert_told(&url_of_office, &format!("?profile={PROFILE}"), &[leaf]);
    assert_told(&url_of_office, "?profile=elsewhere", &[]);
    let list = get(&url, "certificates/");
    let expected = [
        "id",
        "parent",
        "profile",
        "scope_definition",
        "scope_version",
        "scope_params",
        "public_key",
        "serialized",
        "signature",
        "salt",
    ];
    assert_eq!(members(&list[0]), BTreeSet::from(expected));
}

/// An engine that says of itself what the application wants.
fn with_info(device: &mut Device, info: &Value) {
    let info: Map<String, Value> = info.as_object().expect("an object").clone();
    device.engine = device.builder().instance_info(info).build().expect("an engine on the database");
}

pub(super) fn what_an_application_says_of_itself_reaches_the_peer_and_replaces_nothing_of_ours(on: Between) {
    let (mut server, _, _) = serving_school(on);
    let mut client = empty_device(on.client, "client");
    with_info(&mut server, &json!({"school_app": "2.0", "instance_id": "forged", "capabilities": "none"}));
    with_info(&mut client, &json!({"school_app": "1.9", "id": "forged", "db_path": "forged"}));
    let url = server.serve(SchoolAccounts::admin());

    let info = get(&url, "morangoinfo/1/");
    let report = client.sync(&url, root(), SyncOptions::pull());

    let instance = server.engine.instance();
    assert_eq!((&info["school_app"], &info["instance_id"]), (&json!("2.0"), &json!(instance.id.to_string())));
    assert!(info["capabilities"].as_array().is_some_and(|names| names.contains(&json!("FSIC_V2_FORMAT"))), "{info}");
    for device in [&server, &client] {
        let kept = device.storage().sync_session(&report.sync_session).expect("it can be read").expect("it was kept");
        let said = [&kept.client_instance_json, &kept.server_instance_json]
            .map(|text| serde_json::from_str::<Value>(text).expect("it is JSON"));
        assert_eq!([&said[0]["school_app"], &said[1]["school_app"]], [&json!("1.9"), &json!("2.0")]);
        assert_eq!(said[0]["id"], client.engine.instance().id.to_string());
        assert_eq!(said[0]["db_path"], client.engine.instance().db_path);
        assert_eq!(
            (kept.client_instance, kept.server_instance),
            (Some(client.engine.instance().id), Some(instance.id))
        );
    }
}
