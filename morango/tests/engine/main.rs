//! Stories of two engines in one process: they meet over `LocalPeer`, without a line and without SQL.

mod broken_line;
mod conflicts;
mod dialects;
mod gate;
mod giving_way;
mod honesty;
mod hooks;
mod memory;
mod operations;
mod papers;
mod power;
mod restored;
mod resume;
mod several;

use std::sync::{Arc, Mutex, OnceLock};

use morango::counter::Instances;
use morango::engine::EngineBuilder;
use morango::identity::SystemFacts;
use morango::model::Registry;
use morango::port::{
    CertificateQuery, Peer, ProceedRequest, ReceivedRecord, Storage as _, SyncSessionRequest, TransferSessionRequest,
};
use morango::prelude::*;
use morango::scope::ScopeDefinitionSource;
use morango::session::{Capabilities, Capability, StageStatus};
use morango::transfer::{Caller, LocalPeer, Responder};
use morango::{Result, limits};

use memory::{Memory, PROFILE};

const WHOLE: ScopeDefinitionSource = ScopeDefinitionSource {
    profile: PROFILE,
    id: "whole-notebook",
    version: 1,
    primary: Some("owner_id"),
    description: "Everything of ${owner_id}",
    read: &[],
    write: &[],
    read_write: &["${owner_id}"],
};

const READER: ScopeDefinitionSource = ScopeDefinitionSource {
    profile: PROFILE,
    id: "reader",
    version: 1,
    primary: None,
    description: "To read the notes of ${owner_id}",
    read: &["${owner_id}:notes"],
    write: &[],
    read_write: &[],
};

/// The application's users: Ada may have anything, nobody else may.
struct Ada;

impl Accounts for Ada {
    fn authorize(&self, credentials: &Credentials, _request: &GrantRequest<'_>) -> Result<()> {
        match (credentials.user.as_str(), credentials.password.as_str()) {
            ("ada", "secret") => Ok(()),
            ("ada", _) => Err(Error::unauthenticated("log in: the password is wrong")),
            _ => Err(Error::forbidden("grant a certificate: only Ada may have one")),
        }
    }
}

fn builder(memory: &Memory) -> EngineBuilder {
    let registry = Registry::builder().scope(&WHOLE).scope(&READER).build().expect("two good definitions");
    let facts = SystemFacts { hostname: "test".to_owned(), ..SystemFacts::default() };
    Engine::builder(memory.clone()).registry(registry).system_facts(facts)
}

fn engine(memory: &Memory) -> Engine {
    builder(memory).build().expect("an engine")
}

/// The storages of a laptop and a phone with their certificates, from which every story begins: making keys is slow.
static PREPARED: OnceLock<(Memory, Memory, Vec<Certificate>)> = OnceLock::new();

fn prepare() -> (Memory, Memory, Vec<Certificate>) {
    let (laptop, phone) = (Memory::default(), Memory::default());
    let server = engine(&laptop);
    let root = server.create_root_certificate(PROFILE, "whole-notebook", &[]).expect("a root");
    let (peer, owner) = (LocalPeer::new(server.responder(Ada)), root.id().to_string());
    let ask = |scope| {
        let credentials = Credentials::new("ada", "secret");
        engine(&phone).request_certificate(&peer, &root, scope, &[("owner_id", &owner)], &credentials)
    };
    let certificates = ["whole-notebook", "reader"].map(|scope| ask(scope).expect("Ada may have it"));
    (laptop, phone, certificates.into())
}

/// So many devices that all speak for a whole notebook, and its certificate.
fn devices<const N: usize>() -> ([Memory; N], Certificate) {
    let (laptop, _, certificates) = PREPARED.get_or_init(prepare);
    let root = certificates[0].parent_id().expect("it is below the root");
    let root = laptop.certificate(&root).expect("it can be read").expect("it is the laptop's").certificate;
    ([(); N].map(|()| Memory::with_certificates_of(laptop)), root)
}

