//! Whether writes that were acknowledged are there afterwards, whether a logout is final, and whether anybody is signed out
//! when the secret is replaced.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contestants::Contestant;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::http::Connection;
use crate::server::Server;

/// How many requests change one session at once.
pub const AT_ONCE: usize = 64;

/// How long all of them may take together.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Increments that are there beyond all that were sent, acknowledged or not: some count twice. Each may hide one that is lost.
    pub doubled: usize,
    /// Requests of these that were not acknowledged: whatever became of them, it is no loss.
    pub refused: usize,
    /// Logouts after which the session still answered while a slow request was under way.
    pub open_after_logout: usize,
    /// Logouts after which the session answered once that request had written: to the cookie it had, or to one that the answer
    /// of that request sent.
    pub back_after_logout: usize,
    /// Rounds of 64 rotations at once after which a cookie that one of them sent opens nothing.
    pub dead_after_rotations: usize,
    /// Rounds of 64 renewals at once after which a cookie that one of them sent, or the one that requests under way still
    /// bring, opens nothing.
    pub dead_after_renewals: usize,
}

impl Losses {
    fn none(contestant: Contestant, rounds: usize) -> Self {
        Self {
            contestant,
            rounds,
            increments: 0,
            keys: 0,
            slow_increments: 0,
            slow_keys: 0,
            doubled: 0,
            refused: 0,
            open_after_logout: 0,
            back_after_logout: 0,
            dead_after_rotations: 0,
            dead_after_renewals: 0,
        }
    }

    /// All that was acknowledged and is not there.
    pub fn lost(&self) -> usize {
        self.increments + self.keys + self.slow_increments + self.slow_keys
    }

    /// Logouts that were not final.
    pub fn revived(&self) -> usize {
        self.open_after_logout + self.back_after_logout
    }

    /// How often someone who did nothing of the kind may be signed out.
    pub fn signed_out(&self) -> usize {
        self.dead_after_rotations + self.dead_after_renewals
    }
}

/// Tries everyone on one store, each on a server of its own.
pub async fn measure(backend: &Backend, rounds: usize) -> Result<Vec<Losses>> {
    eprintln!(
        "{}: what is lost, in {rounds} rounds",
        backend.store.title()
    );
    let mut all = Vec::new();
    for contestant in backend.store.tried() {
        let losses = of(contestant, backend, rounds).await;
        all.push(losses.with_context(|| contestant.library.label())?);
    }
    Ok(all)
}

async fn of(contestant: Contestant, backend: &Backend, rounds: usize) -> Result<Losses> {
    let mut server = Server::start(contestant, backend).await?;
    let mut losses = Losses::none(contestant, rounds);
    for _ in 0..rounds {
        round(&mut server, &mut losses).await?;
    }
    Ok(losses)
}

