//! The gate: who calls, and what they show.
//!
//! *Certificates* are granted to credentials, which the application judges. *Sync sessions* are opened to signatures over a
//! nonce. From then on a session's random id is what a caller must know: existing peers show nothing else, so ids must stay
//! between the two (use TLS on lines that others can read). *Pushing certificates* is open to whoever holds one, where the
//! application allows it.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::port::Credentials;
use crate::session::Capabilities;
use crate::transfer::Caller;
use crate::wire::CAPABILITIES_HEADER;
use crate::{Error, Result};

/// Bytes of the longest credentials that are looked at.
const CREDENTIALS_BYTES_MAX: usize = 4 * 1024;

/// Who calls, as far as the request shows.
///
/// The address is that of the socket, where the application serves with connect info; `X-Forwarded-For` is not read, since
/// anybody can write it.
pub(super) fn caller(parts: &Parts) -> Caller {
    let capabilities = capabilities(&parts.headers);
    let ip = match parts.extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(address)) => address.ip().to_canonical().to_string(),
        None => String::new(),
    };
    Caller { capabilities, ip }
}

fn capabilities(headers: &HeaderMap) -> Capabilities {
    let names = headers.get_all(CAPABILITIES_HEADER).iter().filter_map(|value| value.to_str().ok());
    Capabilities::from_names(names.flat_map(str::split_ascii_whitespace))
}

/// The credentials of Basic authentication, if the request shows any.
///
/// The user part is taken as it is; existing peers do not percent-encode it.
///
/// # Errors
/// [`ErrorKind::Unauthenticated`](crate::ErrorKind::Unauthenticated) where the header is malformed.
pub(super) fn credentials(headers: &HeaderMap) -> Result<Option<Credentials>> {
    let malformed = || Error::unauthenticated("read the credentials: they are not those of Basic authentication");
    let Some(header) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let header = header.to_str().map_err(|_| malformed())?;
    let (scheme, encoded) = header.split_once(' ').unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    if encoded.len() > CREDENTIALS_BYTES_MAX {
        return Err(malformed());
    }
    let bytes = STANDARD.decode(encoded.trim()).map_err(|_| malformed())?;
    // As existing peers do: UTF-8, or else one byte for each character.
    let text =
        String::from_utf8(bytes).unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    Ok(Some(Credentials::new(user, password)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::ErrorKind;
    use crate::session::Capability;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        [(name.parse().expect("a name"), HeaderValue::from_str(value).expect("a value"))].into_iter().collect()
    }

    #[test]
    fn credentials_are_read_as_they_were_written() {
        let read = |text: &[u8]| {
            let header = format!("Basic {}", STANDARD.encode(text));
            credentials(&with("authorization", &header)).expect("well-formed").expect("shown")
        };
        let ada = read(b"username=ada&facility=1%2:pass:word");
        assert_eq!(ada, Credentials::new("username=ada&facility=1%2", "pass:word"));
        assert_eq!(read("Jörg:ü".as_bytes()), Credentials::new("Jörg", "ü"));
        assert_eq!(read(b"J\xf6rg:\xfc"), Credentials::new("Jörg", "ü"), "in one byte for each character");
    }

    #[test]
    fn no_credentials_are_none_and_malformed_ones_an_error() {
        assert_eq!(credentials(&HeaderMap::new()).expect("none"), None);
        assert_eq!(credentials(&with("authorization", "Bearer abc")).expect("another scheme"), None);
        for value in ["Basic", "Basic ???", "basic YWRh", &format!("Basic {}", "A".repeat(10_000))] {
            let error = credentials(&with("authorization", value)).expect_err(value);
            assert_eq!(error.kind(), ErrorKind::Unauthenticated);
        }
    }

    #[test]
    fn capabilities_come_in_any_order_and_unknown_ones_do_not_matter() {
        let read = capabilities(&with("x-morango-capabilities", " ASYNC_OPERATIONS  TELEPATHY FSIC_V2_FORMAT "));
        assert_eq!(read, [Capability::AsyncOperations, Capability::FsicV2Format].into_iter().collect());
        assert_eq!(capabilities(&HeaderMap::new()), Capabilities::default());
    }
}
