//! What the Python peers were recorded to say is read; what we write is read back, and has the shape that they take.

use serde_json::Value;

use super::*;
use crate::ErrorKind;
use crate::counter::{RecordMaxCounters, Stamp};
use crate::id::{CertificateId, InstanceId, SyncId, SyncSessionId, TransferSessionId};
use crate::limits;
use crate::port::{ReceivedRecord, RemoteTransfer};
use crate::record::{LooseRecord, StoreRecord};
use crate::scope::Filter;
use crate::session::{Capabilities, Direction, Side, Stage, StageStatus, SyncSession, TransferSession};

fn golden(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture is JSON")
}

/// Every recorded exchange: the conversation's name, the exchange.
fn exchanges() -> Vec<(String, Value)> {
    let conversations = golden(include_str!("../../../tests/fixtures/wire.json"));
    let conversations = conversations.as_object().expect("conversations by name").clone();
    let listed = |(name, exchanges): (String, Value)| {
        let exchanges = exchanges.as_array().cloned().unwrap_or_default();
        exchanges.into_iter().map(move |exchange| (name.clone(), exchange))
    };
    conversations.into_iter().flat_map(listed).collect()
}

/// The recorded exchanges of one call that went well: request and answer.
fn good(method: &str, path_start: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let is_meant = |exchange: &Value| {
        exchange["method"] == method
            && exchange["path"].as_str().expect("a path").strip_prefix("/api/morango/v1/").is_some_and(|path| {
                path == path_start || path_start.ends_with('/') && method != "POST" && path.starts_with(path_start)
            })
            && exchange["status"].as_u64().expect("a status") < 300
    };
    let bytes = |value: &Value| value.to_string().into_bytes();
    let found: Vec<_> = exchanges()
        .into_iter()
        .filter(|(_, exchange)| is_meant(exchange))
        .map(|(_, exchange)| (bytes(&exchange["body"]), bytes(&exchange["answer"])))
        .collect();
    assert!(!found.is_empty(), "{method} {path_start} was recorded");
    found
}

#[test]
fn whatever_a_python_server_answers_is_read() {
    for (_, answer) in good("GET", "morangoinfo/1/") {
        let info = read_info(&answer).expect("info");
        assert_eq!((info.version.as_str(), info.instance_hash.len(), info.instance_id.len()), ("0.8.15", 11, 32));
    }
    for (_, answer) in good("GET", "certificates/") {
        read_certificates(&answer).expect("certificates");
    }
    for (_, answer) in good("POST", "certificates/") {
        read_certificate(&answer).expect("a certificate").body().expect("that of a certificate");
    }
    for (_, answer) in good("POST", "nonces/") {
        assert_eq!(read_nonce(&answer).expect("a nonce").len(), 32);
    }
    for (_, answer) in good("POST", "syncsessions/") {
        read_sync_session_answer(&answer).expect("a sync session");
    }
    for method in ["POST", "GET", "PATCH"] {
        for (_, answer) in good(method, "transfersessions/") {
            let transfer = read_transfer_session(&answer).expect("a transfer session");
            assert!(transfer.stage.is_some() && transfer.status.is_some());
        }
    }
    for (_, answer) in good("GET", "buffers/") {
        let records = read_chunk(&answer).expect("a page");
        assert!(records.iter().all(|record| matches!(record, ReceivedRecord::Readable(_))));
    }
}

#[test]
fn whatever_a_python_client_asks_is_read() {
    for (body, _) in good("POST", "certificates/") {
        let (parent, request) = read_certificate_request(&body).expect("a request");
        let written: Value = serde_json::from_slice(&write_certificate_request(&parent, &request)).expect("JSON");
        assert_eq!(written, serde_json::from_slice::<Value>(&body).expect("JSON"));
    }
    for (body, _) in good("POST", "syncsessions/") {
        let request = read_sync_session_request(&body).expect("a request");
        let mut written: Value =
            serde_json::from_slice(&write_sync_session_request(&request).expect("good certificates")).expect("JSON");
        let mut asked: Value = serde_json::from_slice(&body).expect("JSON");
        // The chain is a text in a text, whose blanks differ.
        let chain = |request: &mut Value| golden(request["certificate_chain"].take().as_str().expect("a text"));
        let (ours, mut theirs) = (chain(&mut written), chain(&mut asked));
        // Of what the package writes beside the signed text it reads nothing but the id.
        for certificate in theirs.as_array_mut().into_iter().flatten() {
            let members = certificate.as_object_mut().expect("an object");
            members.retain(|name, _| ["id", "serialized", "signature"].contains(&name.as_str()));
        }
        assert_eq!(ours, theirs);
        assert_eq!(written, asked);
    }
    for (body, _) in good("POST", "transfersessions/") {
        read_transfer_session_request(&body).expect("a request");
    }
    for (body, _) in good("PATCH", "transfersessions/") {
        read_proceed(&body).expect("a request");
    }
    for (body, _) in good("POST", "buffers/") {
        let records = read_chunk(&body).expect("a chunk");
        assert!(records.iter().all(|record| matches!(record, ReceivedRecord::Readable(_))));
    }
}

