//! Settings that are one of a few names. As texts, for not all that speaks serde says of an enum which names it has.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::token_codec::TokenCodecName;
use crate::codec::Format;
use crate::cookie::SameSite;

impl<'de> Deserialize<'de> for TokenCodecName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(OneOf([
            ("plain", Self::Plain),
            ("signed", Self::Signed),
            ("encrypted", Self::Encrypted),
        ]))
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(OneOf([
            ("json", Self::Json),
            ("messagepack", Self::MessagePack),
            ("cbor", Self::Cbor),
        ]))
    }
}

impl<'de> Deserialize<'de> for SameSite {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(OneOf([
            ("strict", Self::Strict),
            ("lax", Self::Lax),
            ("none", Self::None),
        ]))
    }
}

struct OneOf<T>([(&'static str, T); 3]);

impl<T> Visitor<'_> for OneOf<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0.each_ref().map(|(name, _)| name);
        write!(f, "{first}, {second} or {third}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let unknown = E::invalid_value(Unexpected::Str(text), &self);
        let mut names = self.0.into_iter();
        let found = names.find(|(name, _)| *name == text);
        found.map(|(_, value)| value).ok_or(unknown)
    }
}
