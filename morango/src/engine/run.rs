//! A sync from its beginning to its end, or from where it was broken off: transfers run one after another within a sync
//! session, which is closed when all is done.
//!
//! What is broken off by something that may pass stays open on both sides, with what is left to do; [`resume`] goes on.

use std::cell::OnceCell;
use std::time::Duration;

use super::agreement::Agreement;
use super::connection::{Client, Papers, choose, close_there, is_forgotten, meet, nothing_shared, open, remembered};
use super::options::{Beginning, Ending, SyncOptions};
use super::report::SyncReport;
use crate::hook::Event;
use crate::id::{CertificateId, SyncSessionId};
use crate::identity::Certificate;
use crate::port::{Peer, PeerInfo, Renewed, Traffic};
use crate::scope::Filter;
use crate::session::{
    Capabilities, Direction, Side, Stage, StageStatus, SyncPlan, SyncSession, SyncSessionQuery, TransferSession,
};
use crate::transfer::{
    Home, Lease, Order, TransferReport, Widening, certificates, closing, gone, is_at_work, look_after, transfer,
};
use crate::{Error, ErrorKind, Result, limits};

/// One sync at work.
struct Sync<'a> {
    home: &'a Home,
    peer: &'a dyn Peer,
    options: &'a SyncOptions,
    began: Duration,
    traffic: Traffic,
}

/// A sync session in which transfers can run.
struct Opened<'a> {
    session: SyncSession,
    lease: Lease<'a>,
    client: Client,
    server: Certificate,
}

/// One transfer to be done.
struct Task {
    direction: Direction,
    filter: Filter,
    begun: Option<TransferSession>,
}

/// What is done of a sync.
#[derive(Default)]
struct Done {
    pull: Option<TransferReport>,
    push: Option<TransferReport>,
    /// Whether this database became another instance in a transfer that failed.
    renewed: OnceCell<Renewed>,
}

impl Done {
    fn add(&mut self, mut report: TransferReport) {
        if report.renewed.is_none() {
            report.renewed = self.renewed.take();
        }
        match report.direction {
            Direction::Pull => self.pull = Some(report),
            Direction::Push => self.push = Some(report),
        }
    }