#[test]
fn what_a_python_server_refuses_becomes_the_error_that_it_is() {
    let mut kinds = Vec::new();
    for (_, exchange) in exchanges().into_iter().filter(|(name, _)| name == "refused") {
        let path = exchange["path"].as_str().expect("a path").trim_start_matches("/api/morango/v1/");
        let one = path.split('/').nth(1).is_some_and(|id| !id.is_empty());
        let call = match (exchange["method"].as_str().expect("a method"), path.split('/').next().expect("a resource")) {
            ("POST", "certificates") => Call::RequestCertificate,
            ("POST", "syncsessions") => Call::CreateSyncSession,
            ("DELETE", "syncsessions") => Call::CloseSyncSession,
            ("POST", "transfersessions") => Call::CreateTransferSession,
            ("GET", "transfersessions") if one => Call::TransferSession,
            ("PATCH", "transfersessions") => Call::Proceed,
            ("DELETE", "transfersessions") => Call::CloseTransferSession,
            ("GET", "buffers") => Call::FetchChunk,
            ("POST", "buffers") => Call::SendChunk,
            _ => continue,
        };
        let status = u16::try_from(exchange["status"].as_u64().expect("a status")).expect("a status");
        let answer = match &exchange["answer"] {
            Value::String(html) if html.contains("<html") => html.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        };
        let error = error_of_answer(call, status, &answer);
        assert!(!error.is_retryable() && error.to_string().contains(&status.to_string()), "{error}");
        kinds.push((call, status, error.kind()));
    }
    for expected in [
        (Call::RequestCertificate, 401, ErrorKind::Unauthenticated),
        (Call::RequestCertificate, 403, ErrorKind::Forbidden),
        (Call::RequestCertificate, 400, ErrorKind::CertificateUnknown),
        (Call::RequestCertificate, 400, ErrorKind::CertificateExceedsParent),
        (Call::RequestCertificate, 500, ErrorKind::PeerRefused),
        (Call::CreateSyncSession, 403, ErrorKind::NonceInvalid),
        (Call::CreateSyncSession, 403, ErrorKind::SignatureInvalid),
        (Call::CreateSyncSession, 400, ErrorKind::CertificateUnknown),
        (Call::CreateSyncSession, 403, ErrorKind::CertificateInvalid),
        (Call::CloseSyncSession, 404, ErrorKind::SessionUnknown),
        (Call::CreateTransferSession, 400, ErrorKind::SessionUnknown),
        (Call::CreateTransferSession, 403, ErrorKind::FilterOutsideScope),
        (Call::TransferSession, 404, ErrorKind::SessionUnknown),
        (Call::Proceed, 404, ErrorKind::SessionUnknown),
        (Call::FetchChunk, 403, ErrorKind::SessionUnknown),
        (Call::SendChunk, 403, ErrorKind::SessionConflict),
    ] {
        assert!(kinds.contains(&expected), "{expected:?} among {kinds:?}");
    }
}

