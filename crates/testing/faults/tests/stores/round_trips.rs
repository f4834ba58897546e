//! A request takes one round trip to read its session, and one more if it writes.

use std::collections::BTreeMap;
use std::time::Duration;

use fasthttpsession::{
    Clock as _, Cookie, Error, Exchange, HeaderEdit, ManualClock, Session, Sessions, SystemClock,
};
use fasthttpsession_faults::Proxy;

use crate::backend::{Backend, open};
use crate::on_every_store;

/// How many sessions live. The first has the store connect and learn statements, and any may be held up for so long that
/// the store asks whether an unused connection still works: what counts is the least that a request took in any life.
const LIVES: usize = 8;

/// Past the part of the idle time after which a session is touched.
const A_WHILE: Duration = Duration::from_secs(600);

/// What is asked for in a life, and how many round trips that may take.
const PROMISED: [(&str, u64); 7] = [
    ("a visitor who asks", 0),
    ("a first write", 1),
    ("a read", 1),
    ("a write", 2),
    ("a touch", 2),
    ("a sign-in", 2),
    ("a logout", 2),
];

on_every_store!(a_request_takes_a_round_trip_to_read_and_one_to_write);

fn a_request_takes_a_round_trip_to_read_and_one_to_write(backend: Backend) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = backend.site().await?;
        let proxy = site.proxy();
        let clock = ManualClock::at(SystemClock.now());
        let sessions = Sessions::builder(open(&proxy.url(site.url())).await?)
            .cookie(Cookie::insecure("id"))
            .clock(clock.clone())
            .build();
        let mut browser = Browser::new(&proxy, sessions.map_err(|error| error.to_string())?);
        for _ in 0..LIVES {
            let lived = browser.live(&clock).await;
            lived.map_err(|error| error.to_string())?;
        }
        let promised = BTreeMap::from(PROMISED);
        if browser.least != promised {
            return Err(format!("{:?} in place of {promised:?}", browser.least));
        }
        Ok(())
    });
    runtime.shutdown_background();
    outcome
}

/// Makes one request at a time.
struct Browser<'a> {
    proxy: &'a Proxy,
    sessions: Sessions,
    cookie: String,
    /// The fewest round trips that each kind of request took.
    least: BTreeMap<&'static str, u64>,
}

impl<'a> Browser<'a> {
    fn new(proxy: &'a Proxy, sessions: Sessions) -> Self {
        let (cookie, least) = (String::new(), BTreeMap::new());
        Self {
            proxy,
            sessions,
            cookie,
            least,
        }
    }

    /// From the first visit to the logout.
    async fn live(&mut self, clock: &ManualClock) -> Result<(), Error> {
        let reads = |session: &Session| session.get::<u64>("n").map(drop);
        self.request("a visitor who asks", reads).await?;
        self.request("a first write", |session| session.set("n", &1))
            .await?;
        self.request("a read", reads).await?;
        self.request("a write", |session| {
            session.update("n", |n: &mut u64| *n += 1)
        })
        .await?;
        clock.advance(A_WHILE);
        self.request("a touch", reads).await?;
        self.request("a sign-in", |session| session.login("ann"))
            .await?;
        self.request("a logout", Session::logout).await
    }

    async fn request(
        &mut self,
        what: &'static str,
        handler: impl FnOnce(&Session) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let before = self.proxy.seen().round_trips;
        let exchange = self.sessions.begin([("cookie", &self.cookie)], None);
        handler(&exchange.session().await?)?;
        self.keep_cookie(exchange).await?;
        let took = self.proxy.seen().round_trips - before;
        let least = self.least.entry(what).or_insert(took);
        *least = took.min(*least);
        Ok(())
    }

    async fn keep_cookie(&mut self, exchange: Exchange) -> Result<(), Error> {
        for edit in exchange.finish().await? {
            if let HeaderEdit::SetCookie { value, .. } = edit {
                let pair = value.split(';').next().unwrap_or_default();
                pair.clone_into(&mut self.cookie);
            }
        }
        Ok(())
    }
}
