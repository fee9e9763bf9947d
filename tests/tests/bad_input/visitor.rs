//! A client by hand: it knows the protocol, and sends whatever a story wants.

use std::cell::Cell;

use morango::id::{InstanceId, SyncId, SyncSessionId, TransferSessionId};
use morango::model::record_id;
use morango::record::record_partition;
use morango::session::Direction;
use morango_tests::http::{Answer, Request};
use serde_json::{Value, json};

use super::papers::{Papers, chain_text};

/// The instance in whose name a visitor saves records.
pub(crate) fn instance() -> String {
    InstanceId::hash_of("the visitor's instance").to_string()
}

/// Somebody with papers at a server.
pub(crate) struct Visitor {
    pub(crate) url: String,
    pub(crate) papers: Papers,
    capabilities: &'static str,
    counter: Cell<i64>,
}

impl Visitor {
    pub(crate) fn new(url: &str, papers: Papers) -> Self {
        let capabilities = "FSIC_V2_FORMAT ASYNC_OPERATIONS GZIP_BUFFER_POST";
        Self { url: url.to_owned(), papers, capabilities, counter: Cell::new(0) }
    }

    /// The same, who can do other things.
    pub(crate) fn with_capabilities(self, capabilities: &'static str) -> Self {
        Self { capabilities, ..self }
    }

