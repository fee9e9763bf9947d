//! A sync as the client makes it: certificates are chosen, a sync session is opened, transfers run, the session is closed.

use serde_json::Value;

use super::agreement::Agreement;
use super::options::SyncOptions;
use super::report::SyncReport;
use crate::hook::Event;
use crate::id::{CertificateId, SyncSessionId};
use crate::identity::{Certificate, PrivateKey, UnverifiedCertificate, session_challenge};
use crate::port::{CertificateQuery, Peer, PeerInfo, SyncSessionRequest};
use crate::scope::{Filter, Scope, ScopeDefinitions, ScopeParams};
use crate::session::{Capabilities, Direction, Side, SyncSession};
use crate::transfer::{Home, Order, TransferReport, Widening, certificates, transfer};
use crate::{Error, ErrorKind, Result, limits};

/// The certificate in whose name we speak, with all that belongs to it.
struct Client {
    certificate: Certificate,
    key: PrivateKey,
    scope: Scope,
    /// From the root down to the certificate itself.
    chain: Vec<Certificate>,
}

impl Client {
    fn load(home: &Home, id: &CertificateId) -> Result<Self> {
        let certificate = certificates::known(home, id)?;
        let key = home.storage.private_key(id)?.ok_or_else(|| {
            let message = format!("sync as the certificate {id}: its private key is not here");
            Error::new(ErrorKind::PrivateKeyMissing, message)
                .with_hint("sync in the name of a certificate that was made or granted on this device")
        })?;
        let query = CertificateQuery::AncestorsOf { id: *id, profile: None };
        let chain = home.storage.certificates(&query)?.into_iter().map(|stored| stored.certificate).collect();
        let scope = certificate.scope(&*home.registry)?;
        Ok(Self { certificate, key, scope, chain })
    }

    /// The root under which all partitions of the certificate lie.
    fn root(&self) -> CertificateId {
        self.chain.first().unwrap_or(&self.certificate).id()
    }

    /// A filter that our own certificate does not allow is refused before anybody is called.
    fn check_filter(&self, direction: Direction, filter: &Filter) -> Result<()> {
        let is_allowed = match direction {
            Direction::Pull => self.scope.allows_read(filter),
            Direction::Push => self.scope.allows_write(filter),
        };
        if is_allowed {
            return Ok(());
        }
        let message =
            format!("{direction} under {filter}: our certificate {} does not allow it", self.certificate.id());
        Err(Error::new(ErrorKind::FilterOutsideScope, message)
            .with_hint("sync with a narrower filter, or another certificate"))
    }
}

/// Does one sync from its beginning to its end.
pub(super) fn sync(
    home: &Home,
    peer: &dyn Peer,
    certificate: &CertificateId,
    options: &SyncOptions,
) -> Result<SyncReport> {
    let span = tracing::info_span!("sync", peer = peer.location(), %certificate);
    let _entered = span.enter();
    let began = home.clock.elapsed();
    let traffic = peer.traffic();
    let client = Client::load(home, certificate)?;
    if let Some(filter) = &options.filter {
        options.directions.iter().try_for_each(|direction| client.check_filter(*direction, filter))?;
    }
    options.cancel.check()?;
    let capabilities = meet(home, peer)?;
    let (server, agreement) = choose(home, peer, &client, options)?;
    let session = open(home, peer, &client, &server, capabilities)?;
    tell(home, options, &Event::SessionOpened { sync_session: session.id, side: Side::Client });
    let outcome = transfers(home, peer, &session, &client, &server, &agreement, options);
    let closed = close(home, peer, &session, outcome.as_ref().err());
    tell(home, options, &Event::SessionClosed { sync_session: session.id, side: Side::Client });
    let (pull, push) = outcome?;
    closed?;
    let report = SyncReport {
        sync_session: session.id,
        peer: peer.location(),
        server_certificate: server.id(),
        pull,
        push,
        traffic: peer.traffic() - traffic,
        duration: home.clock.elapsed().saturating_sub(began),
    };
    tracing::info!(records = report.records_transferred(), took = ?report.duration, "synced");
    Ok(report)
}

fn tell(home: &Home, options: &SyncOptions, event: &Event) {
    home.tell(event);
    options.guests.tell(event);
}

/// Tells the peer what we can do, learns what it can, and says what both can.
fn meet(home: &Home, peer: &dyn Peer) -> Result<Capabilities> {
    peer.announce(&home.capabilities);
    let info = peer.info()?;
    check_not_ourselves(home, peer, &info)?;
    let shared = home.capabilities.shared_with(&info.capabilities);
    // From now on the peer hears of these alone, so that both go the same way even where something between hid the others.
    peer.announce(&shared);
    Ok(shared)
}

