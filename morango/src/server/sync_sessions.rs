//! `syncsessions/`: opened to a signature, closed by whoever knows the id.

use super::answer::Answer;
use super::asked::Asked;
use crate::transfer::Responder;
use crate::{Result, wire};

pub(super) fn create(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let request = wire::read_sync_session_request(&asked.body()?)?;
    let answer = responder.create_sync_session(&asked.caller, &request)?;
    Ok(Answer::created(wire::write_sync_session_answer(&answer)))
}

pub(super) fn show(responder: &Responder, asked: &Asked) -> Result<Answer> {
    Ok(Answer::ok(wire::write_sync_session(&responder.sync_session(&asked.id()?)?)))
}

pub(super) fn close(responder: &Responder, asked: &Asked) -> Result<Answer> {
    responder.close_sync_session(&asked.id()?)?;
    Ok(Answer::nothing())
}
