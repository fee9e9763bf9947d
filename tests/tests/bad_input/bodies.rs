//! Bodies: too long, too deep, cut off, or nothing that can be read.

use std::io::{Read, Write};
use std::net::TcpStream;

use morango::prelude::*;
use morango::{ErrorKind, limits};
use morango_tests::http::{Answer, BASE_PATH, Request, address_of, send_start_and_leave};
use morango_tests::proxy::Proxy;
use morango_tests::scripted::Reply;
use serde_json::json;

use super::papers::Papers;
use super::school::{School, failure, holding, member};
use super::visitor::assert_refused;

/// The calls that take a body, each for a session that is there.
fn calls(school: &School) -> Vec<(&'static str, String)> {
    let visitor = school.visitor();
    let push = visitor.open_push(&school.dataset.to_string(), 1);
    vec![
        ("POST", "certificates/".to_owned()),
        ("POST", "syncsessions/".to_owned()),
        ("POST", "transfersessions/".to_owned()),
        ("PATCH", format!("transfersessions/{push}/")),
        ("POST", "buffers/".to_owned()),
    ]
}

fn send(school: &School, method: &str, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
    Request::new(method, path).header("Authorization", "Basic YWRtaW46c2VjcmV0").body(kind, body).send(&school.url)
}

#[test]
fn a_body_that_cannot_be_read_is_a_malformed_message_everywhere() {
    let school = School::open();
    let before = school.holding();
    for (method, path) in calls(&school) {
        for body in [
            &b""[..],
            b"{",
            b"no JSON",
            b"7",
            b"\"text\"",
            b"null",
            b"{\"id\": \xff\xfe}",
            b"\x00\x01\x02",
            b"{} {}",
            "[".repeat(1_000_000).as_bytes(),
            "{\"a\":".repeat(1_000_000).as_bytes(),
        ] {
            println!("{method} {path} {:.20?}", String::from_utf8_lossy(body));
            let answer = send(&school, method, &path, "application/json", body);
            assert_refused(&answer, 400, "message-malformed", "read");
        }
    }
    assert_eq!(school.holding(), before);
    school.assert_works_on();
}

#[test]
fn a_body_that_says_that_it_is_too_long_is_not_even_waited_for() {
    let school = School::open();
    for (method, path) in calls(&school) {
        for length in [limits::BODY_BYTES_MAX + 1, usize::MAX / 4] {
            let request = Request::new(method, &path)
                .header("Content-Type", "application/json")
                .header("Authorization", "Basic YWRtaW46c2VjcmV0")
                .header("Content-Length", &length.to_string());
            assert_refused(&request.send(&school.url), 413, "limit-exceeded", "");
        }
    }
    school.assert_works_on();
}

#[test]
fn a_body_that_does_not_say_its_length_is_cut_off_at_the_limit() {
    let school = School::open();
    let mut line = TcpStream::connect(address_of(&school.url)).expect("the server listens");
    let head = format!(
        "POST {BASE_PATH}syncsessions/ HTTP/1.1\r\nHost: loopback\r\nContent-Type: application/json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    line.write_all(head.as_bytes()).expect("the server reads");
    let mut piece = format!("{:x}\r\n", 1 << 20).into_bytes();
    piece.extend(vec![b' '; 1 << 20]);
    piece.extend(b"\r\n");
    let pieces = limits::SMALL_BODY_BYTES_MAX / (1 << 20) + 16;
    // The server may close the line before all of it is sent.
    let _ = (0..pieces).try_for_each(|_| line.write_all(&piece));
    let mut answer = Vec::new();
    let _ = line.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("limit-exceeded"), "{answer}");
    school.assert_works_on();
}

#[test]
fn a_gzip_bomb_does_not_go_off() {
    let school = School::open();
    let push = school.visitor().open_push(&school.dataset.to_string(), 1);
    let bomb = bomb();
    assert!(bomb.len() < 1 << 20, "{} bytes on the line", bomb.len());
    let answer = send(&school, "POST", "buffers/", "application/gzip", bomb.clone());
    assert_refused(&answer, 413, "limit-exceeded", "");
    // A bomb in a bomb is one that cannot be read, and no other call takes gzip.
    let answer = send(&school, "POST", "buffers/", "application/gzip", gzip(&bomb));
    assert_refused(&answer, 400, "message-malformed", "");
    let answer = send(&school, "POST", "syncsessions/", "application/gzip", bomb);
    assert!(matches!(answer.status, 400 | 413 | 415), "{}", answer.status);
    assert_eq!(school.visitor().get(&format!("transfersessions/{push}/")).status, 200);
    school.assert_works_on();
}

