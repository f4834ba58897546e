//! The writer: many tasks use many sessions through the library, and tell what they begin and what was acknowledged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fasthttpsession::{
    AnyStore, Cookie, Error, HeaderEdit, Lifetimes, Outcome, Session, Sessions, TransactError,
};

use crate::journal::{Act, Answer, Card, Entry, Name, Order, principal_of, tell};
use crate::values::{self, contents};

/// The lifetime of brief sessions: longer than any test lets a writer run.
pub(crate) const BRIEF: Duration = Duration::from_secs(15 * 60);

/// The name of the cookie.
const COOKIE: &str = "id";

/// Does what `order` says until the standard input ends.
pub async fn write(store: AnyStore, order: Order) {
    let writer = Arc::new(Writer::new(store, order));
    let tasks: Vec<_> = (0..writer.order.tasks)
        .map(|task| tokio::spawn(Task::new(Arc::clone(&writer), task).run()))
        .collect();
    std::thread::spawn({
        let writer = Arc::clone(&writer);
        move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            writer.stopped.store(true, Ordering::SeqCst);
        }
    });
    for task in tasks {
        if let Err(panic) = task.await {
            fault(format!("a task panicked: {panic}"));
        }
    }
}

/// The library as all writers and all tests of them set it up.
pub(crate) fn sessions(store: AnyStore) -> Sessions {
    let builder = Sessions::builder(store).cookie(Cookie::insecure(COOKIE));
    builder.build().expect("the settings fit each other")
}

