//! `buffers/`: records are given page by page, and taken chunk by chunk.

use axum::http::header;

use super::answer::Answer;
use super::asked::Asked;
use crate::id::TransferSessionId;
use crate::transfer::Responder;
use crate::wire::{self, PageLinks};
use crate::{Error, ErrorKind, Result, limits};

/// Which records are asked for.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    transfer_session: TransferSessionId,
    offset: u64,
    /// Without one, all of them at once are asked for.
    limit: Option<usize>,
}

pub(super) fn list(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let page = Page::of(&asked.query()?)?;
    let chunk =
        responder.queued_chunk(&page.transfer_session, page.offset, page.limit.or(Some(limits::CHUNK_RECORDS_MAX)))?;
    let given = chunk.records.len() as u64;
    if page.limit.is_some() {
        let links = page.links(&address_of(asked), given, chunk.total);
        return Ok(Answer::ok(wire::write_page(&page.transfer_session, &chunk.records, chunk.total, &links)));
    }
    // A bare list says nothing of what it leaves out, so it must leave out nothing.
    if page.offset.saturating_add(given) < chunk.total {
        let what = format!("give {} records in one list: at most {} at once", chunk.total, limits::CHUNK_RECORDS_MAX);
        return Err(Error::new(ErrorKind::LimitExceeded, what).with_hint("ask with a limit and an offset"));
    }
    let mut body = Vec::new();
    wire::write_chunk(&page.transfer_session, &chunk.records, &mut body);
    Ok(Answer::ok(body))
}

pub(super) fn create(responder: &Responder, asked: &Asked) -> Result<Answer> {
    let offset = number_in(&asked.query()?, "offset")?;
    let records = wire::read_chunk(&asked.body()?)?;
    if let Some(transfer_session) = Responder::transfer_session_of(&records)? {
        responder.receive_chunk(&transfer_session, offset, records)?;
    }
    Ok(Answer::created(Vec::new()))
}

/// The address that was asked, without what stands behind the question mark.
fn address_of(asked: &Asked) -> String {
    let host = asked.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let path = asked.uri.path();
    host.map_or_else(|| path.to_owned(), |host| format!("http://{host}{path}"))
}

/// The last value of this name in a query.
fn value_in<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn number_in(query: &[(String, String)], name: &str) -> Result<Option<u64>> {
    value_in(query, name).map(|text| text.parse().map_err(|_| wrong(name))).transpose()
}

fn wrong(name: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("page through records: {name} is missing or wrong"))
}

impl Page {
    fn of(query: &[(String, String)]) -> Result<Self> {
        let limit = match number_in(query, "limit")? {
            Some(0) => return Err(wrong("limit")),
            limit => limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        };
        let transfer_session = value_in(query, "transfer_session_id").and_then(|id| id.parse().ok());
        Ok(Self {
            transfer_session: transfer_session.ok_or_else(|| wrong("transfer_session_id"))?,
            offset: number_in(query, "offset")?.unwrap_or(0),
            limit,
        })
    }

    /// The pages around one that gives so many of `total` records. The next one begins where this one ends, which may be
    /// before its limit.
    fn links(&self, address: &str, given: u64, total: u64) -> PageLinks {
        let limit = self.limit.map_or(0, |limit| limit as u64);
        let link = |offset: u64| {
            // The first page is named without an offset.
            let offset = if offset == 0 { String::new() } else { format!("&offset={offset}") };
            format!("{address}?limit={limit}{offset}&transfer_session_id={}", self.transfer_session)
        };
        let end = self.offset.saturating_add(given);
        PageLinks {
            next: (given > 0 && end < total).then(|| link(end)),
            previous: (self.offset > 0).then(|| link(self.offset.saturating_sub(limit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn page(query: &[(&str, &str)]) -> Result<Page> {
        Page::of(&query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
    }

    #[test]
    fn a_page_is_asked_for_with_limit_and_offset() {
        let first = page(&[("transfer_session_id", ID), ("limit", "4")]).expect("the first page");
        assert_eq!((first.offset, first.limit), (0, Some(4)));
        let all = page(&[("transfer_session_id", ID)]).expect("all of them");
        assert_eq!(all.limit, None);
        for wrong in [
            &[("limit", "4")][..],
            &[("transfer_session_id", "none"), ("limit", "4")],
            &[("transfer_session_id", ID), ("limit", "0")],
            &[("transfer_session_id", ID), ("limit", "-1")],
            &[("transfer_session_id", ID), ("limit", "4"), ("offset", "x")],
        ] {
            assert_eq!(page(wrong).expect_err("wrong").kind(), ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn links_lead_from_page_to_page_as_those_of_existing_peers() {
        let links = |offset: &str, given, total| {
            let page = page(&[("transfer_session_id", ID), ("limit", "4"), ("offset", offset)]).expect("a page");
            let links = page.links("http://peer/buffers/", given, total);
            let query = |link: String| link.replace(&format!("&transfer_session_id={ID}"), "");
            (links.next.map(query), links.previous.map(query))
        };
        let link = |query: &str| Some(format!("http://peer/buffers/?{query}"));
        assert_eq!(links("0", 4, 9), (link("limit=4&offset=4"), None));
        assert_eq!(links("4", 4, 9), (link("limit=4&offset=8"), link("limit=4")));
        assert_eq!(links("8", 1, 9), (None, link("limit=4&offset=4")));
        assert_eq!(links("4", 2, 9), (link("limit=4&offset=6"), link("limit=4")), "a page that ended early");
        assert_eq!(links("9", 0, 9), (None, link("limit=4&offset=5")), "beyond the end");
    }
}
