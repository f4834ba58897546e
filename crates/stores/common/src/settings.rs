//! The settings of a URL as serde reads them. What is wrong is told by the name that the type has for the setting: nothing
//! of the URL gets into an error, for a password may have been taken apart at its `&`.

use std::borrow::Cow;
use std::fmt;
use std::str::Split;

use percent_encoding::percent_decode_str;
use serde::de::value::CowStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer as _, MapAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;

/// What stands behind the `?` of a URL, for a struct.
pub(crate) struct Settings<'a> {
    rest: Split<'a, char>,
    /// Those that the struct has.
    known: &'static [&'static str],
    /// That of the setting whose name was read last, as it stands in the URL, and this name, if the struct has it.
    value: Option<(&'a str, Option<&'static str>)>,
}

/// The text of one setting.
struct Value<'a>(Cow<'a, str>);

/// What is wrong with a setting.
pub(crate) enum Wrong {
    /// Its name is none of these.
    Unknown(&'static [&'static str]),
    /// One of this name.
    Setting(&'static str, String),
    /// One, by whatever name.
    Unnamed(String),
}

impl<'a> Settings<'a> {
    pub(crate) fn of(query: &'a str) -> Self {
        Self {
            rest: query.split('&'),
            known: &[],
            value: None,
        }
    }
}

impl<'de> Deserializer<'de> for Settings<'de> {
    type Error = Wrong;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_map(Self { known, ..self })
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Settings<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some(setting) = self.rest.find(|setting| !setting.is_empty()) else {
            return Ok(None);
        };
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        let key = decoded(key).ok_or(Wrong::Unknown(self.known))?;
        let name = self.known.iter().copied().find(|known| *known == key);
        self.value = Some((value, name));
        let key: CowStrDeserializer<'_, Wrong> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let value = self.value.take();
        let (value, name) = value.ok_or_else(|| Wrong::custom("its name is to be read first"))?;
        let read = match decoded(value) {
            Some(text) => seed.deserialize(Value(text)),
            None => Err(Wrong::custom("it is not UTF-8 once it is percent-decoded")),
        };
        read.map_err(|wrong| wrong.of(name))
    }
}

/// As before the `?`: a `+` is a plus, in a password above all. `None` if it is not UTF-8.
pub(crate) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

/// `deserialize_u16` and the like.
macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let number = self.0.parse().map_err(|_| {
                Wrong::custom(format_args!("it is a number from {} to {}", <$number>::MIN, <$number>::MAX))
            })?;
            visitor.$visit(number)
        })*
    };
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Wrong;

    numbers! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
        deserialize_f32 visit_f32 f32
        deserialize_f64 visit_f64 f64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let is = self.0.parse();
        visitor.visit_bool(is.map_err(|_| Wrong::custom("it is true or false"))?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let text: CowStrDeserializer<'_, Wrong> = self.0.into_deserializer();
        visitor.visit_enum(text)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl Wrong {
    fn of(self, name: Option<&'static str>) -> Self {
        match (self, name) {
            (Self::Unnamed(reason), Some(name)) => Self::Setting(name, reason),
            (wrong, _) => wrong,
        }
    }
}

impl Error for Wrong {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Unnamed(reason.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("it is {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("it is {expected}"))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::custom(format_args!("it is one of {}", variants.join(", ")))
    }

    fn unknown_field(_: &str, fields: &'static [&'static str]) -> Self {
        Self::Unknown(fields)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Setting(field, "it is there twice".to_owned())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(known) => write!(
                f,
                "it is none of {}; it is not shown, for it may be a part of a password, in which an & is written %26",
                known.join(", ")
            ),
            Self::Setting(name, reason) => write!(f, "{name}: {reason}"),
            Self::Unnamed(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Debug for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Wrong {}
