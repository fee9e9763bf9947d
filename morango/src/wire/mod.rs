//! What goes over the line: the shapes of bodies, one file per resource, loose where existing peers are.
//!
//! A reader here takes whatever an existing peer is known to send and turns it into the engine's own types; a writer sends
//! what the strictest existing peer takes. Nothing here calls anybody or answers anybody, and nothing knows how a transfer
//! proceeds: `client` and `server` do the first, the engine the second.

mod buffer;
mod certificate;
mod error;
mod fsic;
mod gzip;
mod info;
mod loose;
mod nonce;
mod problem;
mod sync_session;
#[cfg(test)]
mod tests;
mod transfer_session;

pub use buffer::{PageLinks, read_chunk, write_chunk, write_page};
pub use certificate::{
    read_certificate, read_certificate_request, read_certificates, read_pushed_chain, read_shared_key,
    write_certificate, write_certificate_request, write_certificates, write_pushed_chain, write_shared_key,
};
pub use error::WireError;
pub use gzip::{compress, decompress};
pub use info::{read_info, write_info};
pub use nonce::{read_nonce, write_nonce};
pub use problem::{Call, Problem, error_of_answer, excerpt_of_answer, problem_body, status_of};
pub use sync_session::{
    read_sync_session_answer, read_sync_session_request, write_sync_session, write_sync_session_answer,
    write_sync_session_request,
};
pub use transfer_session::{
    Telling, read_proceed, read_sync_session_of, read_transfer_session, read_transfer_session_request, write_proceed,
    write_transfer_session, write_transfer_session_request,
};

/// Where the protocol's calls live below a peer's address.
pub const BASE_PATH: &str = "api/morango/v1/";

/// The header in which a client names its capabilities, separated by blanks.
pub const CAPABILITIES_HEADER: &str = "X-Morango-Capabilities";

/// The content type of a gzipped buffer.
pub const GZIP_TYPE: &str = "application/gzip";
