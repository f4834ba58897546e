//! The name of the file or the variable that keys are in.

use std::fmt;
use std::ops::Deref;

use serde::Deserialize;

use crate::keys::may_be_keys;

/// Not printed if it may be the keys themselves.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct KeysPlace(String);

impl Deref for KeysPlace {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeysPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if may_be_keys(&self.0) {
            return f.write_str("…");
        }
        self.0.fmt(f)
    }
}
