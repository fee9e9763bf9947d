//! `morangoinfo/1/`: what we say of ourselves. The number in the path means nothing.

use super::answer::Answer;
use super::asked::Asked;
use crate::Result;
use crate::transfer::Responder;
use crate::wire;

#[expect(clippy::unnecessary_wraps, reason = "every resource has this form")]
pub(super) fn show(responder: &Responder, asked: &Asked) -> Result<Answer> {
    Ok(Answer::ok(wire::write_info(&responder.info(&asked.caller), responder.instance_info())))
}
