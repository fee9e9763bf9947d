//! `nonces/`: a text to be signed once.

use super::answer::Answer;
use super::asked::Asked;
use crate::Result;
use crate::transfer::Responder;
use crate::wire;

pub(super) fn create(responder: &Responder, asked: &Asked) -> Result<Answer> {
    Ok(Answer::created(wire::write_nonce(&responder.issue_nonce(&asked.caller)?)))
}
