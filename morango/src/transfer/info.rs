//! What is said of a transfer to whoever takes part in it: both peers, by the certificates in whose names they speak.

use serde_json::Value;

use super::certificates;
use super::context::Home;
use super::order::Order;
use crate::hook::{Party, TransferInfo};
use crate::id::{CertificateId, InstanceId};
use crate::scope::Filter;
use crate::session::{Direction, Side, SyncSession, TransferSession};
use crate::{Error, ErrorKind, Result};

/// A scope definition whose certificates are a single user's, and the parameter that names the user.
#[derive(Debug, Clone)]
pub(crate) struct SingleUserScope {
    pub(crate) definition: String,
    pub(crate) user_parameter: String,
}

/// A client's transfer that has no session yet.
pub(super) fn of_order(home: &Home, order: &Order<'_>) -> Result<TransferInfo> {
    without_session(home, order.sync_session, order.direction, order.filter)
}

/// A transfer that has no session yet.
pub(super) fn without_session(
    home: &Home,
    sync_session: &SyncSession,
    direction: Direction,
    filter: &Filter,
) -> Result<TransferInfo> {
    let client = (sync_session.client_certificate, sync_session.client_instance, &*sync_session.client_instance_json);
    let server = (sync_session.server_certificate, sync_session.server_instance, &*sync_session.server_instance_json);
    let (local, remote) = match sync_session.side {
        Side::Client => (client, server),
        Side::Server => (server, client),
    };
    Ok(TransferInfo {
        sync_session: sync_session.clone(),
        transfer_session: None,
        direction,
        filter: filter.clone(),
        local: party(home, local)?,
        remote: party(home, remote)?,
    })
}

/// A transfer that has a session.
pub(super) fn of(home: &Home, sync_session: &SyncSession, session: &TransferSession) -> Result<TransferInfo> {
    let info = without_session(home, sync_session, session.direction, &session.filter)?;
    Ok(TransferInfo { transfer_session: Some(session.id), ..info })
}

fn party(home: &Home, (id, instance, json): (CertificateId, Option<InstanceId>, &str)) -> Result<Party> {
    let certificate = certificates::known(home, &id)?;
    let root = certificates::root_of(home, &certificate)?.ok_or_else(|| {
        let message = format!("find the root above the certificate {id}: its chain is not all in this store");
        Error::new(ErrorKind::CertificateUnknown, message)
    })?;
    let scope_definition = certificate.scope_definition_id().to_owned();
    let single_user = home.single_user_scopes.iter().find(|scope| scope.definition == scope_definition);
    Ok(Party {
        certificate: id,
        root,
        user_parameter: single_user.map(|scope| scope.user_parameter.clone()),
        scope_definition,
        scope_params: certificate.params()?,
        instance,
        // A peer may have said nothing that is an object: then it has said nothing.
        instance_info: match serde_json::from_str(json) {
            Ok(Value::Object(object)) => object,
            Ok(_) | Err(_) => serde_json::Map::new(),
        },
    })
}