    pub(crate) fn send(&self, request: Request) -> Answer {
        request.header("X-Morango-Capabilities", self.capabilities).send(&self.url)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Request::new("POST", path).json(body))
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Request::new("PATCH", path).json(body))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send(Request::new("DELETE", path))
    }

    pub(crate) fn nonce(&self) -> String {
        let answer = self.send(Request::new("POST", "nonces/"));
        assert_eq!(answer.status, 201, "a nonce is for everybody");
        answer.value()["id"].as_str().expect("a text").to_owned()
    }

    /// A good request for a sync session, with a nonce of its own.
    pub(crate) fn session_request(&self) -> Value {
        let id = SyncSessionId::random().to_string();
        let nonce = self.nonce();
        json!({
            "id": id,
            "server_certificate_id": Papers::root().id().to_string(),
            "client_certificate_id": self.papers.id().to_string(),
            "profile": self.papers.body.profile,
            "certificate_chain": chain_text(&self.papers.chain),
            "connection_path": self.url,
            "instance": json!({ "id": instance() }).to_string(),
            "client_ip": "127.0.0.1",
            "server_ip": "127.0.0.1",
            "signature": self.papers.key.sign(&format!("{nonce}:{id}")).expect("a sound key signs"),
            "nonce": nonce,
        })
    }

    /// Opens a sync session, and says its id.
    pub(crate) fn open_session(&self) -> String {
        let request = self.session_request();
        let answer = self.post("syncsessions/", &request);
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        request["id"].as_str().expect("a text").to_owned()
    }

    /// Asks for a transfer session with this filter.
    pub(crate) fn request_transfer(&self, session: &str, direction: Direction, filter: &str) -> (String, Answer) {
        self.request_transfer_with(session, direction, filter, &json!("{}"))
    }

    /// The same, telling these counters at once.
    pub(crate) fn request_transfer_with(
        &self,
        session: &str,
        direction: Direction,
        filter: &str,
        counters: &Value,
    ) -> (String, Answer) {
        let id = TransferSessionId::random().to_string();
        let request = json!({
            "id": id, "filter": filter, "push": direction == Direction::Push, "sync_session_id": session,
            "client_fsic": counters,
        });
        let answer = self.post("transfersessions/", &request);
        (id, answer)
    }

    /// Opens a sync session and a transfer session in it, and says the id of the latter.
    pub(crate) fn open_transfer(&self, direction: Direction, filter: &str) -> String {
        let (id, answer) = self.request_transfer(&self.open_session(), direction, filter);
        assert!(matches!(answer.status, 201 | 202), "{}", String::from_utf8_lossy(&answer.body));
        id
    }

    /// Takes a transfer session to a stage, and waits until it is there.
    pub(crate) fn proceed(&self, transfer: &str, stage: &str, more: &Value) -> Value {
        let mut request = json!({ "transfer_stage": stage });
        request.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let session = self.patch_until_done(transfer, &request);
        assert_eq!(session["transfer_stage_status"], "completed", "{stage}");
        session
    }

    /// Changes a transfer session, and waits until nothing is done for it any more, however that ended.
    pub(crate) fn patch_until_done(&self, transfer: &str, request: &Value) -> Value {
        let path = format!("transfersessions/{transfer}/");
        let mut answer = self.patch(&path, request);
        for _ in 0..1_000 {
            assert_eq!(answer.status, 200, "{:.2000}", String::from_utf8_lossy(&answer.body));
            let session = answer.value();
            let is_there = session["transfer_stage"] == request["transfer_stage"];
            match session["transfer_stage_status"].as_str() {
                Some("errored") => return session,
                Some("completed") if is_there => return session,
                _ => answer = self.get(&path),
            }
        }
        panic!("{transfer} does not come to an end: {request:.2000}");
    }

    /// Opens a push that is ready to take so many records.
    pub(crate) fn open_push(&self, filter: &str, total: usize) -> String {
        let transfer = self.open_transfer(Direction::Push, filter);
        let counters = json!({ "sub": { filter: { instance(): 1_000_000 } }, "super": {} });
        self.proceed(&transfer, "serializing", &json!({ "client_fsic": counters.to_string() }));
        self.proceed(&transfer, "queuing", &json!({ "records_total": total }));
        transfer
    }

    /// Pushes a chunk.
    pub(crate) fn push(&self, records: &[Value]) -> Answer {
        self.post("buffers/", &Value::Array(records.to_vec()))
    }

    /// Takes a push through its last stages and closes it.
    pub(crate) fn finish_push(&self, transfer: &str) {
        self.proceed(transfer, "dequeuing", &json!({}));
        self.proceed(transfer, "deserializing", &json!({}));
        assert_eq!(self.delete(&format!("transfersessions/{transfer}/")).status, 204);
    }

    /// Pulls everything under a filter.
    pub(crate) fn pull(&self, filter: &str) -> Vec<Value> {
        let transfer = self.open_transfer(Direction::Pull, filter);
        self.proceed(&transfer, "queuing", &json!({ "client_fsic": r#"{"sub": {}, "super": {}}"# }));
        let answer = self.get(&format!("buffers/?transfer_session_id={transfer}"));
        assert_eq!(answer.status, 200);
        let Value::Array(records) = answer.value() else { panic!("a list of records") };
        assert_eq!(self.delete(&format!("transfersessions/{transfer}/")).status, 204);
        records
    }

    /// A good record of a model that the application does not know.
    pub(crate) fn record(&self, transfer: &str, partition: &str, source_id: &str) -> Value {
        self.record_of(transfer, "mystery", partition, source_id, r#"{"word": "good"}"#)
    }

    /// A good record of a model, saved by the visitor's instance.
    pub(crate) fn record_of(
        &self,
        transfer: &str,
        model: &str,
        partition: &str,
        source_id: &str,
        serialized: &str,
    ) -> Value {
        let counter = self.counter.get() + 1;
        self.counter.set(counter);
        let id = record_id(partition, source_id, model);
        json!({
            "serialized": serialized,
            "deleted": false,
            "last_saved_instance": instance(),
            "last_saved_counter": counter,
            "hard_deleted": false,
            "partition": record_partition(partition, &id),
            "source_id": source_id,
            "model_name": model,
            "conflicting_serialized_data": "",
            "model_uuid": id.to_string(),
            "transfer_session": transfer,
            "profile": self.papers.body.profile,
            "rmcb_list": [{
                "transfer_session": transfer, "model_uuid": id.to_string(), "instance_id": instance(), "counter": counter,
            }],
            "_self_ref_fk": "",
        })
    }
}

/// The id in a record by hand.
pub(crate) fn id_of(record: &Value) -> SyncId {
    record["model_uuid"].as_str().expect("a text").parse().expect("an id")
}

/// Asserts that an answer is a refusal with this status and code, whose text says what was refused.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16, code: &str, words: &str) {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{text}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("application/json")), "{answer:?}");
    let body = answer.value();
    assert_eq!(body["code"], code, "{text}");
    let detail = body["detail"].as_str().expect("a text for people");
    assert!(detail.starts_with("failed to "), "{detail}");
    assert!(detail.contains(words), "{detail:?} does not say {words:?}");
    assert!(detail.len() < 2_000, "{} bytes are no message", detail.len());
}