/// A copied database has the same instance: syncing the two would let each believe that the other's changes are its own.
fn check_not_ourselves(home: &Home, peer: &dyn Peer, info: &PeerInfo) -> Result<()> {
    if info.instance_id != home.instance.id.hex().as_str() {
        return Ok(());
    }
    let message = format!("sync with {}: it is this very instance, {}", peer.location(), info.instance_id);
    Err(Error::new(ErrorKind::InvalidInput, message)
        .with_hint("if one database is a copy of the other, give it a new id with Storage::renew_database_id"))
}

/// The peer's certificate that allows the most of what is wanted, verified and kept, with what it allows.
fn choose(home: &Home, peer: &dyn Peer, client: &Client, options: &SyncOptions) -> Result<(Certificate, Agreement)> {
    let agree = |scope: &Scope| Agreement::between(options.directions, options.filter.as_ref(), &client.scope, scope);
    if let Some(id) = &options.server_certificate {
        let server = fetch(home, peer, *id)?;
        let agreement = agree(&server.scope(&*home.registry)?);
        return if agreement.is_whole() { Ok((server, agreement)) } else { Err(nothing_shared(peer, client, options)) };
    }
    let profile = client.certificate.profile();
    let query = CertificateQuery::Below { primary_partition: client.root(), profile: Some(profile.to_owned()) };
    let shown = peer.certificates(&query)?;
    if shown.is_empty() {
        let message = format!("sync with {}: it has no certificate below our root {}", peer.location(), client.root());
        return Err(Error::new(ErrorKind::CertificateUnknown, message)
            .with_hint("the peer must hold a certificate of the same root: request one from a peer that has it"));
    }
    let mut candidates = candidates(home, profile, shown, agree);
    let mut failure = None;
    // What a certificate claims is only a guess at the best one; it counts once its chain has been verified.
    while let Some((id, _)) = take_widest(&mut candidates) {
        match fetch(home, peer, id).and_then(|server| Ok((agree(&server.scope(&*home.registry)?), server))) {
            Ok((agreement, server)) if agreement.is_whole() => return Ok((server, agreement)),
            Ok(_) => {}
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                tracing::warn!(certificate = %id, error = %error.report(), "passing over a certificate of the peer");
                failure.get_or_insert(error);
            }
        }
    }
    Err(failure.unwrap_or_else(|| nothing_shared(peer, client, options)))
}

/// The certificates that a peer shows, with what each would allow if it is what it claims. Those that allow too little are left out.
fn candidates(
    home: &Home,
    profile: &str,
    shown: Vec<UnverifiedCertificate>,
    agree: impl Fn(&Scope) -> Agreement,
) -> Vec<(CertificateId, Agreement)> {
    let shown = shown.into_iter().take(limits::CERTIFICATES_LISTED_MAX);
    let claimed = shown.filter_map(|certificate| {
        let body = certificate.body().ok()?;
        let definition = home.registry.definition(profile, &body.scope_definition_id)?;
        let scope = definition.scope(&ScopeParams::from_json(&body.scope_params).ok()?).ok()?;
        (body.profile == profile).then(|| (body.id, agree(&scope)))
    });
    claimed.filter(|(_, agreement)| agreement.is_whole()).collect()
}

/// Takes out the first of those that no other one is wider than.
fn take_widest(candidates: &mut Vec<(CertificateId, Agreement)>) -> Option<(CertificateId, Agreement)> {
    let mut best = 0;
    for index in 1..candidates.len() {
        if candidates[index].1.is_wider_than(&candidates[best].1) {
            best = index;
        }
    }
    (best < candidates.len()).then(|| candidates.remove(best))
}

/// A certificate of the peer's, from our store, or fetched with its chain, verified and kept.
pub(super) fn fetch(home: &Home, peer: &dyn Peer, id: CertificateId) -> Result<Certificate> {
    if let Some(stored) = home.storage.certificate(&id)? {
        return Ok(stored.certificate);
    }
    let chain = peer.certificates(&CertificateQuery::AncestorsOf { id, profile: None })?;
    if chain.is_empty() {
        let message = format!("fetch the certificate {id} from {}: it does not hold its private key", peer.location());
        return Err(Error::new(ErrorKind::CertificateUnknown, message));
    }
    let new = certificates::verify(home, chain, id)?;
    home.storage.save_certificates(&new, None)?;
    certificates::known(home, &id)
}

fn nothing_shared(peer: &dyn Peer, client: &Client, options: &SyncOptions) -> Error {
    let what = match &options.filter {
        Some(filter) => format!("the filter {filter} is"),
        None => "nothing is".to_owned(),
    };
    let ways = options.directions.iter().map(|direction| direction.as_str()).collect::<Vec<_>>().join(" and ");
    let message = format!(
        "{ways} with {}: {what} within both our certificate {} and one of the peer's",
        peer.location(),
        client.certificate.id()
    );
    Error::new(ErrorKind::FilterOutsideScope, message).with_hint(
        "a pull needs what we may read and the peer may write, a push the reverse: pull or push only, or take another certificate",
    )
}

