//! Names of tables: the only text of a configuration that gets into a statement.

use std::fmt;

use fasthttpsession_core::StoreError;
use serde::{Deserialize, Deserializer, de};

use crate::error::misconfigured;

/// The name of a table as it can stand in SQL without quotes, and be no more than a name, alone or behind the name of its
/// schema: `sessions`, `web.sessions`. What a database keeps for itself, as all do `order`, is for it to refuse.
///
/// Each part begins with a lower-case letter or an underscore, goes on with those and digits, and has at most
/// [`MAX_BYTES`](Self::MAX_BYTES); so names of indexes made from it fit the limits of every database, and no database
/// folds its case.
#[derive(Clone, PartialEq, Eq)]
pub struct TableName(Box<str>);

impl TableName {
    /// The most bytes a part may have.
    pub const MAX_BYTES: usize = 40;

    /// Takes `name` if it is one; otherwise an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) that says what a name looks like.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let mut parts = name.split('.');
        let are_names = parts.by_ref().take(2).all(is_name);
        if are_names && parts.next().is_none() {
            return Ok(Self(name.into()));
        }
        Err(misconfigured(format!(
            "{name:?} can't be the name of a table: one is made of a-z, 0-9 and _, begins with no digit, has at \
                 most {} bytes, and may have the name of a schema and a dot before it",
            Self::MAX_BYTES
        )))
    }

    /// The whole name, as it goes into a statement.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the schema, if there is one.
    pub fn schema(&self) -> Option<&str> {
        self.0.split_once('.').map(|(schema, _)| schema)
    }

    /// The name without its schema.
    pub fn table(&self) -> &str {
        self.0.split_once('.').map_or(&*self.0, |(_, table)| table)
    }
}

impl Default for TableName {
    /// `fasthttpsession`.
    fn default() -> Self {
        Self("fasthttpsession".into())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::new(&name).map_err(de::Error::custom)
    }
}

fn is_name(part: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let first_is_letter = part.bytes().next().is_some_and(letter);
    first_is_letter
        && part.len() <= TableName::MAX_BYTES
        && part
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use fasthttpsession_core::StoreErrorKind;

    use super::*;

    #[test]
    fn a_name_may_have_a_schema() {
        let name = TableName::new("web.sessions_2").expect("it is a name");
        assert_eq!((name.schema(), name.table()), (Some("web"), "sessions_2"));
        let name = TableName::default();
        assert_eq!((name.schema(), name.table()), (None, "fasthttpsession"));
    }

    #[test]
    fn what_could_be_more_than_a_name_is_refused() {
        let long = "a".repeat(TableName::MAX_BYTES + 1);
        let wrong = [
            "", ".", "a.", ".a", "a.b.c", "1a", "a b", "a;b", "a\"b", "a`b", "a'b", "a-b",
            "Sessions", "é", "a\0", &long,
        ];
        for name in wrong {
            let error = TableName::new(name).expect_err(name);
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{name:?}");
        }
    }
}