/// The header that presents `token`.
pub(crate) fn presenting(token: &str) -> [(&'static str, String); 1] {
    [("cookie", format!("{COOKIE}={token}"))]
}

struct Writer {
    sessions: Sessions,
    order: Order,
    places: Vec<Mutex<Place>>,
    next: AtomicU64,
    stopped: AtomicBool,
}

/// What the writer knows about a place.
#[derive(Clone)]
enum Place {
    Empty,
    Open(Card),
    /// Its token may be void, so it is to be ended by its handle.
    Condemned(Name),
}

impl Writer {
    fn new(store: AnyStore, order: Order) -> Self {
        let place =
            |card: &Option<Card>| Mutex::new(card.clone().map_or(Place::Empty, Place::Open));
        Self {
            sessions: sessions(store),
            places: order.places.iter().map(place).collect(),
            next: AtomicU64::new(order.first_operation),
            stopped: AtomicBool::new(false),
            order,
        }
    }

    fn place(&self, place: usize) -> MutexGuard<'_, Place> {
        self.places[place]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no other operation has, of this writer or another.
    fn begin(&self, act: Act) -> u64 {
        let own = self
            .next
            .fetch_add(u64::from(self.order.writers), Ordering::Relaxed);
        let operation = own + u64::from(self.order.writer);
        tell(&Entry::Begin { operation, act });
        operation
    }
}

/// One of the writer's tasks.
struct Task {
    writer: Arc<Writer>,
    /// Its number among all tasks of all writers.
    number: u32,
    /// The places that are its own.
    own: Vec<usize>,
    random: fastrand::Rng,
    /// The last addition of this task that was acknowledged, by session.
    added: HashMap<Name, u64>,
}

impl Task {
    fn new(writer: Arc<Writer>, task: u32) -> Self {
        let number = writer.order.writer * writer.order.tasks + task;
        let all = (writer.order.writers * writer.order.tasks) as usize;
        Self {
            number,
            own: (number as usize..writer.places.len())
                .step_by(all)
                .collect(),
            random: fastrand::Rng::with_seed(writer.order.seed ^ u64::from(task) << 32),
            added: HashMap::new(),
            writer,
        }
    }

    async fn run(mut self) {
        while !self.writer.stopped.load(Ordering::SeqCst) {
            let own = self.random.choice(self.own.iter().copied());
            match own {
                Some(place) if !self.writer.order.only_adds && self.random.u8(..100) < 30 => {
                    self.tend(place).await;
                }
                _ if self.writer.order.gives_up && self.random.u8(..8) == 0 => {
                    let patience = Duration::from_micros(self.random.u64(..5_000));
                    let _ = tokio::time::timeout(patience, self.add_somewhere()).await;
                }
                _ => self.add_somewhere().await,
            }
        }
    }

    /// Opens, renews or ends the session of its own `place`.
    async fn tend(&mut self, place: usize) {
        let known = self.writer.place(place).clone();
        let next = match known {
            Place::Empty => self.open(place).await,
            Place::Condemned(handle) => self.end_from_outside(handle).await,
            Place::Open(card) => match self.random.u8(..100) {
                0..35 if !card.brief => self.renew(card, Some(principal_of(place))).await,
                35..70 if !card.brief => self.renew(card, None).await,
                70..90 => self.sign_out(card).await,
                _ => Some(Place::Open(card)),
            },
        };
        if let Some(next) = next {
            *self.writer.place(place) = next;
        }
    }

    async fn open(&mut self, place: usize) -> Option<Place> {
        let (brief, signed_in) = (self.random.u8(..5) == 0, self.random.bool());
        let exchange = self.writer.sessions.begin([("host", "example.org")], None);
        let session = self.session(exchange.session().await).await?;
        let stamp = self.random.u64(..);
        let operation = self.writer.begin(Act::Open {
            place,
            brief,
            signed_in,
        });
        let written = values::begin(&session, operation, stamp)
            .and_then(|()| {
                if brief {
                    session.set_lifetimes(Lifetimes::new(BRIEF, BRIEF))
                } else {
                    Ok(())
                }
            })
            .and_then(|()| {
                if signed_in {
                    session.login(&principal_of(place))
                } else {
                    Ok(())
                }
            });
        expect(written);
        let token = self.token(operation, exchange.finish().await).await?;
        let handle = Name::of(session.handle().expect("it has a record now"));
        answer(
            operation,
            Answer::Opened {
                handle: handle.clone(),
                token: token.clone(),
            },
        );
        Some(Place::Open(Card {
            handle,
            token,
            renewals: 0,
            brief,
        }))
    }

    /// Signs `principal` in, or rotates.
    async fn renew(&mut self, card: Card, principal: Option<String>) -> Option<Place> {
        let exchange = self.writer.sessions.begin(presenting(&card.token), None);
        let session = self.session(exchange.session().await).await?;
        if session.is_new() {
            fault(format!(
                "the current token of session {} opens nothing",
                card.handle
            ));
            return Some(Place::Condemned(card.handle));
        }
        let handle = card.handle.clone();
        let operation = if let Some(principal) = principal {
            let operation = self.writer.begin(Act::SignIn { handle });
            expect(session.login(&principal));
            operation
        } else {
            let operation = self.writer.begin(Act::Rotate { handle });
            expect(session.rotate());
            operation
        };
        let Some(token) = self.token(operation, exchange.finish().await).await else {
            return Some(Place::Condemned(card.handle));
        };
        answer(
            operation,
            Answer::Renewed {
                token: token.clone(),
            },
        );
        Some(Place::Open(Card {
            token,
            renewals: card.renewals + 1,
            ..card
        }))
    }

    async fn sign_out(&mut self, card: Card) -> Option<Place> {
        let exchange = self.writer.sessions.begin(presenting(&card.token), None);
        let session = self.session(exchange.session().await).await?;
        if session.is_new() {
            fault(format!(
                "the current token of session {} opens nothing",
                card.handle
            ));
        }
        let operation = self.writer.begin(Act::End {
            handle: card.handle.clone(),
        });
        expect(session.logout());
        match exchange.finish().await {
            Ok(_) => answer(operation, Answer::Ended),
            Err(error) => {
                failed(operation, &error).await;
                return Some(Place::Condemned(card.handle));
            }
        }
        Some(Place::Empty)
    }

    async fn end_from_outside(&mut self, handle: Name) -> Option<Place> {
        let operation = self.writer.begin(Act::End {
            handle: handle.clone(),
        });
        match self.writer.sessions.end(handle.handle()).await {
            Ok(_) => answer(operation, Answer::Ended),
            Err(error) => {
                failed(operation, &error).await;
                return None;
            }
        }
        Some(Place::Empty)
    }

    /// Adds to any session that this writer has a token of, be it void meanwhile.
    async fn add_somewhere(&mut self) {
        let place = self.random.usize(..self.writer.places.len());
        let Place::Open(card) = self.writer.place(place).clone() else {
            return tokio::task::yield_now().await;
        };
        let exchange = self.writer.sessions.begin(presenting(&card.token), None);
        let Some(session) = self.session(exchange.session().await).await else {
            return;
        };
        if session.is_new() {
            return tell(&Entry::Missed {
                handle: card.handle,
                renewals: card.renewals,
            });
        }
        self.look(&card.handle, &session);
        self.add(card.handle, &session).await;
        match exchange.finish().await {
            Ok(edits) if cookie_in(&edits).is_none() => {}
            Ok(_) => fault("an addition sent a cookie".to_owned()),
            // Everything was committed before, so all that could fail is a touch, which may.
            Err(error) => fault(format!("a request with nothing to commit failed: {error}")),
        }
    }

    /// The values agree, and hold what this task was told that they do.
    fn look(&self, handle: &Name, session: &Session) {
        match session
            .entries()
            .map_err(|e| e.to_string())
            .and_then(contents)
        {
            Ok(contents) => {
                let (seen, added) = (contents.tally(self.number).mark, self.added.get(handle));
                if added.is_some_and(|added| *added > seen) {
                    fault(format!(
                        "session {handle} was read as it was before an acknowledged addition"
                    ));
                }
            }
            Err(torn) => fault(format!("session {handle} was read torn: {torn}")),
        }
    }

    async fn add(&mut self, handle: Name, session: &Session) {
        let (task, stamp, at_once) = (self.number, self.random.u64(..), self.random.bool());
        let operation = self.writer.begin(Act::Add {
            handle: handle.clone(),
            task,
        });
        let result = if at_once {
            let change = |values: &mut _| values::add_at_once(values, task, operation, stamp);
            match session.transact(change).await {
                Ok(()) => Ok(Outcome::Committed),
                Err(TransactError::Session(Error::Ended)) => Ok(Outcome::Gone),
                Err(TransactError::Session(error) | TransactError::Aborted(error)) => Err(error),
            }
        } else {
            expect(values::add(session, task, operation, stamp));
            session.save().await
        };
        match result {
            Ok(Outcome::Committed) => {
                answer(operation, Answer::Added);
                self.added.insert(handle, operation);
            }
            Ok(Outcome::Gone | Outcome::Superseded) => answer(operation, Answer::Refused),
            Ok(outcome) => fault(format!("an addition ended as {outcome:?}")),
            Err(error) => failed(operation, &error).await,
        }
    }

    /// The session, or `None` after telling why not.
    async fn session(&self, session: Result<Session, Error>) -> Option<Session> {
        match session {
            Ok(session) => Some(session),
            Err(error) => {
                tell(&Entry::Trouble {
                    error: in_full(&error),
                    passing: error.is_retryable(),
                });
                let_pass().await;
                None
            }
        }
    }

    /// The token that the response sends, or `None` after telling why there is none.
    async fn token(&self, operation: u64, edits: Result<Vec<HeaderEdit>, Error>) -> Option<String> {
        match edits {
            Ok(edits) => {
                let token = cookie_in(&edits).filter(|token| !token.is_empty());
                if token.is_none() {
                    fault(format!("operation {operation} succeeded and sent no token"));
                }
                token
            }
            Err(error) => {
                failed(operation, &error).await;
                None
            }
        }
    }
}

/// The value of the cookie that a response sets.
fn cookie_in(edits: &[HeaderEdit]) -> Option<String> {
    edits.iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => {
            let (_, value) = value.split_once('=')?;
            Some(value.split(';').next()?.to_owned())
        }
        _ => None,
    })
}

fn answer(operation: u64, answer: Answer) {
    tell(&Entry::End { operation, answer });
}

async fn failed(operation: u64, error: &Error) {
    answer(
        operation,
        Answer::Failed {
            error: in_full(error),
            passing: error.is_retryable(),
        },
    );
    let_pass().await;
}

/// With what it came from, for whoever has to find out why.
fn in_full(error: &Error) -> String {
    let mut sentence = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        let said = error.to_string();
        if !sentence.ends_with(&said) {
            sentence = format!("{sentence}: {said}");
        }
        source = error.source();
    }
    sentence
}

/// Nobody tells a client when a server is back.
async fn let_pass() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

fn expect(written: Result<(), Error>) {
    if let Err(error) = written {
        fault(format!("a value could not be written: {error}"));
    }
}

fn fault(what: String) {
    tell(&Entry::Fault { what });
}