#[test]
fn errors_in_every_shape_are_quoted_and_bounded() {
    let text = |body: &str| error_of_answer(Call::Nonce, 400, body.as_bytes()).to_string();
    assert!(text(r#""plain""#).ends_with(r#"400 "plain""#));
    assert!(text(r#"{"detail": "in\nlines"}"#).ends_with(r#""in lines""#));
    assert!(text(r#"["one text"]"#).ends_with(r#""one text""#));
    assert!(text(r#"{"error_class": "Odd", "error_message": "why"}"#).ends_with(r#""Odd: why""#));
    assert!(text(r#"[{"id": "NO_SPACE", "metadata": {}}]"#).contains("NO_SPACE"));
    assert!(text("<html><title>\n Oops (500)\n</title><body>long</body>").ends_with(r#""Oops (500)""#));
    assert!(text("").ends_with("with an empty body"));
    assert!(text(&"é\u{7}".repeat(1_000_000)).len() < 3 * limits::QUOTED_ANSWER_BYTES_MAX);
}

#[test]
fn our_own_errors_cross_the_line_by_their_code_and_faults_within_a_peer_stay_there() {
    let cross = |error: crate::Error| error_of_answer(Call::Proceed, status_of(error.kind()), &problem_body(&error));
    let refused = cross(crate::Error::new(ErrorKind::FilterOutsideScope, "open it: the filter reaches outside"));
    assert_eq!(refused.kind(), ErrorKind::FilterOutsideScope);
    assert!(refused.to_string().contains("the filter reaches outside"));
    let old = cross(crate::Error::new(ErrorKind::NonceInvalid, "take the nonce").with_hint("ask for a new one"));
    assert!(old.to_string().contains("ask for a new one"), "a peer's people are to know what to do");

    let full = cross(crate::Error::new(ErrorKind::StorageFull, "write to \"/secret/notes.db\""));
    assert_eq!((full.kind(), full.is_retryable()), (ErrorKind::PeerRefused, false));
    assert!(!full.to_string().contains("secret"));

    let busy = cross(crate::Error::new(ErrorKind::StorageBusy, "write"));
    assert_eq!((busy.kind(), busy.is_retryable()), (ErrorKind::PeerRefused, true));
}

#[test]
fn a_list_is_no_object_whose_members_stand_in_their_order() {
    for body in ["[]", " \n[]", r#"["queuing"]"#, r#"["queuing", null, 5, 5, 5, 5]"#] {
        assert!(read_proceed(body.as_bytes()).is_err(), "{body}");
    }
    assert!(read_nonce(br#"["0123456789abcdef0123456789abcdef"]"#).is_err());
    assert!(read_certificate(br#"["{}", "AAAA"]"#).is_err());
}

#[test]
fn a_wall_between_the_peers_is_not_taken_for_the_peer() {
    let kind = |call, status, body: &str| error_of_answer(call, status, body.as_bytes()).kind();
    let html = "<html><title>403 Forbidden</title></html>";
    assert_eq!(kind(Call::CreateTransferSession, 403, html), ErrorKind::PeerRefused);
    assert_eq!(kind(Call::Proceed, 404, "<html>nothing here</html>"), ErrorKind::PeerAnswerUnexpected);
    assert_eq!(kind(Call::Info, 404, r#"{"detail": "Not found."}"#), ErrorKind::PeerAnswerUnexpected);
    assert!(error_of_answer(Call::Info, 502, html.as_bytes()).is_retryable());
}

fn session() -> TransferSessionId {
    TransferSessionId::hash_of("session")
}

fn record(name: &str) -> StoreRecord {
    let laptop = InstanceId::hash_of("laptop");
    let counters = [Stamp::new(laptop, 3), Stamp::new(InstanceId::hash_of("phone"), 7)];
    StoreRecord {
        id: SyncId::hash_of(name),
        profile: "notebook".to_owned(),
        model_name: "note".to_owned(),
        partition: "me:notes".to_owned(),
        source_id: name.to_owned(),
        serialized: "{\"title\": \"Grüße \\\"\u{1f33b}\\\"\"}\u{0}\u{2028}".to_owned(),
        conflicting_serialized_data: "one\ntwo".to_owned(),
        deleted: true,
        hard_deleted: false,
        last_saved: Stamp::new(laptop, 3),
        self_ref_fk: String::new(),
        counters: RecordMaxCounters::from_stamps(counters).expect("good counters"),
    }
}

/// Whatever may be in a store goes on to others: no record is too long for a body.
#[test]
fn the_longest_record_fits_in_a_page() {
    let numbers = 0..limits::RECORD_MAX_COUNTERS_MAX;
    let stamps = numbers.map(|number| Stamp::new(InstanceId::hash_of(&number.to_string()), limits::COUNTER_MAX));
    let text = |bytes: usize| "\u{1}".repeat(bytes / 6);
    let longest = StoreRecord {
        profile: text(6 * limits::NAME_CHARS_MAX),
        model_name: text(6 * limits::NAME_CHARS_MAX),
        partition: text(6 * limits::PARTITION_BYTES_MAX),
        source_id: text(6 * limits::SOURCE_ID_CHARS_MAX),
        serialized: text(limits::SERIALIZED_BYTES_MAX),
        conflicting_serialized_data: text(limits::CONFLICTING_BYTES_MAX),
        self_ref_fk: text(6 * limits::NAME_CHARS_MAX),
        counters: RecordMaxCounters::from_stamps(stamps).expect("not too many"),
        ..record("longest")
    };
    let page = write_page(&session(), &[longest], 1, &PageLinks::default());
    assert!(page.len() < limits::BODY_BYTES_MAX, "{}", page.len());
}

fn readable(received: ReceivedRecord) -> LooseRecord {
    match received {
        ReceivedRecord::Readable(record) => *record,
        ReceivedRecord::Unreadable { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn a_chunk_that_we_write_is_read_back_and_has_the_members_of_a_python_one() {
    let records = [record("a"), record("b")];
    let mut body = Vec::new();
    write_chunk(&session(), &records, &mut body);
    let read: Vec<_> = read_chunk(&body).expect("our own chunk").into_iter().map(readable).collect();
    let expected: Vec<_> =
        records.into_iter().map(|record| LooseRecord::from_store_record(record, session())).collect();
    assert_eq!(read, expected);

    let names = |value: &Value| value.as_object().expect("a record").keys().cloned().collect::<Vec<_>>();
    let ours: Value = serde_json::from_slice(&body).expect("JSON");
    let python = &golden(include_str!("../../../tests/fixtures/buffer.json"))["of_each_model"]["user"];
    assert_eq!(names(&ours[0]), names(python));
    assert_eq!(names(&ours[0]["rmcb_list"][0]), names(&python["rmcb_list"][0]));
}

#[test]
fn records_of_every_recorded_dress_are_read_and_written_as_they_were() {
    let fixture = golden(include_str!("../../../tests/fixtures/buffer.json"));
    let groups = ["of_each_model", "samplers", "odd"].map(|name| fixture[name].clone());
    let mut seen = 0;
    for record in groups.iter().flat_map(records_within) {
        let body = record.to_string();
        let read = readable(read_chunk(body.as_bytes()).expect("one bare record").remove(0));
        let session: TransferSessionId = read.transfer_session.parse().expect("an id");
        let store = read.into_store_record(session).expect("a good record");
        let mut written = Vec::new();
        write_chunk(&session, &[store], &mut written);
        let mut written: Value = serde_json::from_slice(&written).expect("JSON");
        let mut expected = record.clone();
        // The order of the counters means nothing.
        for list in [&mut written[0]["rmcb_list"], &mut expected["rmcb_list"]] {
            list.as_array_mut().expect("a list").sort_by_key(ToString::to_string);
        }
        assert_eq!(written[0], expected);
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}

/// The records anywhere within a part of the fixture.
fn records_within(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(members) if members.contains_key("rmcb_list") => vec![value],
        Value::Object(members) => members.values().flat_map(records_within).collect(),
        Value::Array(items) => items.iter().flat_map(records_within).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn one_bad_record_spoils_no_other_and_nulls_are_forgiven() {
    let mut good = Vec::new();
    write_chunk(&session(), &[record("good")], &mut good);
    let mut forgiving: Value = serde_json::from_slice::<Value>(&good).expect("JSON")[0].take();
    for name in ["serialized", "conflicting_serialized_data", "_self_ref_fk", "rmcb_list", "hard_deleted"] {
        forgiving[name] = Value::Null;
    }
    let good = String::from_utf8(good).expect("text").trim_matches(['[', ']']).to_owned();
    let bad = [
        "null".to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
        good.replace("\"last_saved_counter\":3", "\"last_saved_counter\":\"3\""),
        good.replace("\"last_saved_counter\":3", "\"last_saved_counter\":99999999999999999999"),
        good.replace("\"profile\":\"notebook\"", "\"profile\":\"\\ud800\""),
    ];
    let body = format!("[{good}, {forgiving}, {}]", bad.join(","));
    let mut records = read_chunk(body.as_bytes()).expect("a chunk").into_iter();
    assert_eq!(readable(records.next().expect("the good one")).source_id, "good");
    let forgiven = readable(records.next().expect("the one with nulls"));
    assert_eq!((forgiven.serialized.as_str(), forgiven.counters.len()), ("", 0));
    let refused: Vec<_> = records.collect();
    assert_eq!(refused.len(), bad.len());
    for (received, bad) in refused.iter().zip(&bad) {
        assert!(matches!(received, ReceivedRecord::Unreadable { received, .. } if received == bad), "{received:?}");
    }
}

#[test]
fn a_chunk_comes_as_a_list_a_page_or_one_bare_record_and_nothing_else() {
    let count =
        |body: &str| read_chunk(body.as_bytes()).map(|records| records.len()).map_err(|error| error.to_string());
    let mut list = Vec::new();
    write_chunk(&session(), &[record("a")], &mut list);
    let list = String::from_utf8(list).expect("text");
    let bare = list.trim_matches(['[', ']']);
    let page = write_page(&session(), &[record("a")], 9, &PageLinks { next: Some("there".to_owned()), previous: None });
    for body in [list.as_str(), bare, &format!("\n {bare}"), std::str::from_utf8(&page).expect("text")] {
        assert_eq!(count(body), Ok(1));
    }
    assert_eq!(count(r#"{"count": 0, "next": null, "previous": null, "results": []}"#), Ok(0));
    for body in ["", "[", "7", "{}", "null", r#"{"detail": "no"}"#, r#"{"results": null}"#, "<html>", "[1] 2"] {
        assert!(count(body).is_err(), "{body}");
    }
    let many = format!("[{}1]", "1,".repeat(limits::CHUNK_RECORDS_ACCEPTED_MAX));
    assert!(matches!(read_chunk(many.as_bytes()), Err(WireError::TooMuch { .. })));
    let many = format!("{{\"results\": {many}}}");
    assert!(matches!(read_chunk(many.as_bytes()), Err(WireError::TooMuch { .. })));
}

#[test]
fn a_transfer_session_of_an_old_peer_has_no_stage_and_one_without_a_filter_is_none() {
    let id = session();
    let old = format!(r#"{{"id": "{id}", "filter": "a\nb", "records_total": null, "records_transferred": null}}"#);
    let transfer = read_transfer_session(old.as_bytes()).expect("an old peer's");
    assert_eq!((transfer.stage, transfer.records_total, transfer.server_fsic), (None, None, None));
    assert_eq!(transfer.filter.prefixes(), ["a", "b"]);
    for body in [format!(r#"{{"id": "{id}"}}"#), format!(r#"{{"id": "{id}", "filter": null}}"#)] {
        assert!(read_transfer_session(body.as_bytes()).is_err(), "a missing filter must never mean everything");
    }
}

#[test]
fn a_transfer_session_that_we_write_is_read_back() {
    let started_at = chrono::DateTime::from_timestamp(1_700_000_000, 5_000).expect("a time");
    let certificates = (CertificateId::hash_of("client"), CertificateId::hash_of("server"));
    let sync = SyncSession::begin(SyncSessionId::hash_of("sync"), Side::Server, "notebook", certificates, started_at);
    let mut session = TransferSession::begin(&sync, session(), Direction::Pull, Filter::everything(), started_at);
    let body = write_transfer_session(&session, &Capabilities::ours(), Telling::Everything).expect("good");
    let text = std::str::from_utf8(&body).expect("text");
    for part in [r#""start_timestamp":"2023-11-14T22:13:20.000005Z""#, r#""server_fsic":"{}""#, r#""filter":"""#] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(read_transfer_session(&body).expect("our own").server_fsic, None, "nothing is serialized yet");

    session.stage = Stage::Queuing;
    let body = write_transfer_session(&session, &Capabilities::ours(), Telling::Everything).expect("good");
    let read = read_transfer_session(&body).expect("our own");
    assert_eq!((read.stage, read.status), (Some(Stage::Queuing), Some(StageStatus::Completed)));
    assert_eq!(read.server_fsic, Some(std::sync::Arc::default()), "serialized, and there was nothing");
    assert!(read.filter.is_everything());
    for (telling, fsic) in [(Telling::Counters, read.server_fsic.clone()), (Telling::Standing, None)] {
        let body = write_transfer_session(&session, &Capabilities::ours(), telling).expect("good");
        let brief = read_transfer_session(&body).expect("our own");
        assert_eq!(brief, RemoteTransfer { server_fsic: fsic, ..read.clone() }, "{telling:?}");
    }
}
