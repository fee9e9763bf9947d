//! HTTP/1.1 by hand, for what no proper client sends and no proper server answers.
//!
//! Only what peers on loopback need: one request after another, bodies with a length, in pieces, or up to the end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

/// Where the calls of the protocol lie.
pub const BASE_PATH: &str = "/api/morango/v1/";

/// Names and values.
pub type Headers = Vec<(String, String)>;

/// A request, or as much of one as a story sends.
#[derive(Debug, Clone)]
pub struct Request {
    /// For example `POST`.
    pub method: String,
    /// The path with its query, for example `/api/morango/v1/nonces/`.
    pub target: String,
    /// Names and values. What says how long the body is comes by itself unless it is here.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// For example `404`.
    pub status: u16,
    /// Names and values.
    pub headers: Headers,
    /// The body, without the marks between its pieces.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body. A path that begins with no slash is one of the protocol, for example `nonces/`.
    pub fn new(method: &str, path: &str) -> Self {
        let target = if path.starts_with('/') { path.to_owned() } else { format!("{BASE_PATH}{path}") };
        Self { method: method.to_owned(), target, headers: Vec::new(), body: Vec::new() }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body of this type.
    #[must_use]
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.header("Content-Type", content_type) }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The path below the protocol's, without the query, for example `nonces/`.
    pub fn path(&self) -> &str {
        let path = self.target.split('?').next().unwrap_or_default();
        path.strip_prefix(BASE_PATH).unwrap_or(path)
    }

    /// What is called, for example `POST buffers/` or `PATCH transfersessions/ID/`.
    pub fn call(&self) -> String {
        let is_id = |part: &str| part.len() == 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parts: Vec<&str> = self.path().split('/').map(|part| if is_id(part) { "ID" } else { part }).collect();
        format!("{} {}", self.method, parts.join("/"))
    }

    /// The body as JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }

    /// Sends the request to the server at `url` over a line of its own, and waits for the answer.
    ///
    /// # Errors
    /// The connection fails, or ends before an answer.
    pub fn try_send(&self, url: &str) -> io::Result<Answer> {
        let mut line = TcpStream::connect(address_of(url))?;
        // A server that refuses a body may close the line while it is still being sent; its answer is there all the same.
        let sent = self.write(&mut line, &[("Host", "loopback"), ("Connection", "close")]);
        match Answer::read(&mut BufReader::new(line)) {
            Ok(answer) => Ok(answer),
            Err(error) => sent.and(Err(error)),
        }
    }

    /// The same where an answer is certain.
    pub fn send(&self, url: &str) -> Answer {
        self.try_send(url).unwrap_or_else(|error| panic!("{} {} got no answer: {error}", self.method, self.target))
    }

    fn write(&self, line: &mut TcpStream, more: &[(&str, &str)]) -> io::Result<()> {
        let first = format!("{} {} HTTP/1.1", self.method, self.target);
        write_message(line, &first, &self.headers, more, &self.body, self.body.len())
    }

    pub(crate) fn read(line: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some((first, headers)) = read_head(line)? else { return Ok(None) };
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let body = read_body(line, &headers, BodyEnd::AtOnce)?;
        Ok(Some(Self { method, target, headers, body }))
    }
}

impl Answer {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("Content-Type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A page such as something between the peers shows.
    pub fn html(status: u16) -> Self {
        Self::new(status, "text/html", "<html><head><title>Welcome to the school's network</title></head></html>")
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.headers, name)
    }

    /// The body as JSON.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{} is no JSON: {error}", String::from_utf8_lossy(&self.body)))
    }

    /// The answer with another body.
    #[must_use]
    pub fn with_value(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }

    pub(crate) fn write(&self, line: &mut TcpStream, body_bytes_max: usize) -> io::Result<()> {
        let first = format!("HTTP/1.1 {} Scripted", self.status);
        let end = self.body.len().min(body_bytes_max);
        write_message(line, &first, &self.headers, &[], &self.body[..end], self.body.len())
    }

    fn read(line: &mut impl BufRead) -> io::Result<Self> {
        let (first, headers) = read_head(line)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let has_body = !matches!(status, 100..=199 | 204 | 304);
        let body = if has_body { read_body(line, &headers, BodyEnd::WithTheLine)? } else { Vec::new() };
        Ok(Self { status, headers, body })
    }
}

/// Where a body ends that does not say how long it is.
enum BodyEnd {
    AtOnce,
    WithTheLine,
}

/// The address in a URL such as `http://127.0.0.1:4000/`.
pub fn address_of(url: &str) -> &str {
    url.trim_start_matches("http://").trim_end_matches('/')
}

fn value_of<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn write_message(
    line: &mut TcpStream,
    first: &str,
    headers: &[(String, String)],
    more: &[(&str, &str)],
    body: &[u8],
    length: usize,
) -> io::Result<()> {
    let mut head = format!("{first}\r\n");
    for (name, value) in more.iter().copied().chain(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let says_length = ["content-length", "transfer-encoding"].iter().any(|name| value_of(headers, name).is_some());
    if !says_length {
        head.extend(["Content-Length: ", length.to_string().as_str(), "\r\n"]);
    }
    head.push_str("\r\n");
    line.write_all(head.as_bytes())?;
    line.write_all(body)?;
    line.flush()
}

fn read_head(line: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let mut first = String::new();
    if line.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if line.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => return Ok(Some((first.trim_end().to_owned(), headers))),
        }
    }
}

fn read_body(line: &mut impl BufRead, headers: &[(String, String)], end: BodyEnd) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if value_of(headers, "transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            line.read_line(&mut size)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            line.take(size).read_to_end(&mut body)?;
            line.read_line(&mut String::new())?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match (value_of(headers, "content-length"), end) {
        (Some(length), _) => {
            body.resize(length.parse().map_err(|_| io::ErrorKind::InvalidData)?, 0);
            line.read_exact(&mut body)?;
        }
        (None, BodyEnd::AtOnce) => {}
        (None, BodyEnd::WithTheLine) => {
            line.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

/// Sends the start of a request, and leaves.
pub fn send_start_and_leave(url: &str, start: &[u8]) {
    let mut line = TcpStream::connect(address_of(url)).expect("the server listens");
    line.write_all(start).expect("the server reads");
    line.shutdown(Shutdown::Both).expect("the line can be closed");
}
