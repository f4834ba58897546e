//! What this library promises of a session, written out by hand for two routes and for memory: what any library takes that
//! keeps the same promises. The secret of the token is compared with its hash, in a time that tells nothing; what has expired
//! is not there, what changed meanwhile is not overwritten; values are JSON, each read and written alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE, VARY};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use contestants::{COUNTER, READ, VALUE_BYTES, VALUES, cpu};
use fasthttpsession::{Clock as _, SystemClock, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::records;

/// The routes, on sessions in memory.
pub fn router() -> Router {
    Router::new()
        .route("/seed", get(seed))
        .route("/read", get(read))
        .route("/write", get(write))
        .with_state(Arc::new(Kept::default()))
        .route("/cpu", get(cpu))
        .route("/plain", get(async || "ok"))
}

const NAME: &str = "session=";
const HOUR: Duration = Duration::from_secs(3600);
const SEEDED: &str = "the load has a session for each request";

async fn seed(State(kept): State<Arc<Kept>>) -> impl IntoResponse {
    let number = kept.made.fetch_add(1, Ordering::Relaxed);
    // Secret enough for a benchmark.
    let [handle, secret] =
        [number, number + (1 << 40)].map(|half| *records::handle(half).as_bytes());
    let now = SystemClock.now();
    let session = Session {
        version: 1,
        hash: hash(&handle, &secret),
        idle_deadline: now.after(HOUR),
        absolute_deadline: now.after(24 * HOUR),
        values: Values::seeded(),
    };
    kept.shard(&handle).insert(handle, session);
    let [handle, secret] = [handle, secret].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let cookie = format!("{NAME}{handle}.{secret}; Path=/; HttpOnly; SameSite=Lax");
    AppendHeaders([(SET_COOKIE, cookie)])
}

async fn read(State(kept): State<Arc<Kept>>, headers: HeaderMap) -> impl IntoResponse {
    let (_, session) = kept.opened(&headers, SystemClock.now()).expect(SEEDED);
    let value = session.values.get(READ).expect(SEEDED);
    let text: String = serde_json::from_slice(value).expect("a text was written");
    assert_eq!(text.len(), VALUE_BYTES);
    (AppendHeaders([(VARY, "cookie")]), "ok")
}

async fn write(State(kept): State<Arc<Kept>>, headers: HeaderMap) -> impl IntoResponse {
    let now = SystemClock.now();
    loop {
        let (handle, mut session) = kept.opened(&headers, now).expect(SEEDED);
        let value = session.values.get(COUNTER).expect(SEEDED);
        let count: u64 = serde_json::from_slice(value).expect("a number was written");
        let next = serde_json::to_vec(&(count + 1)).expect("a number is JSON");
        session.values = session.values.with(COUNTER, &next);
        session.idle_deadline = now.after(HOUR);
        if kept.swap(&handle, session, now) {
            return (AppendHeaders([(VARY, "cookie")]), "ok");
        }
    }
}

type Handle = [u8; 16];
type Hash = [u8; 32];
type Shard = HashMap<Handle, Session>;

#[derive(Clone)]
struct Session {
    version: u64,
    hash: Hash,
    idle_deadline: Timestamp,
    absolute_deadline: Timestamp,
    values: Values,
}

const SHARDS: usize = 64;

/// The sessions, by their handles.
struct Kept {
    shards: [Mutex<Shard>; SHARDS],
    made: AtomicU64,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            made: AtomicU64::new(0),
        }
    }
}

impl Kept {
    fn shard(&self, handle: &Handle) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[usize::from(handle[0]) % SHARDS];
        shard.lock().expect("nobody panics while holding it")
    }

    /// The reader's own copy of the session that the cookie opens now.
    fn opened(&self, headers: &HeaderMap, now: Timestamp) -> Option<(Handle, Session)> {
        let cookies = headers.get(COOKIE)?.to_str().ok()?;
        let mut cookies = cookies.split("; ");
        let token = cookies.find_map(|cookie| cookie.strip_prefix(NAME))?;
        let (handle, secret) = token.split_once('.')?;
        let (handle, secret) = (decoded(handle)?, decoded(secret)?);
        let session = self.shard(&handle).get(&handle).cloned()?;
        let is_right: bool = hash(&handle, &secret).ct_eq(&session.hash).into();
        (is_right && session.lives(now)).then_some((handle, session))
    }

    /// Puts `next` in the place of the session that it was made of; `false` if that is no longer there.
    fn swap(&self, handle: &Handle, next: Session, now: Timestamp) -> bool {
        let mut shard = self.shard(handle);
        let found = shard.get_mut(handle);
        let Some(current) =
            found.filter(|current| current.version == next.version && current.lives(now))
        else {
            return false;
        };
        let version = next.version + 1;
        let before = std::mem::replace(current, Session { version, ..next });
        drop(shard);
        drop(before);
        true
    }
}

impl Session {
    fn lives(&self, now: Timestamp) -> bool {
        now < self.idle_deadline && now < self.absolute_deadline
    }
}

/// Both halves have as many bytes.
fn decoded(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    // Room for what is longer than it may be, so that it is seen.
    let mut room = [0; 18];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
    bytes.copy_from_slice(room.get(..length).filter(|bytes| bytes.len() == 16)?);
    Some(bytes)
}

fn hash(handle: &Handle, secret: &[u8; 16]) -> Hash {
    let hash = Sha256::new_with_prefix(handle).chain_update(secret);
    hash.finalize().into()
}

/// Each as the length of its key, that of its JSON in two bytes, the key and the JSON.
#[derive(Clone)]
struct Values(Box<[u8]>);

impl Values {
    /// As the contestants' sessions have them.
    fn seeded() -> Self {
        let mut bytes = Vec::new();
        let text = format!("\"{}\"", "x".repeat(VALUE_BYTES));
        for number in 0..VALUES {
            push(
                &mut bytes,
                format!("value{number}").as_bytes(),
                text.as_bytes(),
            );
        }
        push(&mut bytes, COUNTER.as_bytes(), b"1");
        Self(bytes.into())
    }

    fn all(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let ([key, first, second], after) = rest.split_first_chunk()?;
            let (key, after) = after.split_at_checked(usize::from(*key))?;
            let value = usize::from(u16::from_be_bytes([*first, *second]));
            let (value, after) = after.split_at_checked(value)?;
            rest = after;
            Some((key, value))
        })
    }

    fn get(&self, wanted: &str) -> Option<&[u8]> {
        self.all()
            .find_map(|(key, value)| (key == wanted.as_bytes()).then_some(value))
    }

    /// The same values with another one under `changed`.
    fn with(&self, changed: &str, next: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len() + next.len());
        for (key, value) in self.all() {
            let is_changed = key == changed.as_bytes();
            push(&mut bytes, key, if is_changed { next } else { value });
        }
        Self(bytes.into())
    }
}

fn push(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    bytes.push(u8::try_from(key.len()).expect("keys are short"));
    let length = u16::try_from(value.len()).expect("values are short");
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(value);
}
