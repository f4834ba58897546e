//! A client that is just enough for our own servers: HTTP/1.1 over one connection that is kept open, responses with a
//! `Content-Length`.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to a server on this machine. When an answer was lost, the next request opens it anew.
pub struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// A response with status 200.
pub struct Answer<'a> {
    head: &'a str,
    /// The body.
    pub body: &'a str,
}

impl Connection {
    /// Connects to `port` on this machine.
    pub async fn open(port: u16) -> Result<Self> {
        Ok(Self {
            port,
            stream: Some(connect(port).await?),
            buffer: Vec::new(),
        })
    }

    /// Asks for `path` and waits for the answer. Any status but 200 is an error.
    pub async fn get(&mut self, path: &str, cookie: Option<&str>) -> Result<Answer<'_>> {
        let mut bytes = Vec::new();
        request(&mut bytes, path, cookie);
        self.send(&bytes)
            .await
            .with_context(|| format!("GET {path}"))
    }

    /// Sends a request that [`request`] made and waits for the answer. Any status but 200 is an error.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.port).await?,
        };
        stream.write_all(request).await?;
        let (head, end) = receive(&mut stream, &mut self.buffer).await?;
        self.stream = Some(stream);
        let answer = std::str::from_utf8(&self.buffer[..end])?;
        ensure!(
            answer.starts_with("HTTP/1.1 200 "),
            "the server answered {:?}",
            answer.lines().next().unwrap_or_default()
        );
        let (head, body) = answer.split_at(head);
        Ok(Answer { head, body })
    }
}

async fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one response into `buffer`; returns where its head and its body end.
async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(usize, usize)> {
    buffer.clear();
    let head = loop {
        if let Some(end) = find_head(buffer) {
            break end;
        }
        receive_more(stream, buffer).await?;
    };
    let end = head + content_length(std::str::from_utf8(&buffer[..head])?)?;
    while buffer.len() < end {
        receive_more(stream, buffer).await?;
    }
    Ok((head, end))
}

async fn receive_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    if stream.read_buf(buffer).await? == 0 {
        bail!("the server closed the connection");
    }
    Ok(())
}

impl Answer<'_> {
    /// What the response sets, as the `Cookie` header of later requests; without cookies that it removes.
    pub fn cookie(&self) -> String {
        cookie(headers(self.head, "set-cookie"))
    }
}

/// Puts the bytes of a request into `bytes`, in place of what was there.
pub fn request(bytes: &mut Vec<u8>, path: &str, cookie: Option<&str>) {
    bytes.clear();
    for part in ["GET ", path, " HTTP/1.1\r\nhost: localhost\r\n"] {
        bytes.extend_from_slice(part.as_bytes());
    }
    if let Some(cookie) = cookie {
        for part in ["cookie: ", cookie, "\r\n"] {
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    bytes.extend_from_slice(b"\r\n");
}

/// A `Cookie` header of what these `Set-Cookie` headers set.
pub fn cookie<'a>(set_cookies: impl Iterator<Item = &'a str>) -> String {
    set_cookies
        .filter_map(|line| line.split(';').next())
        .filter(|pair| !pair.ends_with('='))
        .collect::<Vec<_>>()
        .join("; ")
}

fn find_head(bytes: &[u8]) -> Option<usize> {
    Some(bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4)
}

fn content_length(head: &str) -> Result<usize> {
    let length = headers(head, "content-length").next();
    Ok(length
        .context("a response without Content-Length")?
        .parse()?)
}

/// The values of all headers `name`.
fn headers<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}