    /// What is left of these directions, which are gone one after another.
    fn left_of(&self, directions: &'static [Direction]) -> &'static [Direction] {
        let is_done = |direction: &&Direction| match direction {
            Direction::Pull => self.pull.is_some(),
            Direction::Push => self.push.is_some(),
        };
        &directions[directions.iter().take_while(is_done).count()..]
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
    let sync = Sync::new(home, peer, options);
    options.guests.check_beside(&home.guests)?;
    let client = Client::load(home, certificate)?;
    if let Some(filter) = &options.filter {
        options.directions.iter().try_for_each(|direction| client.check_filter(*direction, filter))?;
    }
    options.cancel.check()?;
    look_after(home);
    home.take_up_instance()?;
    let (capabilities, info) = meet(home, peer)?;
    if options.beginning == Beginning::WithWhatIsLeft
        && let Some(left) = left_open(home, &info, certificate, options)?
    {
        match sync.go_on(left, &info) {
            Err(error) if matches!(error.kind(), ErrorKind::SessionGone | ErrorKind::SessionHeld) => {
                tracing::info!(sync_session = %left, reason = %error.report(), "beginning afresh");
            }
            outcome => return outcome,
        }
    }
    let instance = home.instance().id;
    let mut done = Done::default();
    match sync.begin(client, (&capabilities, &info), &mut done) {
        // What was told in the name of the instance that this database was does not hold: the rest is done in a session of its own.
        Err(error) if error.kind() == ErrorKind::SessionGone && home.instance().id != instance => {
            tracing::info!(reason = %error.report(), "beginning afresh as another instance");
            let options = SyncOptions { directions: done.left_of(options.directions), ..options.clone() };
            let client = Client::load(home, certificate)?;
            Sync { options: &options, ..sync }.begin(client, (&capabilities, &info), &mut done)
        }
        outcome => outcome,
    }
}

/// Goes on with a sync that was broken off, or syncs again in a session that was kept open.
pub(super) fn resume(home: &Home, peer: &dyn Peer, id: SyncSessionId, options: &SyncOptions) -> Result<SyncReport> {
    let span = tracing::info_span!("resume", peer = peer.location(), sync_session = %id);
    let _entered = span.enter();
    let sync = Sync::new(home, peer, options);
    options.guests.check_beside(&home.guests)?;
    options.cancel.check()?;
    home.take_up_instance()?;
    let (_, info) = meet(home, peer)?;
    sync.go_on(id, &info)
}

/// The newest session that was left open of a sync like this one.
fn left_open(
    home: &Home,
    info: &PeerInfo,
    certificate: &CertificateId,
    options: &SyncOptions,
) -> Result<Option<SyncSessionId>> {
    let Ok(server_instance) = info.instance_id.parse() else { return Ok(None) };
    let query = SyncSessionQuery {
        is_active: Some(true),
        side: Some(Side::Client),
        server_instance: Some(server_instance),
        ..SyncSessionQuery::default()
    };
    let now = home.clock.now();
    let is_like_this = |session: &SyncSession| {
        session.client_certificate == *certificate
            && options.server_certificate.is_none_or(|server| server == session.server_certificate)
            && session.plan.as_ref().is_some_and(|plan| plan.filter == options.filter)
            && session.holder.as_ref().is_none_or(|holder| !is_at_work(holder, now))
    };
    let open = home.storage.sync_sessions(&query, limits::SESSIONS_LISTED_MAX)?;
    Ok(open.iter().find(|session| is_like_this(session)).map(|session| session.id))
}

/// What is to be done of these directions, with the transfers of them that were begun.
fn tasks(directions: &[Direction], agreement: Agreement, mut begun: Vec<TransferSession>) -> Vec<Task> {
    let filters = directions.iter().zip(agreement.0);
    let task = |(direction, filter): (&Direction, Option<Filter>)| {
        let place = begun.iter().position(|session| session.direction == *direction);
        let begun = place.map(|place| begun.swap_remove(place));
        let filter = begun.as_ref().map(|session| session.filter.clone()).or(filter);
        Task {
            direction: *direction,
            filter: filter.expect("what was not begun is within what both certificates allow"),
            begun,
        }
    };
    filters.map(task).collect()
}

impl<'a> Sync<'a> {
    fn new(home: &'a Home, peer: &'a dyn Peer, options: &'a SyncOptions) -> Self {
        Self { home, peer, options, began: home.clock.elapsed(), traffic: peer.traffic() }
    }

    /// Opens a new session, and does all that is to be done in it.
    fn begin(
        &self,
        client: Client,
        (capabilities, info): (&Capabilities, &PeerInfo),
        done: &mut Done,
    ) -> Result<SyncReport> {
        let (opened, agreement) = self.open(client, capabilities, info)?;
        self.work(&opened, tasks(self.options.directions, agreement, Vec::new()), done)
    }

    /// Opens a new session: as the last time where that is remembered, and where the peer has forgotten it as if we had never met.
    fn open(&self, client: Client, capabilities: &Capabilities, info: &PeerInfo) -> Result<(Opened<'a>, Agreement)> {
        let Self { home, peer, options, .. } = *self;
        let plan = SyncPlan {
            left: options.directions.to_vec(),
            filter: options.filter.clone(),
            chunk_records: options.chunk_records,
        };
        if let Some((server, agreement)) = remembered(home, info, &client, options)? {
            match open(home, peer, (&client, Papers::LastOnly), &server, capabilities, plan.clone()) {
                Ok((session, lease)) => {
                    return Ok((Opened { session, lease, client, server: server.certificate }, agreement));
                }
                Err(error) if is_forgotten(&error) => {
                    tracing::info!(reason = %error.report(), "the peer has forgotten us, and is shown our whole chain");
                }
                Err(error) => return Err(error),
            }
        }
        let (server, agreement) = choose(home, peer, &client, options)?;
        let (session, lease) = open(home, peer, (&client, Papers::WholeChain), &server, capabilities, plan)?;
        Ok((Opened { session, lease, client, server: server.certificate }, agreement))
    }

    fn tell(&self, event: &Event) {
        self.home.tell(event);
        self.options.guests.tell(event);
    }

    /// Takes a session up that was left open, and does what is left in it.
    fn go_on(&self, id: SyncSessionId, info: &PeerInfo) -> Result<SyncReport> {
        // Whoever called the wrong peer has only to call the right one: nothing is touched.
        if let Some(session) = self.home.storage.sync_session(&id)?
            && session.server_instance.is_some_and(|instance| info.instance_id != instance.hex().as_str())
        {
            return Err(another_peer(self.peer, &session, info));
        }
        let (lease, mut session) = Lease::take(self.home, id, Side::Client, self.options.takeover)?;
        match self.prepare(&mut session) {
            Ok((client, server, tasks)) => {
                self.work(&Opened { session, lease, client, server }, tasks, &mut Done::default())
            }
            Err(error) => Err(self.end(&session, &lease, error)),
        }
    }

    /// Checks that both sides still have what they need, and finds out what is left.
    fn prepare(&self, session: &mut SyncSession) -> Result<(Client, Certificate, Vec<Task>)> {
        let Self { home, peer, options, .. } = self;
        // What was told in the name of another instance need not be true of this database.
        if session.client_instance.is_some_and(|instance| instance != home.instance().id) {
            return Err(gone(&session.id, "this database has become another instance since"));
        }
        let client = Client::load(home, &session.client_certificate)?;
        let server = certificates::known(home, &session.server_certificate)
            .map_err(|error| gone(&session.id, "the peer's certificate is no longer here").with_source(error))?;
        peer.sync_session(&session.id).map_err(|error| match error.kind() {
            ErrorKind::SessionUnknown => {
                gone(&session.id, &format!("{} has closed it, or never knew it", peer.location())).with_source(error)
            }
            _ => error,
        })?;
        let plan = session.plan.get_or_insert_with(|| SyncPlan { left: Vec::new(), filter: None, chunk_records: None });
        let wanted: Vec<Direction> =
            options.directions.iter().copied().filter(|direction| plan.left.contains(direction)).collect();
        let wanted = if wanted.is_empty() { options.directions.to_vec() } else { wanted };
        plan.left.extend(wanted.iter().filter(|direction| !plan.left.contains(direction)).collect::<Vec<_>>());
        plan.filter = options.filter.clone().or(plan.filter.take());
        plan.chunk_records = options.chunk_records.or(plan.chunk_records);

        let begun: Vec<TransferSession> = home
            .storage
            .transfer_sessions(&session.id, limits::TRANSFERS_LISTED_MAX)?
            .into_iter()
            .filter(|transfer| is_unfinished(transfer) && wanted.contains(&transfer.direction))
            .collect();
        let (ours, theirs) = (&client.scope, server.scope(&*home.registry)?);
        let agreement = Agreement::between(&wanted, plan.filter.as_ref(), ours, &theirs);
        let is_whole = wanted.iter().zip(&agreement.0).all(|(direction, filter)| {
            filter.is_some() || begun.iter().any(|transfer| transfer.direction == *direction)
        });
        if !is_whole {
            return Err(nothing_shared(*peer, &client, options));
        }
        Ok((client, server, tasks(&wanted, agreement, begun)))
    }

    /// Does the transfers, and ends the session as it is to be ended.
    fn work(&self, opened: &Opened<'a>, tasks: Vec<Task>, done: &mut Done) -> Result<SyncReport> {
        let id = opened.session.id;
        self.tell(&Event::SessionOpened { sync_session: id, side: Side::Client });
        if let Err(error) = self.transfers(opened, tasks, done) {
            return Err(self.end(&opened.session, &opened.lease, error));
        }
        if self.options.ending == Ending::Close {
            // Here first: where that fails the peer still has the session, so that it can be taken up again.
            self.close_here(&opened.session, &opened.lease)
                .map_err(|error| self.end(&opened.session, &opened.lease, error))?;
            close_there(self.peer, &id);
        }
        let report = SyncReport {
            sync_session: id,
            peer: self.peer.location(),
            server_certificate: opened.server.id(),
            pull: done.pull.take(),
            push: done.push.take(),
            traffic: self.peer.traffic() - self.traffic,
            duration: self.home.clock.elapsed().saturating_sub(self.began),
        };
        tracing::info!(records = report.records_transferred(), took = ?report.duration, "synced");
        Ok(report)
    }

    fn transfers(&self, opened: &Opened<'a>, tasks: Vec<Task>, done: &mut Done) -> Result<()> {
        let shared_root = certificates::shared_root(self.home, &opened.session)?;
        let scope = opened.server.scope(&*self.home.registry)?;
        let plan = opened.session.plan.as_ref().expect("a session of a client has a plan");
        let mut left = plan.left.clone();
        for task in tasks {
            let order = Order {
                sync_session: &opened.session,
                lease: &opened.lease,
                begun: task.begun,
                breaking_off: self.options.breaking_off(),
                direction: task.direction,
                filter: &task.filter,
                widening: Widening {
                    shared_root: shared_root.clone(),
                    reach: match task.direction {
                        Direction::Pull => scope.write(),
                        Direction::Push => scope.read(),
                    },
                    own: Some(match task.direction {
                        Direction::Pull => opened.client.scope.read(),
                        Direction::Push => opened.client.scope.write(),
                    }),
                },
                chunk_records: plan.chunk_records,
                failed_before: self.options.failed_before.unwrap_or(self.home.failed_before),
                guests: &self.options.guests,
                cancel: &self.options.cancel,
                renewed: &done.renewed,
            };
            let report = transfer(self.home, self.peer, &order)?;
            done.add(report);
            left.retain(|direction| *direction != task.direction);
            self.note_left(opened, plan, &left)?;
        }
        Ok(())
    }

    /// Notes what is left, unless the session is closed at once.
    fn note_left(&self, opened: &Opened<'_>, plan: &SyncPlan, left: &[Direction]) -> Result<()> {
        if left.is_empty() && self.options.ending == Ending::Close {
            return Ok(());
        }
        let now = self.home.clock.now();
        let plan = SyncPlan { left: left.to_vec(), ..plan.clone() };
        self.home.storage.update_sync_session(&opened.session.id, &mut |session| {
            session.plan = Some(plan.clone());
            session.last_activity_at = now;
        })?;
        Ok(())
    }

    /// Ends a session after a failure: it stays open where the failure may pass, and is somebody else's where they took it.
    fn end(&self, session: &SyncSession, lease: &Lease<'_>, error: Error) -> Error {
        let id = session.id;
        if lease.is_over() {
            return error;
        }
        if self.options.breaking_off().leaves_open(&error) {
            tracing::info!(sync_session = %id, reason = %error.report(), "the sync session stays open");
            self.tell(&Event::SessionInterrupted { sync_session: id, side: Side::Client });
            return error.leaving_open(id);
        }
        close_there(self.peer, &id);
        if let Err(error) = self.close_here(session, lease) {
            tracing::warn!(sync_session = %id, error = %error.report(), "could not close the sync session here");
        }
        error
    }

    fn close_here(&self, session: &SyncSession, lease: &Lease<'_>) -> Result<()> {
        let close = || self.home.storage.close_sync_session(&session.id, self.home.clock.now());
        closing(self.home, &self.options.guests, session, close)?;
        lease.forget();
        self.tell(&Event::SessionClosed { sync_session: session.id, side: Side::Client });
        Ok(())
    }
}

/// Whether something is left to do of a transfer: also where only the peer has not closed it yet.
pub(super) fn is_unfinished(transfer: &TransferSession) -> bool {
    match transfer.status {
        StageStatus::Errored => false,
        StageStatus::Started if transfer.stage == Stage::Cleanup => true,
        StageStatus::Pending | StageStatus::Started | StageStatus::Completed => transfer.is_active,
    }
}

fn another_peer(peer: &dyn Peer, session: &SyncSession, info: &PeerInfo) -> Error {
    let message = format!(
        "go on with the sync session {}: the peer at {} is the instance {}, and not the one with which it was begun",
        session.id,
        peer.location(),
        crate::id::excerpt(&info.instance_id)
    );
    Error::new(ErrorKind::InvalidInput, message).with_hint(format!(
        "it was begun with the peer at {}; begin a new sync with another one",
        session.connection_path
    ))
}