/// A laptop that owns a notebook, and a phone that was granted all of it.
struct Pair {
    laptop: Memory,
    phone: Memory,
    responder: Responder,
    engine: Engine,
    certificate: Certificate,
}

impl Pair {
    fn new() -> Self {
        Self::granted("whole-notebook")
    }

    fn granted(scope: &str) -> Self {
        Self::built(scope, |laptop| laptop, |phone| phone)
    }

    /// The same, of engines that can do no more than this.
    fn that_can(scope: &str, laptop_can: Capabilities, phone_can: Capabilities) -> Self {
        Self::built(scope, |laptop| laptop.capabilities(laptop_can), |phone| phone.capabilities(phone_can))
    }

    /// The same, with engines that are told more.
    fn built(
        scope: &str,
        laptop_with: impl FnOnce(EngineBuilder) -> EngineBuilder,
        phone_with: impl FnOnce(EngineBuilder) -> EngineBuilder,
    ) -> Self {
        let (laptop, phone, certificates) = PREPARED.get_or_init(prepare);
        let certificate = certificates.iter().find(|certificate| certificate.scope_definition_id() == scope);
        let (laptop, phone) = (Memory::with_certificates_of(laptop), Memory::with_certificates_of(phone));
        Self {
            responder: laptop_with(builder(&laptop)).build().expect("an engine").responder(Ada),
            engine: phone_with(builder(&phone)).build().expect("an engine"),
            certificate: certificate.expect("it was granted").clone(),
            laptop,
            phone,
        }
    }

    fn owner(&self) -> CertificateId {
        self.certificate.parent_id().expect("it is below the root")
    }

    fn notes(&self) -> String {
        format!("{}:notes", self.owner())
    }

    fn peer(&self) -> LocalPeer {
        LocalPeer::new(self.responder.clone())
    }

    fn sync(&self, options: SyncOptions) -> Result<SyncReport> {
        self.engine.sync(&self.peer(), &self.certificate, options)
    }

    /// What the phone shows the laptop to open a sync session, with a nonce of the laptop's.
    fn sync_session_request(&self) -> SyncSessionRequest {
        let nonce = self.responder.issue_nonce(&Caller::default()).expect("a nonce");
        let id = morango::id::SyncSessionId::random();
        let storage = self.engine.storage();
        let key = storage.private_key(&self.certificate.id()).expect("a key").expect("it is ours");
        let chain = storage.certificates(&CertificateQuery::AncestorsOf { id: self.certificate.id(), profile: None });
        SyncSessionRequest {
            id,
            server_certificate: self.owner(),
            client_certificate: self.certificate.id(),
            profile: PROFILE.to_owned(),
            certificate_chain: chain.expect("a chain").iter().map(|it| (&it.certificate).into()).collect(),
            connection_path: String::new(),
            instance: "{}".to_owned(),
            nonce: nonce.id.to_string(),
            client_ip: String::new(),
            server_ip: String::new(),
            signature: key.sign(&format!("{}:{id}", nonce.id)).expect("a sound key signs"),
        }
    }

    /// A transfer as a client without a controller drives it.
    fn open(&self, capabilities: Capabilities, direction: Direction) -> TransferSessionRequest {
        let request = self.sync_session_request();
        let caller = Caller { capabilities, ip: String::new() };
        self.responder.create_sync_session(&caller, &request).expect("a sync session");
        let again = self.responder.create_sync_session(&caller, &request).expect_err("the nonce was used");
        assert_eq!(again.kind(), ErrorKind::NonceInvalid);
        TransferSessionRequest {
            id: morango::id::TransferSessionId::random(),
            sync_session: request.id,
            direction,
            filter: Filter::new([self.notes()]).expect("a prefix"),
            client_fsic: None,
            records_total: None,
        }
    }
}

