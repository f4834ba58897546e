//! The hot paths of the core, each by itself: what a request does of them, without HTTP and without a framework.

use std::hint::black_box;

use anyhow::{Result, ensure};
use bytes::Bytes;
use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{Record, Sessions};
use serde::Serialize;

use crate::records::{COUNTER, record, with_session};

/// What is done over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorePath {
    /// Begins a request and finishes it.
    Begin,
    /// Asks for the session meanwhile.
    Open,
    /// And reads a value.
    Get,
    /// Or adds one to a value, and writes that at the end.
    Update,
    /// Makes bytes of a record.
    Encode,
    /// Makes a record of bytes.
    Decode,
}

impl CorePath {
    /// All of them; each after its baseline.
    pub const ALL: [Self; 6] = [
        Self::Begin,
        Self::Open,
        Self::Get,
        Self::Update,
        Self::Encode,
        Self::Decode,
    ];

    /// Its name on the command line.
    pub fn label(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Open => "open",
            Self::Get => "get",
            Self::Update => "update",
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }

    /// What it does, for reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::Begin => "begin a request and finish it",
            Self::Open => "open the session: parse and check the token, load from memory",
            Self::Get => "get one of ten values",
            Self::Update => "update a value, and swap the record at the end",
            Self::Encode => "encode a record",
            Self::Decode => "decode a record",
        }
    }

    /// Whether it is about a session in a store.
    pub fn is_of_session(self) -> bool {
        !matches!(self, Self::Encode | Self::Decode)
    }

    /// What it does besides, if anything.
    pub fn baseline(self) -> Option<Self> {
        match self {
            Self::Open => Some(Self::Begin),
            Self::Get | Self::Update => Some(Self::Open),
            Self::Begin | Self::Encode | Self::Decode => None,
        }
    }
}

/// Sessions in a memory store, and a record.
pub struct Subject {
    sessions: Sessions,
    cookies: Vec<String>,
    record: Record,
    bytes: Bytes,
}

impl Subject {
    /// So many sessions, each with ten values and a counter.
    pub async fn with(count: usize) -> Result<Self> {
        let sessions = Sessions::new(MemoryStore::new());
        let mut cookies = Vec::new();
        for _ in 0..count {
            cookies.push(with_session(&sessions).await?);
        }
        let record = record(1);
        Ok(Self {
            cookies,
            sessions,
            bytes: record.to_bytes().into(),
            record,
        })
    }

    /// Takes `path` `count` times, on one session after another.
    pub async fn run(&self, path: CorePath, count: usize) -> Result<()> {
        let Self {
            sessions,
            cookies,
            record,
            bytes,
        } = self;
        for cookie in cookies.iter().cycle().take(count) {
            match path {
                CorePath::Encode => drop(black_box(record.to_bytes())),
                CorePath::Decode => drop(black_box(Record::from_bytes(bytes.clone())?)),
                _ => path.request(sessions, cookie).await?,
            }
        }
        Ok(())
    }
}

impl CorePath {
    async fn request(self, sessions: &Sessions, cookie: &str) -> Result<()> {
        let exchange = sessions.begin([("cookie", cookie)], None);
        if self != Self::Begin {
            let session = exchange.session().await?;
            match self {
                Self::Get => ensure!(session.get::<u64>(COUNTER)?.is_some(), "a value is missing"),
                Self::Update => session.update(COUNTER, |count: &mut u64| *count += 1)?,
                _ => {}
            }
        }
        exchange.finish().await?;
        Ok(())
    }
}