async fn round(server: &mut Server, losses: &mut Losses) -> Result<()> {
    losses.increments += lost_increments(server, Pace::Fast, losses).await?;
    losses.slow_increments += lost_increments(server, Pace::Slow, losses).await?;
    let refused = &mut losses.refused;
    losses.keys += lost_keys(server, Pace::Fast, refused).await?;
    losses.slow_keys += lost_keys(server, Pace::Slow, refused).await?;
    let (open, back) = logout(server).await?;
    losses.open_after_logout += usize::from(open);
    losses.back_after_logout += usize::from(back);
    losses.dead_after_rotations += usize::from(rotations(server).await?);
    losses.dead_after_renewals += usize::from(renewals(server).await?);
    Ok(())
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

async fn lost_increments(server: &mut Server, pace: Pace, losses: &mut Losses) -> Result<usize> {
    let cookie = server.seed().await?;
    let paths = vec![pace.path("/add"); AT_ONCE];
    let answers = at_once(server, pace, &cookie, paths).await?;
    losses.refused += AT_ONCE - answers.len();
    let found: usize = server
        .get("/count", kept(&cookie, &answers))
        .await?
        .parse()?;
    losses.doubled += found.saturating_sub(AT_ONCE + 1);
    Ok((answers.len() + 1).saturating_sub(found))
}

async fn lost_keys(server: &mut Server, pace: Pace, refused: &mut usize) -> Result<usize> {
    let cookie = server.seed().await?;
    let paths = (0..AT_ONCE).map(|number| pace.path(&format!("/set/key{number}")));
    let answers = at_once(server, pace, &cookie, paths.collect()).await?;
    *refused += AT_ONCE - answers.len();
    let mut lost = 0;
    for Acknowledged { path, .. } in &answers {
        let (_, key) = path.rsplit_once('/').expect("it has a key");
        let path = format!("/has/{key}");
        let found = server.get(&path, kept(&cookie, &answers)).await?;
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
    let open = opens(server, &cookie).await?;
    server.open_gate().await?;
    // Some libraries answer with an error, which is as good here: what counts is what is there afterwards.
    let answers = acknowledged(slow).await?;
    let cookies = sent(&answers).chain([cookie.as_str()]);
    Ok((open, any_that(true, server, cookies).await?))
}

/// Whether rotations at once sent a cookie that opens nothing. In which order a browser takes them, nobody knows.
async fn rotations(server: &mut Server) -> Result<bool> {
    let cookie = server.seed().await?;
    let paths = vec!["/slow/rotate".to_owned(); AT_ONCE];
    let answers = at_once(server, Pace::Slow, &cookie, paths).await?;
    ensure!(sent(&answers).next().is_some(), "nothing was rotated");
    any_that(false, server, sent(&answers)).await
}

/// Whether renewals at once sent a cookie that opens nothing, or have closed the session to requests under way.
async fn renewals(server: &mut Server) -> Result<bool> {
    let cookie = server.seed().await?;
    let paths = vec!["/slow/renew".to_owned(); AT_ONCE];
    let answers = at_once(server, Pace::Slow, &cookie, paths).await?;
    ensure!(sent(&answers).next().is_some(), "nothing was renewed");
    any_that(false, server, sent(&answers).chain([cookie.as_str()])).await
}

/// Whether there is a cookie that opens the session, or one that doesn't.
async fn any_that(
    opens_it: bool,
    server: &mut Server,
    cookies: impl Iterator<Item = &str>,
) -> Result<bool> {
    for cookie in cookies {
        if opens(server, cookie).await? == opens_it {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn opens(server: &mut Server, cookie: &str) -> Result<bool> {
    Ok(server.get("/has/value0", cookie).await? == "yes")
}

/// A request that was answered with 200.
struct Acknowledged {
    path: String,
    /// The cookie that the response set; empty without one.
    cookie: String,
}

/// The cookies that were set.
fn sent(answers: &[Acknowledged]) -> impl Iterator<Item = &str> {
    let cookies = answers.iter().map(|answer| answer.cookie.as_str());
    cookies.filter(|cookie| !cookie.is_empty())
}

/// The cookie of a browser that had `cookie` and then got the answers, in their order.
fn kept<'a>(cookie: &'a str, answers: &'a [Acknowledged]) -> &'a str {
    sent(answers).last().unwrap_or(cookie)
}

async fn at_once(
    server: &mut Server,
    pace: Pace,
    cookie: &str,
    paths: Vec<String>,
) -> Result<Vec<Acknowledged>> {
    let count = paths.len();
    let requests = spawn(server.port, cookie, paths).await?;
    if pace == Pace::Slow {
        server.wait_for(count).await?;
        server.open_gate().await?;
    }
    acknowledged(requests).await
}

/// One request for each path, each on a connection that is open before the first is sent.
async fn spawn(
    port: u16,
    cookie: &str,
    paths: Vec<String>,
) -> Result<JoinSet<Result<Acknowledged>>> {
    let mut connections = Vec::new();
    for path in paths {
        connections.push((path, Connection::open(port).await?));
    }
    let mut requests = JoinSet::new();
    for (path, mut connection) in connections {
        let cookie = cookie.to_owned();
        requests.spawn(async move {
            let cookie = connection.get(&path, Some(&cookie)).await?.cookie();
            Ok(Acknowledged { path, cookie })
        });
    }
    Ok(requests)
}

/// Waits for all answers; returns those with status 200, as they came.
async fn acknowledged(mut requests: JoinSet<Result<Acknowledged>>) -> Result<Vec<Acknowledged>> {
    let mut all = Vec::new();
    let answers = async {
        while let Some(answered) = requests.join_next().await {
            all.extend(answered?);
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, answers)
        .await
        .context("too few answers came")??;
    Ok(all)
}