#[test]
fn two_peers_converge_and_leave_nothing_behind() {
    let pair = Pair::new();
    for number in 0..25 {
        pair.laptop.save(&pair.notes(), &format!("l{number}"), "from the laptop");
        pair.phone.save(&pair.notes(), &format!("p{number}"), "from the phone");
    }
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let options = SyncOptions::both_ways().chunk_size(4).on_event(move |event| {
        if let Event::Stage { stage, direction, phase: Phase::Completed, .. } = event {
            seen.lock().expect("a list").push((*direction, *stage));
        }
    });
    let report = pair.sync(options).expect("a good sync");
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.records_transferred(), 50, "{report}");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert_eq!(pair.laptop.rows().len(), 50);
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
    let every_stage = |direction| Stage::ALL.map(|stage| (direction, stage));
    let expected = [every_stage(Direction::Pull), every_stage(Direction::Push)].concat();
    assert_eq!(*events.lock().expect("a list"), expected);
}

#[test]
fn a_sync_with_nothing_new_sends_nothing_and_asks_little() {
    let pair = Pair::new();
    pair.phone.save(&pair.notes(), "1", "milk");
    pair.sync(SyncOptions::both_ways()).expect("a good sync");
    let report = pair.sync(SyncOptions::both_ways()).expect("a good sync");
    assert_eq!(report.records_transferred(), 0);
    assert!(report.traffic.requests <= 14, "{report}");
}

#[test]
fn both_sides_changed_one_note_and_both_end_with_the_same() {
    let pair = Pair::new();
    let note = pair.laptop.save(&pair.notes(), "1", "milk");
    pair.sync(SyncOptions::pull()).expect("a good sync");
    pair.laptop.save(&pair.notes(), "1", "bread");
    pair.phone.save(&pair.notes(), "1", "cheese");
    let report = pair.sync(SyncOptions::both_ways()).expect("a good sync");
    assert_eq!(report.pull.and_then(|pull| pull.dequeue).map(|dequeue| dequeue.conflicts), Some(1));
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
    assert_eq!(pair.phone.rows()[&note], "cheese");
}

#[test]
fn a_reader_pulls_and_cannot_push() {
    let pair = Pair::granted("reader");
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.laptop.save(&format!("{}:diary", pair.owner()), "1", "secret");
    let error = pair.sync(SyncOptions::both_ways()).expect_err("a reader cannot push");
    assert_eq!(error.kind(), ErrorKind::FilterOutsideScope, "{error:?}");
    let report = pair.sync(SyncOptions::pull()).expect("a reader may pull");
    assert_eq!(report.records_transferred(), 1);
    assert_eq!(pair.phone.rows().into_values().collect::<Vec<_>>(), ["milk"]);
    for filter in [Filter::everything(), Filter::new([pair.owner().to_string()]).expect("a prefix")] {
        let error = pair.sync(SyncOptions::pull().filter(filter)).expect_err("beyond the notes");
        assert_eq!(error.kind(), ErrorKind::FilterOutsideScope);
    }
}

#[test]
fn a_client_that_asks_for_more_than_its_certificate_is_refused() {
    let pair = Pair::granted("reader");
    let pull = pair.open(Capabilities::ours(), Direction::Pull);
    let wide = TransferSessionRequest { filter: Filter::everything(), ..pull.clone() };
    let push = TransferSessionRequest { direction: Direction::Push, ..pull };
    for request in [wide, push] {
        let error = pair.responder.create_transfer_session(&request).expect_err("outside its scope");
        assert_eq!(error.kind(), ErrorKind::FilterOutsideScope);
    }
}

#[test]
fn nobody_is_granted_a_certificate_without_leave() {
    let pair = Pair::new();
    let owner = pair.owner().to_string();
    for (user, password, params, kind) in [
        ("ada", "guess", owner.as_str(), ErrorKind::Unauthenticated),
        ("bob", "secret", owner.as_str(), ErrorKind::Forbidden),
        ("ada", "secret", "somebody-else", ErrorKind::CertificateExceedsParent),
    ] {
        let credentials = Credentials::new(user, password);
        let asked = pair.engine.request_certificate(
            &pair.peer(),
            pair.owner(),
            "reader",
            &[("owner_id", params)],
            &credentials,
        );
        assert_eq!(asked.expect_err("not allowed").kind(), kind, "{user}");
    }
}

