//! What a peer sends is checked before any of it is kept, record by record.
//!
//! Nothing of ours sends a bad record, so one is made of a good one on its way, by a peer that lies.

use std::any::TypeId;

use morango::id::{SyncSessionId, TransferSessionId};
use morango::identity::{CertificateRequest, PublicKey, UnverifiedCertificate};
use morango::model::{IdRule, ModelDefinition, SourceRule};
use morango::port::{PeerInfo, Rejection, RemoteTransfer, SyncSessionAnswer, Traffic};
use morango::record::{LooseRecord, StoreRecord};

use super::*;

/// An owner: its id is its source id, and its partition begins with it.
struct Owner;

fn owner() -> &'static ModelDefinition {
    static DEFINITION: ModelDefinition = ModelDefinition {
        profile: PROFILE,
        name: "owner",
        rust_type: "test::Owner",
        type_id: TypeId::of::<Owner>,
        table: "owners",
        id_column: "id",
        partition: "${id}:profile",
        id_rule: IdRule::SourceId,
        source: SourceRule::Random,
        fields: &[],
        foreign_keys: &[],
        depends_on: &[],
        merge: None,
    };
    &DEFINITION
}

impl Pair {
    /// The phone pulls what a liar makes of the laptop's notes: what became a row, and what was set aside.
    fn pull_lies(&self, lie: fn(&mut [ReceivedRecord])) -> (Vec<String>, Vec<Rejection>) {
        let liar = Liar { honest: self.peer(), lie };
        let report = self.engine.sync(&liar, &self.certificate, SyncOptions::pull()).expect("the sync goes on");
        let pull = report.pull.expect("a pull");
        assert_eq!(pull.rejections_total, pull.rejections.len() as u64);
        (self.phone.rows().into_values().collect(), pull.rejections)
    }
}

fn read(record: &mut ReceivedRecord) -> &mut LooseRecord {
    match record {
        ReceivedRecord::Readable(loose) => loose,
        ReceivedRecord::Unreadable { reason, .. } => panic!("it cannot be read: {reason}"),
    }
}

/// The record of a chunk that says this.
fn saying<'a>(records: &'a mut [ReceivedRecord], text: &str) -> &'a mut LooseRecord {
    records.iter_mut().map(read).find(|loose| loose.serialized == text).expect("it was saved")
}

#[test]
fn bad_records_are_refused_one_by_one_and_the_good_ones_arrive() {
    let pair = Pair::new();
    pair.laptop.save(&pair.notes(), "1", "good");
    let bad = pair.laptop.save(&pair.notes(), "2", "bad");
    let (rows, refused) = pair.pull_lies(|records| saying(records, "bad").partition.replace_range(.., "elsewhere"));
    assert_eq!(rows, ["good"]);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].claimed_id, bad.to_string());
    assert!(refused[0].reason.contains("outside the filter"), "{:?}", refused[0]);
    assert!(refused[0].received.contains(r#""serialized":"bad""#), "{:?}", refused[0]);
}

#[test]
fn a_record_that_is_in_a_chunk_twice_is_taken_once() {
    let pair = Pair::new();
    pair.laptop.save(&pair.notes(), "1", "milk");
    pair.laptop.save(&pair.notes(), "2", "milk");
    let (rows, refused) = pair.pull_lies(|records| records[1] = records[0].clone());
    assert_eq!(rows, ["milk"]);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].reason.contains("twice"), "{:?}", refused[0]);
}

#[test]
fn a_record_that_cannot_be_read_or_has_the_placeholder_in_its_partition_is_set_aside() {
    let pair = Pair::new();
    pair.laptop.save(&pair.notes(), "1", "good");
    pair.laptop.save(&pair.notes(), "2", "unreadable");
    pair.laptop.save(&pair.notes(), "3", "of another session");
    pair.laptop.save(&format!("{}:${{id}}", pair.notes()), "4", "of no partition");
    let (rows, refused) = pair.pull_lies(|records| {
        saying(records, "of another session").transfer_session.replace_range(.., "elsewhere");
        let place = records.iter_mut().position(|record| read(record).serialized == "unreadable");
        records[place.expect("it was saved")] =
            ReceivedRecord::Unreadable { received: "a\0b".to_owned(), reason: "it is no record".to_owned() };
    });
    assert_eq!(rows, ["good"]);
    let reasons: Vec<&str> = refused.iter().map(|refused| refused.reason.as_str()).collect();
    for word in ["it is no record", "another session's", "the placeholder of the id"] {
        assert_eq!(reasons.iter().filter(|reason| reason.contains(word)).count(), 1, "{word}: {reasons:?}");
    }
    assert!(refused.iter().any(|refused| refused.received == "a\u{fffd}b"), "{refused:?}");
}

