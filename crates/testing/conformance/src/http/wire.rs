//! Just enough of an HTTP/1.1 client: every header goes out as written, and the head of a response can be read before
//! its body.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::store::Failure;

/// A connection, for requests one after the other: each response is read before the next request is sent. Dropped, it
/// is cut.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    /// Whether the request that was sent last has a response without a body, whatever its headers say.
    asked_for_head: bool,
    /// Whether the server takes no other request on it.
    has_ended: bool,
}

/// A request. Its headers travel as ISO-8859-1, a byte for each character: so every byte can be sent.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a [u8],
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The values of a header, by its lower-case name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// All headers but those of this lower-case name.
    pub(crate) fn without(&self, name: &str) -> Vec<&(String, String)> {
        let others = self.headers.iter().filter(|(found, _)| found != name);
        others.collect()
    }

    /// Whether no body follows, also where a length is told.
    fn has_no_body(&self) -> bool {
        matches!(self.status, 100..200 | 204 | 304)
    }
}

impl Request<'_> {
    fn bytes(&self) -> Vec<u8> {
        let (method, path, length) = (self.method, self.path, self.body.len());
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: site.test\r\ncontent-length: {length}\r\n");
        for (name, value) in self.headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head.push_str("\r\n");
        let bytes = head.chars().map(u8::try_from);
        let mut bytes: Vec<_> = bytes.map(|byte| byte.expect("it is ISO-8859-1")).collect();
        bytes.extend(self.body);
        bytes
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.map_err(|error| cut(&error))?;
        Ok(Self {
            address,
            stream: BufReader::new(stream),
            asked_for_head: false,
            has_ended: false,
        })
    }

    /// Sends a request, on a new connection if the server has ended this one.
    pub(crate) async fn send(&mut self, request: &Request<'_>) -> Result<(), Failure> {
        if self.has_ended {
            *self = Self::open(self.address).await?;
        }
        self.asked_for_head = request.method == "HEAD";
        let sent = self.stream.write_all(&request.bytes()).await;
        sent.map_err(|error| cut(&error))
    }

    /// Waits for the head of the response.
    pub(crate) async fn head(&mut self) -> Result<Head, Failure> {
        let status_line = self.line().await?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status =
            status.ok_or_else(|| Failure::new(format!("{status_line:?} is no status line")))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                let head = Head { status, headers };
                let mut options = head.all("connection").into_iter();
                self.has_ended = options.any(|option| option.eq_ignore_ascii_case("close"));
                return Ok(head);
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the rest, up to its end: where the head does not tell it, the server ends it by closing the connection.
    pub(crate) async fn body(&mut self, head: &Head) -> Result<Vec<u8>, Failure> {
        if self.asked_for_head || head.has_no_body() {
            return Ok(Vec::new());
        }
        if head
            .all("transfer-encoding")
            .iter()
            .any(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            return self.chunks().await;
        }
        match head.all("content-length").first() {
            Some(length) => self.exactly(number(length, 10)?).await,
            None => self.rest().await,
        }
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let size = number(&self.line().await?, 16)?;
            body.extend(self.exactly(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; length];
        let read = self.stream.read_exact(&mut bytes).await;
        read.map_err(|error| cut(&error))?;
        Ok(bytes)
    }

    async fn rest(&mut self) -> Result<Vec<u8>, Failure> {
        self.has_ended = true;
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes).await;
        read.map_err(|error| cut(&error))?;
        Ok(bytes)
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line).await {
            Ok(0) => Err(Failure::new(
                "the server closed the connection before its response was complete",
            )),
            Ok(_) => Ok(line
                .trim_ascii_end()
                .iter()
                .copied()
                .map(char::from)
                .collect()),
            Err(error) => Err(cut(&error)),
        }
    }
}

fn number(text: &str, radix: u32) -> Result<usize, Failure> {
    usize::from_str_radix(text, radix)
        .map_err(|_| Failure::new(format!("{text:?} is no length of a body")))
}

fn cut(error: &io::Error) -> Failure {
    Failure::new(format!("the connection to the server failed: {error}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const GET: Request<'_> = Request {
        method: "GET",
        path: "/",
        headers: &[],
        body: b"",
    };

    /// The body of what a server answers that writes `response` and closes.
    async fn body_of(response: &'static str, method: &'static str) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            while stream.read_line(&mut String::new()).await.unwrap() > 2 {}
            stream.write_all(response.as_bytes()).await.unwrap();
        });
        let mut connection = Connection::open(address).await.unwrap();
        connection.send(&Request { method, ..GET }).await.unwrap();
        let head = connection.head().await.unwrap();
        connection.body(&head).await.unwrap()
    }

    #[tokio::test]
    async fn a_body_may_end_with_the_connection() {
        assert_eq!(body_of("HTTP/1.1 200 OK\r\n\r\nall", "GET").await, b"all");
    }

    #[tokio::test]
    async fn what_has_no_body_may_tell_a_length() {
        for (status, method) in [("200", "HEAD"), ("204", "POST"), ("304", "GET")] {
            let response = format!("HTTP/1.1 {status} \r\ncontent-length: 3\r\n\r\n");
            assert_eq!(body_of(response.leak(), method).await, b"", "{status}");
        }
    }

    #[test]
    fn a_header_is_sent_byte_for_byte() {
        let headers = &[("cookie", "theme=d\u{e9}")];
        let bytes = Request { headers, ..GET }.bytes();
        assert!(bytes.ends_with(b"cookie: theme=d\xe9\r\n\r\n"));
    }
}
