//! Just enough of an HTTP/1.1 client: every header goes out as written, and the head of a response can be read before
//! its body. One connection a request.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::store::Failure;

/// A request that was sent, whose response has not been read. Dropped, it cuts the connection.
pub(crate) struct Sent(BufReader<TcpStream>);

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
}

/// Sends a POST request with these headers.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Sent, Failure> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: site.test\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    request.push_str("\r\n");
    let mut stream = TcpStream::connect(address)
        .await
        .map_err(|error| cut(&error))?;
    stream
        .write_all(&[request.as_bytes(), body].concat())
        .await
        .map_err(|error| cut(&error))?;
    Ok(Sent(BufReader::new(stream)))
}

impl Sent {
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
                return Ok(Head { status, headers });
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the rest, up to its end.
    pub(crate) async fn body(mut self, head: &Head) -> Result<Vec<u8>, Failure> {
        if head
            .all("transfer-encoding")
            .iter()
            .any(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            return self.chunks().await;
        }
        let length = head
            .all("content-length")
            .first()
            .and_then(|length| length.parse().ok());
        self.exactly(length.unwrap_or(0)).await
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let size = self.line().await?;
            let size = usize::from_str_radix(&size, 16)
                .map_err(|_| Failure::new(format!("{size:?} is no length of a chunk")))?;
            body.extend(self.exactly(size).await?);
            self.line().await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; length];
        self.0
            .read_exact(&mut bytes)
            .await
            .map_err(|error| cut(&error))?;
        Ok(bytes)
    }

    async fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.0.read_line(&mut line).await {
            Ok(0) => Err(Failure::new(
                "the server closed the connection before its response was complete",
            )),
            Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(cut(&error)),
        }
    }
}

fn cut(error: &io::Error) -> Failure {
    Failure::new(format!("the connection to the server failed: {error}"))
}
