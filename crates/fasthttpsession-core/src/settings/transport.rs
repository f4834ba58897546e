//! A transport as a text: `cookie`, `bearer`, `header:` and a name, `query:` and a name.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::transport::Transport;

impl<'de> Deserialize<'de> for Transport {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TransportVisitor)
    }
}

struct TransportVisitor;

impl Visitor<'_> for TransportVisitor {
    type Value = Transport;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a transport: cookie, bearer, header:name or query:name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Transport, E> {
        match text.split_once(':') {
            None if text == "cookie" => Ok(Transport::cookie()),
            None if text == "bearer" => Ok(Transport::bearer()),
            Some(("header", name)) => Ok(Transport::header(name)),
            Some(("query", name)) => Ok(Transport::query(name)),
            _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
        }
    }
}
