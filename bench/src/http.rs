//! A client that is just enough for our own servers: HTTP/1.1 over one connection that is kept open, responses with a
//! `Content-Length`.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection to a server on this machine.
pub struct Connection {
    stream: TcpStream,
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
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Asks for `path` and waits for the answer. Any status but 200 is an error.
    pub async fn get(&mut self, path: &str, cookie: Option<&str>) -> Result<Answer<'_>> {
        self.send(&request(path, cookie))
            .await
            .with_context(|| format!("GET {path}"))
    }

    /// Sends a request that [`request`] made and waits for the answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(end) = find_head(&self.buffer) {
                break end;
            }
            self.receive().await?;
        };
        let end = head + content_length(std::str::from_utf8(&self.buffer[..head])?)?;
        while self.buffer.len() < end {
            self.receive().await?;
        }
        let answer = std::str::from_utf8(&self.buffer[..end])?;
        ensure!(
            answer.starts_with("HTTP/1.1 200 "),
            "the server answered {answer:?}"
        );
        let (head, body) = answer.split_at(head);
        Ok(Answer { head, body })
    }

    async fn receive(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}

impl Answer<'_> {
    /// What the response sets, as the `Cookie` header of later requests; without cookies that it removes.
    pub fn cookie(&self) -> String {
        cookie(headers(self.head, "set-cookie"))
    }
}

/// The bytes of a request.
pub fn request(path: &str, cookie: Option<&str>) -> Vec<u8> {
    let cookie = cookie.map_or_else(String::new, |cookie| format!("cookie: {cookie}\r\n"));
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{cookie}\r\n").into_bytes()
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