#[test]
fn a_stage_that_fails_on_the_server_is_told_and_a_new_sync_goes_well() {
    for fault in [ErrorKind::Storage, ErrorKind::Internal] {
        let pair = Pair::new();
        pair.phone.save(&pair.notes(), "1", "milk");
        pair.laptop.fail_next_dequeuing(fault);
        let error = pair.sync(SyncOptions::push()).expect_err("the server fails");
        assert_eq!(error.kind(), ErrorKind::PeerStageFailed, "{error:?}");
        assert_eq!(pair.laptop.errored().len(), 1);
        assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
        pair.sync(SyncOptions::push()).expect("the fault is gone");
        assert_eq!(pair.laptop.rows(), pair.phone.rows());
    }
}

#[test]
fn a_busy_database_is_tried_again() {
    let pair = Pair::new();
    pair.phone.save(&pair.notes(), "1", "milk");
    pair.laptop.fail_next_dequeuing(ErrorKind::StorageBusy);
    pair.sync(SyncOptions::push()).expect("the second try goes well");
    assert_eq!(pair.laptop.rows(), pair.phone.rows());
}

#[test]
fn a_cancelled_sync_stops_and_leaves_nothing_open() {
    let pair = Pair::new();
    for number in 0..40 {
        pair.laptop.save(&pair.notes(), &number.to_string(), "milk");
    }
    let token = CancelToken::new();
    let cancel = token.clone();
    let options = SyncOptions::pull().chunk_size(2).cancel_on(token).on_event(move |event| {
        if let Event::Stage { phase: Phase::InProgress(_), .. } = event {
            cancel.cancel();
        }
    });
    let error = pair.sync(options).expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(pair.phone.rows().is_empty());
    assert!(!pair.laptop.has_leftovers() && !pair.phone.has_leftovers());
}

#[test]
fn a_sync_in_the_background_is_joined() {
    let pair = Pair::new();
    pair.laptop.save(&pair.notes(), "1", "milk");
    let task = pair.engine.sync_in_background(Arc::new(pair.peer()), &pair.certificate, SyncOptions::pull());
    assert_eq!(task.join().expect("a good sync").records_transferred(), 1);
}

