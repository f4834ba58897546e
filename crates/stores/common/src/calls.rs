//! The operations on one session as values, for stores that queue them or make them on another thread.
#![expect(missing_docs, reason = "the operations say what their arguments are")]

use fasthttpsession_core::{Handle, Record, Timestamp};

/// [`Store::load`](fasthttpsession_core::Store::load).
#[derive(Clone)]
pub struct Load {
    pub handle: Handle,
    pub now: Timestamp,
}

/// [`Store::create`](fasthttpsession_core::Store::create).
pub struct Create {
    pub handle: Handle,
    pub record: Record,
    pub now: Timestamp,
}

/// [`Store::replace`](fasthttpsession_core::Store::replace): a swap.
pub struct Replace {
    pub handle: Handle,
    pub expected: u64,
    pub record: Record,
    pub now: Timestamp,
}

/// [`Store::touch`](fasthttpsession_core::Store::touch).
#[derive(Clone)]
pub struct Touch {
    pub handle: Handle,
    pub version: u64,
    pub idle_deadline: Timestamp,
    pub now: Timestamp,
}

/// [`Store::delete`](fasthttpsession_core::Store::delete).
#[derive(Clone)]
pub struct Delete {
    pub handle: Handle,
    pub now: Timestamp,
}
