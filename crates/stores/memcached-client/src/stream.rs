//! Makes connections: TCP or Unix socket, TLS, credentials, and a first question that shows that the server answers and
//! can do what is needed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::address::{Address, Place};
use crate::config::{ClientConfig, Credentials};
use crate::error::{Error, ErrorKind};
use crate::reply::{Parser, Refusal, Reply};
use crate::tls::Tls;

/// A connection that is ready for requests.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) server: Server,
}

/// What a server says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// The most bytes that an item may have, with its key and all that the server adds (`-I`).
    pub(crate) item_bytes: usize,
    /// Whether values have a `cas` (no `-C`).
    has_cas: bool,
}

pub(crate) type Stream = Box<dyn Connection>;

pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Connection for C {}

/// Makes connections to one server.
#[derive(Clone)]
pub(crate) struct Connector {
    address: Address,
    credentials: Option<Arc<Credentials>>,
    tls: Option<Tls>,
    limit: Duration,
}

impl Connector {
    /// `tls` is what `config` asks for, made once for all servers.
    pub(crate) fn new(address: &Address, config: &ClientConfig, tls: Option<Tls>) -> Self {
        Self {
            address: address.clone(),
            credentials: config.credentials.clone().map(Arc::new),
            tls,
            limit: config.limits.clamped().connect_timeout,
        }
    }

    /// Makes a connection on which the server has answered. Fails in time; no request was sent then.
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        match timeout(self.limit, self.try_connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(Error::new(
                ErrorKind::Unreachable,
                "connecting took too long",
            )),
        }
    }

    async fn try_connect(&self) -> Result<Connected, Error> {
        let mut stream = self.open().await.map_err(|error| {
            let kind = match error.kind() {
                // What TLS says of a certificate that it does not trust.
                io::ErrorKind::InvalidData => ErrorKind::Invalid,
                _ => ErrorKind::Unreachable,
            };
            Error::new(kind, format!("connecting failed: {error}"))
        })?;
        let server = self.greet(&mut stream).await?;
        if !server.has_cas {
            let sentence = "it runs with -C, without which values have no cas to compare";
            return Err(Error::new(ErrorKind::Invalid, sentence));
        }
        Ok(Connected { stream, server })
    }

    async fn open(&self) -> io::Result<Stream> {
        let (host, port) = match self.address.place() {
            Place::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Place::Tcp { host, port } => (host, *port),
        };
        let stream = fasthttpsession_tcp::connect(host, port, self.limit).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => tls.connect(host, stream).await,
        }
    }

    /// Gives the credentials and asks for the settings: who answers that knows the meta commands, and is not hung.
    async fn greet(&self, stream: &mut Stream) -> Result<Server, Error> {
        let mut greeting = String::new();
        if let Some(Credentials { user, password }) = self.credentials.as_deref() {
            // To a server that wants no credentials this stores a value, which has expired at once.
            let length = user.len() + 1 + password.len();
            greeting = format!("set credentials 0 -1 {length}\r\n{user} {password}\r\n");
        }
        greeting.push_str("stats settings\r\nmn\r\n");
        let sent = async {
            stream.write_all(greeting.as_bytes()).await?;
            stream.flush().await
        };
        sent.await.map_err(|error| lost(&error))?;
        self.expect_answers(stream).await
    }

    async fn expect_answers(&self, stream: &mut Stream) -> Result<Server, Error> {
        let (mut parser, mut received) = (Parser::new(0), BytesMut::new());
        let mut greeted = self.credentials.is_none();
        let mut server = Server::UNKNOWN;
        loop {
            match parser.next(&mut received) {
                Ok(Some(Reply::Stored)) if !greeted => greeted = true,
                Ok(Some(Reply::Stat(setting))) if greeted => server.note(&setting),
                Ok(Some(Reply::End)) if greeted => {}
                Ok(Some(Reply::Nothing)) if greeted => return Ok(server),
                Ok(Some(Reply::Refused(refusal, text))) => {
                    return Err(not_welcome(refusal, &text, greeted));
                }
                Ok(Some(_)) | Err(_) => {
                    let sentence = "it does not answer like memcached";
                    return Err(Error::new(ErrorKind::Protocol, sentence));
                }
                Ok(None) => {
                    if stream
                        .read_buf(&mut received)
                        .await
                        .map_err(|error| lost(&error))?
                        == 0
                    {
                        return Err(lost(&io::ErrorKind::UnexpectedEof.into()));
                    }
                }
            }
        }
    }
}

impl Server {
    /// As memcached is unless told otherwise.
    const UNKNOWN: Self = Self {
        item_bytes: 1 << 20,
        has_cas: true,
    };

    /// Takes in one of its settings, `name value`.
    fn note(&mut self, setting: &str) {
        match setting.split_once(' ') {
            Some(("item_size_max", bytes)) => {
                self.item_bytes = bytes.parse().unwrap_or(Self::UNKNOWN.item_bytes);
            }
            Some(("cas_enabled", enabled)) => self.has_cas = enabled != "no",
            _ => {}
        }
    }
}

fn lost(error: &io::Error) -> Error {
    let sentence = format!("connecting failed: {error}");
    Error::new(ErrorKind::Unreachable, sentence)
}

fn not_welcome(refusal: Refusal, text: &str, greeted: bool) -> Error {
    match refusal {
        Refusal::Client if !greeted => Error::new(
            ErrorKind::Authentication,
            "it does not accept the user and the password",
        ),
        Refusal::Client if text.starts_with("unauthenticated") => Error::new(
            ErrorKind::Authentication,
            "it wants a user and a password, and none are set",
        ),
        Refusal::Client => Error::new(
            ErrorKind::Protocol,
            "it does not know the commands of memcached 1.6",
        ),
        Refusal::Server => {
            let sentence = format!("it refused the connection: {}", text.escape_debug());
            Error::new(ErrorKind::Unreachable, sentence)
        }
    }
}