#[test]
fn a_chunk_that_is_no_gzip_or_half_of_one_is_refused_as_a_whole() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1);
    let chunk = json!([visitor.record(&push, &filter, "zipped")]).to_string();
    let whole = gzip(chunk.as_bytes());
    let mut bent = whole.clone();
    bent[whole.len() / 2] ^= 0xff;
    for body in [chunk.as_bytes(), &whole[..whole.len() / 2], &whole[..whole.len() - 4], &bent, b"", &[0x1f, 0x8b]] {
        let answer = send(&school, "POST", "buffers/", "application/gzip", body);
        assert_refused(&answer, 400, "message-malformed", "read");
    }
    let transferred = || visitor.get(&format!("transfersessions/{push}/")).value()["records_transferred"].clone();
    assert_eq!(transferred(), 0);
    assert_eq!(send(&school, "POST", "buffers/", "application/gzip", whole).status, 201);
    assert_eq!(transferred(), 1);
    visitor.finish_push(&push);
    assert_eq!(morango_tests::compare::told_by_device(&school.city, &[&filter]).len(), 1);
    school.assert_works_on();
}

#[test]
fn a_chunk_of_too_many_records_is_refused_before_they_are_read() {
    let school = School::open();
    school.visitor().open_push(&school.dataset.to_string(), 1);
    let many = format!("[{}{{}}]", "{},".repeat(limits::CHUNK_RECORDS_ACCEPTED_MAX));
    assert_refused(&send(&school, "POST", "buffers/", "application/json", many), 413, "limit-exceeded", "records");
    school.assert_works_on();
}

#[test]
fn a_chunk_that_stops_in_the_middle_leaves_nothing() {
    let school = School::open();
    let visitor = school.visitor();
    let filter = format!("{}:user-rw:ada", school.dataset);
    let push = visitor.open_push(&filter, 1);
    let chunk = json!([visitor.record(&push, &filter, "half")]).to_string();
    let head = format!(
        "POST {BASE_PATH}buffers/ HTTP/1.1\r\nHost: loopback\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        chunk.len()
    );
    let whole = head + &chunk;
    for end in [0, 10, 100, whole.len() - chunk.len(), whole.len() - chunk.len() / 2, whole.len() - 1] {
        send_start_and_leave(&school.url, &whole.as_bytes()[..end]);
    }
    for nonsense in [&b"\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n"] {
        send_start_and_leave(&school.url, nonsense);
    }
    let session = visitor.get(&format!("transfersessions/{push}/")).value();
    assert_eq!(session["records_transferred"], 0);
    school.assert_works_on();
}

#[test]
fn a_client_takes_no_answer_without_end() {
    let school = School::open();
    let home = member("home");
    let before = holding(&home);
    let bomb = bomb();
    let zipped = move || {
        let mut answer = Answer::new(200, "application/json", bomb.clone());
        answer.headers.push(("Content-Encoding".to_owned(), "gzip".to_owned()));
        answer
    };
    let mut promised = Answer::json(200, &json!([]));
    promised.headers.push(("Content-Length".to_owned(), (limits::BODY_BYTES_MAX + 1).to_string()));
    let mut endless = Answer::new(200, "application/json", format!("{:x}\r\n", 2 * limits::BODY_BYTES_MAX));
    endless.body.resize(limits::BODY_BYTES_MAX + 1_000, b' ');
    endless.headers.push(("Transfer-Encoding".to_owned(), "chunked".to_owned()));
    for call in ["GET certificates/", "GET buffers/", "GET morangoinfo/1/"] {
        for (how, answer) in [("zipped", zipped()), ("promised", promised.clone()), ("endless", endless.clone())] {
            println!("{call} {how}");
            let proxy = Proxy::start(&school.url, move |request, onward| {
                if request.call() == call { Reply::Whole(answer.clone()) } else { onward.forward(request) }
            });
            let error = failure(&home, &proxy.url(), SyncOptions::pull());
            assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{call} {how}: {error:?}");
        }
    }
    assert_eq!(holding(&home), before);
    school.assert_syncs(&home);
}

#[test]
fn a_client_takes_no_answer_that_is_encoded_as_nobody_asked() {
    let school = School::open();
    let home = member("home");
    for (encoding, kind) in [("br", ErrorKind::PeerAnswerUnexpected), ("gzip", ErrorKind::PeerAnswerUnexpected)] {
        let proxy = Proxy::start(&school.url, move |request, onward| {
            onward.forward(request).change(|mut answer| {
                answer.headers.push(("Content-Encoding".to_owned(), encoding.to_owned()));
                answer
            })
        });
        assert_eq!(failure(&home, &proxy.url(), SyncOptions::pull()).kind(), kind);
    }
    home.sync(&school.url, &Papers::member().certificate(), SyncOptions::pull());
    school.assert_syncs(&home);
}

/// A body a little over what a receiver keeps in memory, in a few KiB.
fn bomb() -> Vec<u8> {
    gzip(&vec![b' '; limits::BODY_BYTES_MAX + 1])
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