/// An id that is its source id proves nothing by itself: the partition has to begin with it, where the model's does.
#[test]
fn an_owner_is_taken_from_its_own_partition_and_from_no_other() {
    let pair = Pair::new();
    let registry = Registry::builder().definition(owner).scope(&WHOLE).scope(&READER).build().expect("a good model");
    let pair = Pair { engine: builder(&pair.phone).registry(registry).build().expect("an engine"), ..pair };
    pair.laptop.save(&format!("{}:profile", pair.owner()), "1", "in its own");
    pair.laptop.save(&pair.notes(), "2", "in another's");
    let (rows, refused) = pair.pull_lies(|records| {
        let root = records.iter_mut().map(read).next().expect("two records").partition[..32].to_owned();
        for (text, id) in [("in its own", root.clone()), ("in another's", "f".repeat(32))] {
            let loose = saying(records, text);
            "owner".clone_into(&mut loose.model_name);
            loose.counters.iter_mut().for_each(|counter| counter.model_uuid.clone_from(&id));
            (loose.model_uuid, loose.source_id) = (id.clone(), id);
        }
    });
    assert_eq!(rows, ["in its own"]);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].claimed_id, "f".repeat(32));
}

/// A peer that changes the records of a chunk on their way.
#[derive(Debug)]
struct Liar {
    honest: LocalPeer,
    lie: fn(&mut [ReceivedRecord]),
}

impl Peer for Liar {
    fn fetch_chunk(&self, id: &TransferSessionId, offset: u64, limit: usize) -> Result<Vec<ReceivedRecord>> {
        let mut records = self.honest.fetch_chunk(id, offset, limit)?;
        (self.lie)(&mut records);
        Ok(records)
    }

    fn location(&self) -> String {
        self.honest.location()
    }

    fn info(&self) -> Result<PeerInfo> {
        self.honest.info()
    }

    fn announce(&self, ours: &Capabilities) {
        self.honest.announce(ours);
    }

    fn nonce(&self) -> Result<String> {
        self.honest.nonce()
    }

    fn certificates(&self, query: &CertificateQuery) -> Result<Vec<UnverifiedCertificate>> {
        self.honest.certificates(query)
    }

    fn request_certificate(
        &self,
        credentials: &Credentials,
        parent: &CertificateId,
        request: &CertificateRequest,
    ) -> Result<UnverifiedCertificate> {
        self.honest.request_certificate(credentials, parent, request)
    }

    fn shared_public_key(&self) -> Result<PublicKey> {
        self.honest.shared_public_key()
    }

    fn push_certificate_chain(&self, chain: &[UnverifiedCertificate]) -> Result<()> {
        self.honest.push_certificate_chain(chain)
    }

    fn create_sync_session(&self, request: &SyncSessionRequest) -> Result<SyncSessionAnswer> {
        self.honest.create_sync_session(request)
    }

    fn sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.honest.sync_session(id)
    }

    fn close_sync_session(&self, id: &SyncSessionId) -> Result<()> {
        self.honest.close_sync_session(id)
    }

    fn create_transfer_session(&self, request: &TransferSessionRequest) -> Result<RemoteTransfer> {
        self.honest.create_transfer_session(request)
    }

    fn transfer_session(&self, id: &TransferSessionId) -> Result<RemoteTransfer> {
        self.honest.transfer_session(id)
    }

    fn proceed(&self, id: &TransferSessionId, request: &ProceedRequest) -> Result<RemoteTransfer> {
        self.honest.proceed(id, request)
    }

    fn close_transfer_session(&self, id: &TransferSessionId) -> Result<()> {
        self.honest.close_transfer_session(id)
    }

    fn send_chunk(&self, id: &TransferSessionId, offset: u64, records: &[StoreRecord]) -> Result<()> {
        self.honest.send_chunk(id, offset, records)
    }

    fn traffic(&self) -> Traffic {
        self.honest.traffic()
    }
}
