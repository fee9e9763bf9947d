//! How two peers come together: our certificate and the peer's are found, what they allow together is agreed on, and a sync
//! session is opened.

use serde_json::Value;

use super::agreement::Agreement;
use super::options::SyncOptions;
use crate::id::{CertificateId, SyncSessionId};
use crate::identity::{Certificate, PrivateKey, Run, UnverifiedCertificate, session_challenge};
use crate::port::{CertificateQuery, Peer, PeerInfo, SyncSessionRequest};
use crate::scope::{Filter, Scope, ScopeDefinitions, ScopeParams};
use crate::session::{Capabilities, Direction, Side, SyncPlan, SyncSession, SyncSessionQuery};
use crate::transfer::{BreakingOff, Home, Lease, certificates, hold_of};
use crate::{Error, ErrorKind, Result, limits};

/// The certificate in whose name we speak, with all that belongs to it.
pub(super) struct Client {
    pub(super) certificate: Certificate,
    key: PrivateKey,
    pub(super) scope: Scope,
    /// From the root down to the certificate itself.
    chain: Vec<Certificate>,
}

impl Client {
    pub(super) fn load(home: &Home, id: &CertificateId) -> Result<Self> {
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
    pub(super) fn root(&self) -> CertificateId {
        self.chain.first().unwrap_or(&self.certificate).id()
    }

    /// A filter that our own certificate does not allow is refused before anybody is called.
    pub(super) fn check_filter(&self, direction: Direction, filter: &Filter) -> Result<()> {
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

/// Tells the peer what we can do, learns what it can, and says what both can, beside what the peer says of itself.
pub(super) fn meet(home: &Home, peer: &dyn Peer) -> Result<(Capabilities, PeerInfo)> {
    peer.announce(&home.capabilities);
    let info = peer.info()?;
    check_not_ourselves(home, peer, &info)?;
    let shared = home.capabilities.shared_with(&info.capabilities);
    // From now on the peer hears of these alone, so that both go the same way even where something between hid the others.
    peer.announce(&shared);
    Ok((shared, info))
}

/// A copied database has the same instance: syncing the two would let each believe that the other's changes are its own.
fn check_not_ourselves(home: &Home, peer: &dyn Peer, info: &PeerInfo) -> Result<()> {
    if info.instance_id != home.instance().id.hex().as_str() {
        return Ok(());
    }
    let message = format!("sync with {}: it is this very instance, {}", peer.location(), info.instance_id);
    Err(Error::new(ErrorKind::InvalidInput, message)
        .with_hint("if one database is a copy of the other, give it a new id with Engine::renew_database_id"))
}

/// The peer's certificate in whose name it is to speak. It is verified; its key it proves when the session is opened.
pub(super) struct Server {
    pub(super) certificate: Certificate,
    /// Those of its chain that are new here, from the top down. They are kept once the key is proved, and not before: anybody can sign
    /// another certificate of the same id below their own.
    new: Vec<Certificate>,
}

/// The peer's certificate that allows the most of what is wanted, verified, with what it allows.
pub(super) fn choose(
    home: &Home,
    peer: &dyn Peer,
    client: &Client,
    options: &SyncOptions,
) -> Result<(Server, Agreement)> {
    let agree = |scope: &Scope| Agreement::between(options.directions, options.filter.as_ref(), &client.scope, scope);
    if let Some(id) = &options.server_certificate {
        let server = server_of(home, peer, *id)?;
        let agreement = agree(&server.certificate.scope(&*home.registry)?);
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
    while let Some(((id, text), _)) = take_widest(&mut candidates) {
        let server = match home.storage.certificate(&id)? {
            Some(stored) if stored.certificate.serialized() == text => {
                Ok(Server { certificate: stored.certificate, new: Vec::new() })
            }
            _ => server_of(home, peer, id),
        };
        match server.and_then(|server| Ok((agree(&server.certificate.scope(&*home.registry)?), server))) {
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

/// The certificate in whose name a peer spoke when we last synced with it in the name of ours: where it is still here, and no
/// other one of the peer's could allow more. Then the peer need not be asked for its certificates, nor be shown our whole chain.
pub(super) fn remembered(
    home: &Home,
    info: &PeerInfo,
    client: &Client,
    options: &SyncOptions,
) -> Result<Option<(Server, Agreement)>> {
    let Ok(server_instance) = info.instance_id.parse() else { return Ok(None) };
    // Closed ones are found in the order of their use: where there was one lately, few are looked at.
    let query = SyncSessionQuery {
        is_active: Some(false),
        side: Some(Side::Client),
        server_instance: Some(server_instance),
        client_certificate: Some(client.certificate.id()),
        ..SyncSessionQuery::default()
    };
    let Some(last) = home.storage.sync_sessions(&query, 1)?.pop() else { return Ok(None) };
    if options.server_certificate.is_some_and(|wanted| wanted != last.server_certificate) {
        return Ok(None);
    }
    let Some(stored) = home.storage.certificate(&last.server_certificate)? else { return Ok(None) };
    let server = Server { certificate: stored.certificate, new: Vec::new() };
    let (directions, filter) = (options.directions, options.filter.as_ref());
    let agreement = Agreement::between(directions, filter, &client.scope, &server.certificate.scope(&*home.registry)?);
    Ok(agreement.is_widest(directions, filter, &client.scope).then_some((server, agreement)))
}

/// Whether a peer refuses what it took before: the certificate in whose name it spoke, or ours without those above it. A server that
/// was restored, or set up anew on the same machine, may have lost them.
pub(super) fn is_forgotten(error: &Error) -> bool {
    let is_refused = matches!(
        error.kind(),
        ErrorKind::CertificateInvalid
            | ErrorKind::CertificateUnknown
            | ErrorKind::CertificateExceedsParent
            | ErrorKind::PrivateKeyMissing
            | ErrorKind::SignatureInvalid
            | ErrorKind::Forbidden
            | ErrorKind::PeerRefused
    );
    is_refused && !BreakingOff::ByReason.leaves_open(error)
}

/// A certificate as a peer shows it: its id and its text.
type Shown = (CertificateId, String);

/// The certificates that a peer shows, with what each would allow if it is what it claims. Those that allow too little are left out.
fn candidates(
    home: &Home,
    profile: &str,
    shown: Vec<UnverifiedCertificate>,
    agree: impl Fn(&Scope) -> Agreement,
) -> Vec<(Shown, Agreement)> {
    let shown = shown.into_iter().take(limits::CERTIFICATES_LISTED_MAX);
    let claimed = shown.filter_map(|certificate| {
        let body = certificate.body().ok()?;
        let definition = home.registry.definition(profile, &body.scope_definition_id)?;
        let scope = definition.scope(&ScopeParams::from_json(&body.scope_params).ok()?).ok()?;
        (body.profile == profile).then(|| ((body.id, certificate.serialized), agree(&scope)))
    });
    claimed.filter(|(_, agreement)| agreement.is_whole()).collect()
}

/// Takes out the first of those that no other one is wider than.
fn take_widest(candidates: &mut Vec<(Shown, Agreement)>) -> Option<(Shown, Agreement)> {
    let mut best = 0;
    for index in 1..candidates.len() {
        if candidates[index].1.is_wider_than(&candidates[best].1) {
            best = index;
        }
    }
    (best < candidates.len()).then(|| candidates.remove(best))
}

fn server_of(home: &Home, peer: &dyn Peer, id: CertificateId) -> Result<Server> {
    let (certificate, new) = certificates::verify_end(home, fetch(peer, id)?, id)?;
    Ok(Server { certificate, new })
}

/// The chain of a certificate of the peer's. That one of the same id is in our store does not say that it is the same.
pub(super) fn fetch(peer: &dyn Peer, id: CertificateId) -> Result<Vec<UnverifiedCertificate>> {
    let chain = peer.certificates(&CertificateQuery::AncestorsOf { id, profile: None })?;
    if chain.is_empty() {
        let message = format!("fetch the certificate {id} from {}: it does not hold its private key", peer.location());
        return Err(Error::new(ErrorKind::CertificateUnknown, message));
    }
    Ok(chain)
}

pub(super) fn nothing_shared(peer: &dyn Peer, client: &Client, options: &SyncOptions) -> Error {
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

/// How much of our chain a peer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Papers {
    /// From the root down.
    WholeChain,
    /// The certificate itself, of which the peer has verified all before.
    LastOnly,
}

/// Opens the sync session: we sign the peer's nonce, and it signs the same. It is held by a run of ours from its beginning.
pub(super) fn open<'a>(
    home: &'a Home,
    peer: &dyn Peer,
    (client, papers): (&Client, Papers),
    server: &Server,
    capabilities: &Capabilities,
    plan: SyncPlan,
) -> Result<(SyncSession, Lease<'a>)> {
    let Server { certificate: server, new } = server;
    if server.profile() != client.certificate.profile() {
        let message = format!("sync with the certificate {}: it is of another profile than ours", server.id());
        return Err(Error::new(ErrorKind::CertificateInvalid, message));
    }
    let mut tries = 1;
    let (request, challenge, answer) = loop {
        let (request, challenge) = introduce(home, peer, (client, papers), server)?;
        match peer.create_sync_session(&request) {
            Ok(answer) => break (request, challenge, answer),
            // The nonce may be used up, and without the answer nobody knows who opened the session, if it was opened. And where the
            // peer's clock was set meanwhile, or this machine slept, the nonce is of another time.
            Err(error)
                if (BreakingOff::ByReason.leaves_open(&error) || error.kind() == ErrorKind::NonceInvalid)
                    && tries < limits::OPEN_TRIES_MAX =>
            {
                tracing::debug!(error = %error.report(), "asking for another sync session");
                close_there(peer, &request.id);
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let run = Run::begin();
    let now = home.clock.now();
    let session = SyncSession {
        id: request.id,
        side: Side::Client,
        profile: request.profile,
        client_certificate: request.client_certificate,
        server_certificate: request.server_certificate,
        client_instance: Some(home.instance().id),
        server_instance: instance_id(&answer.server_instance),
        client_instance_json: request.instance,
        server_instance_json: answer.server_instance,
        connection_path: request.connection_path,
        client_ip: request.client_ip,
        server_ip: request.server_ip,
        capabilities: capabilities.clone(),
        started_at: now,
        last_activity_at: now,
        is_active: true,
        plan: Some(plan),
        holder: Some(hold_of(&run, now)),
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
        close_there(peer, &session.id);
        return Err(error);
    }
    let lease = Lease::of_new(home, session.id, run);
    // The session comes first: certificates that no session names may be forgotten at any time.
    if let Err(error) = certificates::keep(home, new) {
        close_there(peer, &session.id);
        home.storage.close_sync_session(&session.id, now)?;
        return Err(error);
    }
    Ok((session, lease))
}

/// A request for a sync session, with the text that both sides sign.
fn introduce(
    home: &Home,
    peer: &dyn Peer,
    (client, papers): (&Client, Papers),
    server: &Certificate,
) -> Result<(SyncSessionRequest, String)> {
    let nonce = peer.nonce()?;
    let shown = match papers {
        Papers::WholeChain => client.chain.as_slice(),
        Papers::LastOnly => std::slice::from_ref(&client.certificate),
    };
    let id = SyncSessionId::random();
    let challenge = session_challenge(&nonce, id);
    let request = SyncSessionRequest {
        id,
        server_certificate: server.id(),
        client_certificate: client.certificate.id(),
        profile: client.certificate.profile().to_owned(),
        certificate_chain: shown.iter().map(UnverifiedCertificate::from).collect(),
        connection_path: peer.location(),
        instance: home.instance_json(),
        nonce,
        client_ip: String::new(),
        server_ip: String::new(),
        signature: client.key.sign(&challenge)?,
    };
    Ok((request, challenge))
}

/// Closes a session there, as far as the peer can be reached. What it cannot be told it finds out by itself.
pub(super) fn close_there(peer: &dyn Peer, id: &SyncSessionId) {
    if let Err(error) = peer.close_sync_session(id) {
        tracing::warn!(sync_session = %id, error = %error.report(), "could not close the sync session there");
    }
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
