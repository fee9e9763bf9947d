//! A storage whose calls fail, or are the last before the power is gone, as the plan says.

mod power;
mod storage;
mod turnstile;

pub(crate) use power::{Power, Strike, Struck};
pub(crate) use storage::Faulty;