#[test]
fn a_peer_that_is_this_very_instance_is_no_peer() {
    let pair = Pair::new();
    let ourselves = LocalPeer::new(pair.engine.responder(NoAccounts));
    let error = pair.engine.sync(&ourselves, &pair.certificate, SyncOptions::pull()).expect_err("it is us");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// A client from before asynchronous operations: the server serializes and queues while it opens the transfer, and
/// dequeues and deserializes while it closes it.
#[test]
fn an_old_client_finds_all_done_when_it_opens_and_when_it_closes() {
    let pair = Pair::new();
    let old: Capabilities = [Capability::FsicV2Format].into_iter().collect();
    pair.laptop.save(&pair.notes(), "1", "milk");
    let opened = pair.responder.create_transfer_session(&pair.open(old.clone(), Direction::Pull)).expect("a pull");
    assert_eq!((opened.stage, opened.status), (Stage::Queuing, StageStatus::Completed));
    assert_eq!(opened.records_total, Some(1));
    let queued = pair.responder.queued_chunk(&opened.id, 0, None).expect("the queue");
    pair.responder.close_transfer_session(&opened.id).expect("it is closed");

    let mut push = pair.open(old, Direction::Push);
    push.records_total = Some(1);
    let opened = pair.responder.create_transfer_session(&push).expect("a push");
    let mut record = queued.records[0].clone();
    record.serialized = "bread".to_owned();
    record.last_saved = morango::counter::Stamp::new(morango::id::InstanceId::hash_of("old"), 1);
    pair.peer().send_chunk(&opened.id, 0, &[record]).expect("it is taken");
    pair.responder.close_transfer_session(&opened.id).expect("it is closed");
    assert_eq!(pair.laptop.rows().into_values().collect::<Vec<_>>(), ["bread"]);
    let error = pair.responder.close_transfer_session(&opened.id).expect_err("it is closed already");
    assert_eq!(error.kind(), ErrorKind::SessionUnknown);
}

/// What a Python client does: it asks before each stage, and reports after each chunk.
#[test]
fn the_way_of_a_python_client_is_gone_without_a_stage_that_hangs() {
    let pair = Pair::new();
    for number in 0..3 {
        pair.laptop.save(&pair.notes(), &number.to_string(), "milk");
    }
    let request = pair.open(Capabilities::ours(), Direction::Pull);
    let responder = &pair.responder;
    let opened = responder.create_transfer_session(&request).expect("a pull");
    let second = responder
        .create_transfer_session(&TransferSessionRequest { id: morango::id::TransferSessionId::random(), ..request });
    assert_eq!(second.expect("the open one").id, opened.id);
    let to = |stage| ProceedRequest { stage: Some(stage), ..ProceedRequest::default() };
    for stage in [Stage::Serializing, Stage::Queuing] {
        assert!(responder.transfer_session(&opened.id).expect("it is open").stage < stage);
        let answer = responder.proceed(&opened.id, &to(stage)).expect("it goes on");
        assert_eq!((answer.stage, answer.status), (stage, StageStatus::Completed));
    }
    for (told, expected) in [(2, StageStatus::Pending), (3, StageStatus::Completed)] {
        let report = ProceedRequest { records_transferred: Some(told), ..to(Stage::Transferring) };
        let answer = responder.proceed(&opened.id, &report).expect("it is noted");
        assert_eq!((answer.stage, answer.status), (Stage::Transferring, expected));
        assert_eq!(answer.records_transferred, told);
    }
    for stage in [Stage::Dequeuing, Stage::Deserializing] {
        let answer = responder.proceed(&opened.id, &to(stage)).expect("it goes on");
        assert_eq!((answer.stage, answer.status), (stage, StageStatus::Completed));
    }
    let back = responder.proceed(&opened.id, &to(Stage::Queuing)).expect("to go back is to stay");
    assert_eq!(back.stage, Stage::Deserializing);
    responder.close_transfer_session(&opened.id).expect("it is closed");
    assert_eq!(responder.transfer_session(&opened.id).expect_err("closed").kind(), ErrorKind::SessionUnknown);
}

/// A server that lost power knows nothing of what it queued, and the client goes on as if it did.
#[test]
fn nothing_is_queued_on_the_way_for_a_client_that_fetches() {
    let pair = Pair::new();
    pair.laptop.save(&pair.notes(), "1", "milk");
    let id =
        pair.responder.create_transfer_session(&pair.open(Capabilities::ours(), Direction::Pull)).expect("a pull").id;
    let to = |stage| ProceedRequest { stage: Some(stage), ..ProceedRequest::default() };
    let told = ProceedRequest { records_transferred: Some(1), ..ProceedRequest::default() };
    let nothing = ProceedRequest { records_transferred: Some(0), ..to(Stage::Transferring) };
    for at in [Stage::Initializing, Stage::Serializing] {
        pair.responder.proceed(&id, &to(at)).expect("it goes on");
        let asked = [told.clone(), nothing.clone(), to(Stage::Dequeuing), to(Stage::Deserializing)];
        let refused = asked.iter().map(|request| pair.responder.proceed(&id, request).map(drop));
        for refused in refused.chain([pair.responder.queued_chunk(&id, 0, None).map(drop)]) {
            let error = refused.expect_err("nothing is queued");
            assert_eq!(error.kind(), ErrorKind::SessionConflict, "{error:?}");
            assert!(error.hint().is_some_and(|hint| hint.contains("new sync")), "{error:?}");
        }
        let stands = pair.responder.transfer_session(&id).expect("it is open");
        assert_eq!((stands.stage, stands.records_total, stands.records_transferred), (at, None, 0));
    }
    pair.responder.proceed(&id, &to(Stage::Queuing)).expect("whoever asks for it is served");
    assert_eq!(pair.responder.queued_chunk(&id, 0, None).expect("the queue").records.len(), 1);
    let answer = pair.responder.proceed(&id, &told).expect("it is noted");
    assert_eq!(answer.records_transferred, 1);
    pair.responder.proceed(&id, &to(Stage::Dequeuing)).expect("it goes on");
    pair.responder.close_transfer_session(&id).expect("it is closed");
}

#[test]
fn a_push_is_merged_only_when_all_that_was_promised_has_come() {
    let pair = Pair::new();
    let opened = pair.responder.create_transfer_session(&pair.open(Capabilities::ours(), Direction::Push));
    let id = opened.expect("a push").id;
    let to = |stage, total| ProceedRequest { stage: Some(stage), records_total: total, ..ProceedRequest::default() };
    pair.responder.proceed(&id, &to(Stage::Queuing, Some(2))).expect("two are promised");
    let unreadable = ReceivedRecord::Unreadable { received: "?".to_owned(), reason: "it is no record".to_owned() };
    assert_eq!(pair.responder.receive_chunk(&id, None, vec![unreadable.clone()]).expect("set aside"), 1);
    assert_eq!(pair.responder.receive_chunk(&id, None, vec![unreadable]).expect("the same once more"), 1);
    for request in [to(Stage::Dequeuing, None), to(Stage::Dequeuing, Some(1)), to(Stage::Queuing, Some(u64::MAX))] {
        let error = pair.responder.proceed(&id, &request).expect_err("one is missing");
        assert!(matches!(error.kind(), ErrorKind::SessionConflict | ErrorKind::LimitExceeded), "{error:?}");
    }
    let many = std::iter::repeat_n(
        ReceivedRecord::Unreadable { received: String::new(), reason: String::new() },
        limits::CHUNK_RECORDS_ACCEPTED_MAX + 1,
    );
    let error = pair.responder.receive_chunk(&id, None, many.collect()).expect_err("too many at once");
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}

/// The first chunk is refused whole; more may come, and then nothing else ever.
#[test]
fn what_comes_after_a_chunk_that_was_refused_whole_is_passed_on_though_nothing_claims_it() {
    let pair = Pair::new();
    let opened = pair.responder.create_transfer_session(&pair.open(Capabilities::ours(), Direction::Push));
    let id = opened.expect("a push").id;
    let filter = Filter::new([pair.notes()]).expect("a prefix");
    pair.phone.save(&pair.notes(), "1", "milk");
    pair.phone.serialize(PROFILE, &filter, &|_| std::ops::ControlFlow::Continue(())).expect("it serializes");
    let claims = pair.phone.fsic(PROFILE, &filter, Instances::WithRecords).expect("its counters");
    let promised = ProceedRequest {
        stage: Some(Stage::Queuing),
        client_fsic: Some(claims.into()),
        records_total: Some(3),
        ..ProceedRequest::default()
    };
    pair.responder.proceed(&id, &promised).expect("three are promised");
    let unreadable = ReceivedRecord::Unreadable { received: "?".to_owned(), reason: "it is no record".to_owned() };
    pair.responder.receive_chunk(&id, Some(0), vec![unreadable]).expect("it is set aside");
    let noted = pair.laptop.unclaimed(&filter).expect("the notes");
    let phone = pair.engine.instance().id;
    assert!(noted.values().any(|counters| counters.contains_key(&phone)), "more may come: {noted:?}");
}