/// Opens the sync session: we sign the peer's nonce, and it signs the same.
fn open(
    home: &Home,
    peer: &dyn Peer,
    client: &Client,
    server: &Certificate,
    capabilities: Capabilities,
) -> Result<SyncSession> {
    if server.profile() != client.certificate.profile() {
        let message = format!("sync with the certificate {}: it is of another profile than ours", server.id());
        return Err(Error::new(ErrorKind::CertificateInvalid, message));
    }
    let nonce = peer.nonce()?;
    let id = SyncSessionId::random();
    let challenge = session_challenge(&nonce, id);
    let request = SyncSessionRequest {
        id,
        server_certificate: server.id(),
        client_certificate: client.certificate.id(),
        profile: client.certificate.profile().to_owned(),
        certificate_chain: client.chain.iter().map(UnverifiedCertificate::from).collect(),
        connection_path: peer.location(),
        instance: home.instance_json(),
        nonce,
        client_ip: String::new(),
        server_ip: String::new(),
        signature: client.key.sign(&challenge),
    };
    let answer = peer.create_sync_session(&request)?;
    let now = home.clock.now();
    let session = SyncSession {
        id,
        side: Side::Client,
        profile: request.profile,
        client_certificate: request.client_certificate,
        server_certificate: request.server_certificate,
        client_instance: Some(home.instance.id),
        server_instance: instance_id(&answer.server_instance),
        client_instance_json: request.instance,
        server_instance_json: answer.server_instance,
        connection_path: request.connection_path,
        client_ip: request.client_ip,
        server_ip: request.server_ip,
        capabilities,
        started_at: now,
        last_activity_at: now,
        is_active: true,
    };
    let kept = if server.verify(&challenge, &answer.signature) {
        check_instance_length(&session).and_then(|()| home.storage.create_sync_session(&session))
    } else {
        let message = format!(
            "open a sync session with {}: it does not speak for the certificate {}",
            peer.location(),
            server.id()
        );
        Err(Error::new(ErrorKind::SignatureInvalid, message))
    };
    if let Err(error) = kept {
        if let Err(error) = peer.close_sync_session(&id) {
            tracing::warn!(sync_session = %id, error = %error.report(), "could not close the sync session there");
        }
        return Err(error);
    }
    Ok(session)
}

fn check_instance_length(session: &SyncSession) -> Result<()> {
    let length = session.server_instance_json.len();
    if length <= limits::INSTANCE_BYTES_MAX {
        return Ok(());
    }
    let message = format!("open a sync session: what the server says of its instance has {length} bytes");
    Err(Error::new(ErrorKind::LimitExceeded, message))
}

/// The id in what a peer says of its instance; none where it says none that is one.
fn instance_id(text: &str) -> Option<crate::id::InstanceId> {
    let instance: Value = serde_json::from_str(text).ok()?;
    instance.get("id")?.as_str()?.parse().ok()
}

type Transfers = (Option<TransferReport>, Option<TransferReport>);

fn transfers(
    home: &Home,
    peer: &dyn Peer,
    session: &SyncSession,
    client: &Client,
    server: &Certificate,
    agreement: &Agreement,
    options: &SyncOptions,
) -> Result<Transfers> {
    let (mut pull, mut push) = (None, None);
    let root = client.root();
    let is_shared = certificates::root_of(home, server)? == Some(root);
    let scope = server.scope(&*home.registry)?;
    for (direction, filter) in options.directions.iter().zip(&agreement.0) {
        let filter = filter.as_ref().expect("a certificate was chosen that allows every direction");
        let order = Order {
            sync_session: session,
            direction: *direction,
            filter,
            widening: Widening {
                shared_root: is_shared.then(|| root.to_string()),
                reach: match direction {
                    Direction::Pull => scope.write(),
                    Direction::Push => scope.read(),
                },
            },
            chunk_records: options.chunk_records,
            guests: &options.guests,
            cancel: &options.cancel,
        };
        let report = transfer(home, peer, &order)?;
        match direction {
            Direction::Pull => pull = Some(report),
            Direction::Push => push = Some(report),
        }
    }
    Ok((pull, push))
}

/// Closes the session here, and there as far as the peer can be reached.
fn close(home: &Home, peer: &dyn Peer, session: &SyncSession, failure: Option<&Error>) -> Result<()> {
    let is_reachable = failure.is_none_or(|error| error.kind() != ErrorKind::Connection);
    if is_reachable && let Err(error) = peer.close_sync_session(&session.id) {
        // All that was to be done is done, or has failed for a better reason: the peer forgets the session by itself.
        tracing::warn!(sync_session = %session.id, error = %error.report(), "could not close the sync session there");
    }
    home.storage.close_sync_session(&session.id, home.clock.now())
}
