//! Whether writes that were acknowledged are there afterwards, and whether a logout is final.

use anyhow::Result;
use contestants::Contestant;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::http::Connection;
use crate::server::Server;

/// How many requests change one session at once.
const AT_ONCE: usize = 64;

/// What one contestant lost.
#[derive(Clone, Debug, Serialize)]
pub struct Losses {
    /// Who.
    pub contestant: Contestant,
    /// How often each was tried.
    pub rounds: usize,
    /// Of 65 acknowledged increments a round: one at first, then 64 sent at once.
    pub increments: usize,
    /// Of 64 acknowledged keys a round, sent at once.
    pub keys: usize,
    /// Increments, when all 64 handlers have their session before the first goes on.
    pub slow_increments: usize,
    /// Keys, likewise.
    pub slow_keys: usize,
    /// Logouts after which the session still answered while a slow request was under way.
    pub open_after_logout: usize,
    /// Logouts after which the session answered once that request had written.
    pub back_after_logout: usize,
}

/// Tries everyone on one store, each on a server of its own.
pub async fn measure(backend: &Backend, rounds: usize) -> Result<Vec<Losses>> {
    let mut all = Vec::new();
    for contestant in backend.store.contestants() {
        all.push(of(contestant, backend, rounds).await?);
    }
    Ok(all)
}

async fn of(contestant: Contestant, backend: &Backend, rounds: usize) -> Result<Losses> {
    let mut server = Server::start(contestant, backend).await?;
    let mut losses = Losses {
        contestant,
        rounds,
        increments: 0,
        keys: 0,
        slow_increments: 0,
        slow_keys: 0,
        open_after_logout: 0,
        back_after_logout: 0,
    };
    for _ in 0..rounds {
        losses.increments += lost_increments(&mut server, Pace::Fast).await?;
        losses.slow_increments += lost_increments(&mut server, Pace::Slow).await?;
        losses.keys += lost_keys(&mut server, Pace::Fast).await?;
        losses.slow_keys += lost_keys(&mut server, Pace::Slow).await?;
        let (open, back) = logout(&mut server).await?;
        losses.open_after_logout += usize::from(open);
        losses.back_after_logout += usize::from(back);
    }
    Ok(losses)
}

/// Whether the handlers wait for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Fast,
    Slow,
}

impl Pace {
    fn path(self, path: &str) -> String {
        match self {
            Self::Fast => path.to_owned(),
            Self::Slow => format!("/slow{path}"),
        }
    }
}

async fn lost_increments(server: &mut Server, pace: Pace) -> Result<usize> {
    let cookie = server.seed().await?;
    at_once(server, pace, &cookie, vec![pace.path("/add"); AT_ONCE]).await?;
    let found: usize = server.get("/count", &cookie).await?.parse()?;
    Ok(AT_ONCE + 1 - found)
}

async fn lost_keys(server: &mut Server, pace: Pace) -> Result<usize> {
    let cookie = server.seed().await?;
    let paths = (0..AT_ONCE).map(|number| pace.path(&format!("/set/key{number}")));
    at_once(server, pace, &cookie, paths.collect()).await?;
    let mut lost = 0;
    for number in 0..AT_ONCE {
        let found = server.get(&format!("/has/key{number}"), &cookie).await?;
        lost += usize::from(found == "no");
    }
    Ok(lost)
}

/// Whether a session that was logged out during a slow request still answers before and after that request's end.
async fn logout(server: &mut Server) -> Result<(bool, bool)> {
    let cookie = server.seed().await?;
    let slow = spawn(server.port, &cookie, vec!["/slow/set/late".to_owned()]).await?;
    server.wait_for(1).await?;
    server.get("/logout", &cookie).await?;
    let open = server.get("/has/value0", &cookie).await? == "yes";
    server.open_gate().await?;
    // Some libraries answer with an error, which is as good here: what counts is what is there afterwards.
    let _ = acknowledged(slow).await;
    Ok((open, server.get("/has/value0", &cookie).await? == "yes"))
}

async fn at_once(server: &mut Server, pace: Pace, cookie: &str, paths: Vec<String>) -> Result<()> {
    let count = paths.len();
    let requests = spawn(server.port, cookie, paths).await?;
    if pace == Pace::Slow {
        server.wait_for(count).await?;
        server.open_gate().await?;
    }
    acknowledged(requests).await
}

/// One request for each path, each on a connection that is open before the first is sent.
async fn spawn(port: u16, cookie: &str, paths: Vec<String>) -> Result<JoinSet<Result<()>>> {
    let mut connections = Vec::new();
    for path in paths {
        connections.push((path, Connection::open(port).await?));
    }
    let mut requests = JoinSet::new();
    for (path, mut connection) in connections {
        let cookie = cookie.to_owned();
        requests.spawn(async move { connection.get(&path, Some(&cookie)).await.map(drop) });
    }
    Ok(requests)
}

/// Waits until all were answered with 200.
async fn acknowledged(mut requests: JoinSet<Result<()>>) -> Result<()> {
    while let Some(answered) = requests.join_next().await {
        answered??;
    }
    Ok(())
}
