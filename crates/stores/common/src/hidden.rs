//! What a configuration does not show.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;

/// A text of a configuration that `Debug` does not show, such as a password; what it is part of can derive `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// Hides `text` from `Debug`, and from nothing else.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl Deref for Hidden {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_not_printed() {
        let hidden = Some(Hidden::new("s3cret"));
        assert_eq!(format!("{hidden:?}"), "Some(…)");
        assert!(!format!("{hidden:#?}").contains("s3cret"));
    }
}
