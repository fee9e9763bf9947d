//! All that the storage holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use morango::id::{CertificateId, DatabaseId, NonceId, SyncId, SyncSessionId, TransferSessionId};
use morango::identity::{Certificate, Nonce, PrivateKey};
use morango::model::Registry;
use morango::port::Rejection;
use morango::session::{SyncSession, TransferSession};
use morango::{Error, ErrorKind, Result};

use crate::data::Data;
use crate::incoming::Incoming;
use crate::model::MemoryModel;

/// What a session remembers, by its id, the owner and the name.
pub(crate) type Memories = BTreeMap<([u8; 16], String, String), String>;

/// All that the storage holds.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) data: Data,
    pub(crate) is_prepared: bool,
    pub(crate) database: DatabaseId,
    /// When the instance was renewed, the last time last.
    pub(crate) renewed_at: Vec<DateTime<Utc>>,
    pub(crate) certificates: BTreeMap<CertificateId, Certificate>,
    pub(crate) keys: BTreeMap<CertificateId, PrivateKey>,
    pub(crate) shared_key: Option<PrivateKey>,
    pub(crate) nonces: BTreeMap<NonceId, Nonce>,
    pub(crate) syncs: BTreeMap<SyncSessionId, SyncSession>,
    pub(crate) transfers: BTreeMap<TransferSessionId, TransferSession>,
    pub(crate) memories: Memories,
    /// The ids of the records that are to go out, in their order.
    pub(crate) queued: BTreeMap<TransferSessionId, Vec<SyncId>>,
    /// The chunks that came, in their order.
    pub(crate) incoming: BTreeMap<TransferSessionId, Vec<Incoming>>,
    pub(crate) received_bytes: BTreeMap<TransferSessionId, i64>,
    /// What was refused, oldest first.
    pub(crate) rejections: Vec<(TransferSessionId, Rejection)>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            data: Data::new(),
            is_prepared: false,
            database: DatabaseId::random(),
            renewed_at: Vec::new(),
            certificates: BTreeMap::new(),
            keys: BTreeMap::new(),
            shared_key: None,
            nonces: BTreeMap::new(),
            syncs: BTreeMap::new(),
            transfers: BTreeMap::new(),
            memories: Memories::new(),
            queued: BTreeMap::new(),
            incoming: BTreeMap::new(),
            received_bytes: BTreeMap::new(),
            rejections: Vec::new(),
        }
    }

    /// What needs the models waits until an engine was built.
    pub(crate) fn check_prepared(&self, operation: &str) -> Result<()> {
        if self.is_prepared {
            return Ok(());
        }
        let message = format!("{operation}: no model is known yet");
        Err(Error::new(ErrorKind::Configuration, message).with_hint("build an engine over this storage first"))
    }

    /// Takes the models of the registry in its order. Rows that are there already stay, under the same models only.
    pub(crate) fn prepare(&mut self, registry: &Arc<Registry>, known: &[MemoryModel]) -> Result<()> {
        let mut models = Vec::new();
        for definition in registry.all_models() {
            let found = known.iter().find(|model| (model.definition.type_id)() == (definition.type_id)());
            let model = found.ok_or_else(|| {
                let message = format!("keep rows of {} in memory: nothing is said of its table", definition.describe());
                Error::new(ErrorKind::Configuration, message).with_hint("give the storage a `MemoryModel` for it")
            })?;
            model.check_supported()?;
            models.push(model.clone());
        }
        let before = self.data.application.models.iter().map(|model| model.definition.rust_type);
        let is_same = before.eq(models.iter().map(|model| model.definition.rust_type));
        if !self.data.application.rows.is_empty() && !is_same {
            let message = "prepare the storage in memory for other models than those that it has rows of";
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        self.data.application.models = Arc::new(models);
        self.is_prepared = true;
        Ok(())
    }
}
