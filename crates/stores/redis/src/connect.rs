//! Opens one connection to one server: TCP, TLS or a Unix socket, then the greeting. Each within a limit.

use std::io;
use std::pin::pin;
use std::time::Duration;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::misconfigured;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisResult, Value, cmd};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::error::{connect_error, unreachable};
use crate::gathering::{Calls, Gathering};
use crate::place::{Address, Login};

/// How many commands may wait to be written to a connection before callers have to wait.
const QUEUE: usize = 1024;

/// How long an answer is waited for before a look at whether the driver is still there: whoever hands it a command in the
/// moment in which it ends hears nothing more of it. To be told of the end would cost every command, on lines of memory
/// that all threads write to.
const LOOK: Duration = Duration::from_millis(50);

/// How connections are opened, wherever to.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: Option<TlsConnector>,
    pub(crate) login: Login,
    pub(crate) database: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

/// A connection whose commands are pipelined; it ends when it is dropped.
pub(crate) struct Connection {
    /// Where it leads.
    pub(crate) address: Address,
    commands: MultiplexedConnection,
    calls: Calls,
    response_timeout: Duration,
    driver: AbortHandle,
}

impl Connector {
    /// A connection that has been greeted, and on which the server has answered.
    pub(crate) async fn open(&self, address: &Address) -> Result<Connection, StoreError> {
        let opening = timeout(self.connect_timeout, self.open_unbounded(address));
        opening.await.unwrap_or_else(|_| {
            let message = format!("connecting to {address}: no answer within the limit");
            Err(StoreError::new(StoreErrorKind::Timeout, message).not_applied())
        })
    }

    async fn open_unbounded(&self, address: &Address) -> Result<Connection, StoreError> {
        let failed = |error| unreachable(format!("connecting to {address}: {error}"));
        match address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(failed)?;
                self.greet(address, stream).await
            }
            Address::Tcp { host, port } => {
                let stream = fasthttpsession_tcp::connect(host, *port, self.connect_timeout);
                let stream = stream.await.map_err(failed)?;
                match &self.tls {
                    None => self.greet(address, stream).await,
                    Some(tls) => {
                        let name = ServerName::try_from(host.clone()).map_err(|_| {
                            misconfigured(format!(
                                "{host} is not a name that a certificate can have"
                            ))
                        })?;
                        let stream = tls.connect(name, stream).await;
                        let stream = stream.map_err(|error| tls_error(address, &error))?;
                        self.greet(address, stream).await
                    }
                }
            }
        }
    }

    async fn greet<S>(&self, address: &Address, stream: S) -> Result<Connection, StoreError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Here is a limit for all of it, in `open`, and one for each command, in `send`.
        let settings = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        // The driver greets nobody: it would take a refusal of the connection for one of the password, and drop the words.
        let nothing = RedisConnectionInfo::default().set_skip_set_lib_name();
        let calls = Calls::default();
        let stream = Gathering::new(stream, calls.clone());
        let opened = MultiplexedConnection::new_with_config(&nothing, stream, settings).await;
        let failed = |error| connect_error(&address.to_string(), &error);
        let (commands, driver) = opened.map_err(failed)?;
        let connection = Connection {
            address: address.clone(),
            commands,
            calls,
            response_timeout: self.response_timeout,
            driver: tokio::spawn(driver).abort_handle(),
        };
        let greeting = self.greeting();
        let answers = connection.send_within(self.connect_timeout, &greeting);
        for answer in answers.await.map_err(failed)? {
            answer.extract_error().map_err(failed)?;
        }
        Ok(connection)
    }

    /// Who comes, and to which database. Has the server say something in any case: that there is a connection only means
    /// that its kernel runs.
    fn greeting(&self) -> Vec<Cmd> {
        let mut greeting = Vec::new();
        if let Some(password) = &self.login.password {
            let mut auth = cmd("AUTH");
            auth.arg(self.login.user.as_deref()).arg(&**password);
            greeting.push(auth);
        }
        if self.database != 0 {
            let mut select = cmd("SELECT");
            select.arg(self.database);
            greeting.push(select);
        }
        if greeting.is_empty() {
            greeting.push(cmd("PING"));
        }
        greeting
    }
}

impl Connection {
    /// Whether the server, or an error, has ended it.
    pub(crate) fn has_ended(&self) -> bool {
        self.driver.is_finished()
    }

    /// Sends `commands` in one go, and returns the answer to each; an error is one of the connection. May be dropped:
    /// answers stay with the commands that they belong to.
    pub(crate) async fn send(&self, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        self.send_within(self.response_timeout, commands).await
    }

