//! `transfersessions/`: one push or one pull, opened, driven from stage to stage, closed.

use axum::http::Uri;

use super::answer::Answer;
use super::asked::{Asked, id_in};
use crate::session::{StageStatus, TransferSession};
use crate::transfer::Responder;
use crate::wire::Telling;
use crate::{Error, ErrorKind, Result, wire};

pub(super) fn create(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let body = asked.body()?;
    // Counters may be long: they are read of somebody who has a session here.
    responder.sync_session(&wire::read_sync_session_of(&body)?)?;
    let request = wire::read_transfer_session_request(&body)?;
    let session = responder.create_transfer_session(&request)?;
    let body = write(responder, asked, &session)?;
    match session.status {
        StageStatus::Completed => Ok(Answer::created(body)),
        StageStatus::Pending | StageStatus::Started => Ok(Answer::accepted(body)),
        StageStatus::Errored => {
            let what = format!("open a transfer session: its stage {} failed", session.stage);
            Err(Error::new(ErrorKind::PeerStageFailed, what))
        }
    }
}

pub(super) fn show(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let session = responder.transfer_session(&asked.id()?)?;
    Ok(Answer::ok(write(responder, asked, &session)?))
}

/// Counters may be long: they are read of somebody who has a session here.
pub(super) fn look_up(responder: &Responder, uri: &Uri) -> Result<()> {
    responder.check_open(&id_in(uri)?)
}

/// A stage that failed is no error here: the session says so.
pub(super) fn proceed(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let id = asked.id()?;
    responder.check_open(&id)?;
    let request = wire::read_proceed(&asked.body()?)?;
    let session = responder.proceed(&id, &request)?;
    Ok(Answer::ok(write(responder, asked, &session)?))
}

pub(super) fn close(responder: &Responder, asked: &Asked) -> Result<Answer> {
    responder.close_transfer_session(&asked.id()?)?;
    Ok(Answer::nothing())
}

fn write(responder: &Responder, asked: &Asked, session: &TransferSession) -> Result<Vec<u8>> {
    let shared = responder.capabilities().shared_with(&asked.caller.capabilities);
    // What nobody can read asks for nothing: the work is done by now.
    let query = asked.query().unwrap_or_default();
    let telling = query.iter().find(|(name, _)| name == Telling::NAME).map(|(_, value)| Telling::of(value));
    Ok(wire::write_transfer_session(session, &shared, telling.unwrap_or_default())?)
}