    async fn send_within(&self, limit: Duration, commands: &[Cmd]) -> RedisResult<Vec<Value>> {
        let _under_way = self.calls.begin();
        let mut sender = self.commands.clone();
        let mut answers = pin!(async move {
            match commands {
                // Its future stays here; the one of any connection would be boxed.
                [command] => Ok(vec![sender.send_packed_command(command).await?]),
                commands => send(&mut sender, commands).await,
            }
        });
        let (began, mut left) = (Instant::now(), limit);
        loop {
            match timeout(left.min(LOOK), &mut answers).await {
                Ok(answers) => return answers,
                Err(_) if self.has_ended() => {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                // What it took, for looks come later than they are meant to.
                Err(_) => left = limit.saturating_sub(began.elapsed()),
            }
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Why there is no TLS: what TLS itself objects to stays so until somebody mends it, a connection that breaks does not.
fn tls_error(address: &Address, error: &std::io::Error) -> StoreError {
    let message = format!("TLS with {address}: {error}");
    if error.kind() == std::io::ErrorKind::InvalidData {
        misconfigured(message)
    } else {
        unreachable(message)
    }
}

/// Sends `commands` in one go over any connection.
pub(crate) async fn send(
    connection: &mut (impl redis::aio::ConnectionLike + ?Sized),
    commands: &[Cmd],
) -> RedisResult<Vec<Value>> {
    if let [command] = commands {
        return Ok(vec![connection.req_packed_command(command).await?]);
    }
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command.clone());
    }
    connection
        .req_packed_commands(&pipeline, 0, commands.len())
        .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fasthttpsession_store_common::Hidden;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::net::TcpListener;
    use tokio::time::advance;

    use super::*;

    const GREETING: &[u8] = b"*1\r\n$4\r\nPING\r\n";

    /// Where each connection is ended after the greeting.
    async fn useless() -> Address {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut greeting = [0; GREETING.len()];
                stream.read_exact(&mut greeting).await.expect("a greeting");
                stream.write_all(b"+PONG\r\n").await.expect("room");
            }
        });
        let host = "127.0.0.1".to_owned();
        Address::Tcp { host, port }
    }

    /// A server at its `maxclients` says so to whoever comes, and ends the connection.
    #[tokio::test]
    async fn a_server_with_too_many_clients_is_not_one_that_refuses_the_password() {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let line = b"-ERR max number of clients reached\r\n";
                stream.write_all(line).await.expect("room");
            }
        });
        let host = "127.0.0.1".to_owned();
        let address = Address::Tcp { host, port };
        for database in [0, 3] {
            let mut connector = connector();
            connector.login.password = Some(Hidden::new("secret"));
            connector.database = database;
            for _ in 0..20 {
                let opened = connector.open(&address).await;
                let error = opened.map(drop).expect_err("it is full");
                assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
                assert!(!error.may_have_applied());
            }
        }
    }

    fn connector() -> Connector {
        Connector {
            tls: None,
            login: Login::default(),
            database: 0,
            connect_timeout: Duration::from_secs(20),
            response_timeout: Duration::from_secs(20),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_looks_now_and_then_waits_no_longer_than_the_limit() {
        let (connector, address) = (connector(), Address::Unix("/hung".into()));
        let (ours, mut theirs) = duplex(1024);
        let (connection, ()) = tokio::join!(connector.greet(&address, ours), async {
            let mut greeting = [0; GREETING.len()];
            theirs.read_exact(&mut greeting).await.expect("a greeting");
            theirs.write_all(b"+PONG\r\n").await.expect("room");
        });
        let connection = connection.expect("the greeting is answered");
        // Timers wait for a whole millisecond, and so the longer the more of them follow each other.
        advance(Duration::from_micros(500)).await;
        let began = Instant::now();
        let error = connection.send(&[cmd("PING")]).await;
        assert!(error.expect_err("nobody answers").is_timeout());
        let (waited, moment) = (began.elapsed(), Duration::from_millis(2));
        let limit = connector.response_timeout;
        assert!((limit..=limit + moment).contains(&waited), "{waited:?}");
    }

    /// Sends until the connection ends, and returns what is said then.
    async fn ending(connection: Arc<Connection>) -> redis::RedisError {
        loop {
            if let Err(error) = connection.send(&[cmd("PING")]).await {
                return error;
            }
        }
    }

    /// So many times because only a few in a thousand commands reach the driver in the moment in which it ends.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_command_sent_while_the_connection_ends_does_not_wait_for_the_limit() {
        let (connector, address) = (connector(), useless().await);
        for _ in 0..5000 {
            let connection = connector.open(&address).await;
            let connection = Arc::new(connection.expect("the greeting is answered"));
            let all = (0..4).map(|_| tokio::spawn(ending(Arc::clone(&connection))));
            for one in all.collect::<Vec<_>>() {
                let error = one.await.expect("it does not panic");
                assert!(!error.is_timeout(), "{error}");
            }
        }
    }
}
