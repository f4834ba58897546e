//! The URL of a store: what names its place, and its settings behind the `?`.

use fasthttpsession_core::StoreError;
use serde::de::DeserializeOwned;

use crate::error::misconfigured;
use crate::settings::{Settings, decoded};

/// A URL of a store, taken apart: what names the place, and the settings behind the first `?`.
///
/// ```
/// use fasthttpsession_store_common::StoreUrl;
/// use serde::Deserialize;
///
/// #[derive(Default, Deserialize)]
/// #[serde(default, deny_unknown_fields)]
/// struct Config { migrate: bool, purge_batch: usize }
///
/// let url = StoreUrl::of("sqlite:sessions.db?migrate=true&purge_batch=500");
/// assert_eq!(url.place, "sqlite:sessions.db");
/// let config: Config = url.read("sqlite")?;
/// assert!(config.migrate && config.purge_batch == 500);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Copy)]
pub struct StoreUrl<'a> {
    /// All that stands before the first `?`, with its scheme. May hold a password.
    pub place: &'a str,
    query: &'a str,
}

impl<'a> StoreUrl<'a> {
    /// Splits `url` at its first `?`. All of it is percent-encoded: a space is `%20`, and a `+` is a plus.
    pub fn of(url: &'a str) -> Self {
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        Self { place, query }
    }

    /// The settings, by the names that the struct `T` has for serde. What can't be read is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) that names the setting and says what it takes.
    /// A setting that `T` does not have is one that lists those that it has. Neither shows a part of the URL, which may be
    /// one of a password, but for what the types of `T` say themselves.
    pub fn read<T: DeserializeOwned>(self, store: &str) -> Result<T, StoreError> {
        T::deserialize(Settings::of(self.query)).map_err(|wrong| {
            // The password ends at an `@`; with a `?` in it, up to there all of it looks like settings.
            let sentence = if self.query.contains('@') {
                format!(
                    "the URL of the {store} store can't be read, and is not shown, for it may be a password: a `?` \
                     before the host is written %3F, an @ in a setting %40"
                )
            } else {
                format!("a setting in the URL of the {store} store is wrong: {wrong}")
            };
            misconfigured(sentence)
        })
    }

    /// Whether `name` is among the settings.
    pub fn has(self, name: &str) -> bool {
        let keys = self
            .query
            .split('&')
            .map(|setting| setting.split('=').next());
        keys.flatten().filter_map(decoded).any(|key| key == name)
    }

    /// Refuses settings that the part before the `?` has said already, as one that is there twice is refused: which of the two
    /// is meant can't be told. `said` has each setting that may be said there, and whether it was. Shows no value.
    pub fn refuse_twice(self, store: &str, said: &[(&str, bool)]) -> Result<(), StoreError> {
        let twice = said.iter().find(|(name, said)| *said && self.has(name));
        twice.map_or(Ok(()), |(name, _)| {
            Err(misconfigured(format!(
                "the URL of the {store} store says {name} twice, before the `?` and as a setting: leave one of them out"
            )))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fasthttpsession_core::StoreErrorKind;
    use serde::Deserialize;

    use super::*;
    use crate::hidden::Hidden;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        migrate: bool,
        #[serde(default)]
        prefix: String,
    }

    #[test]
    fn what_may_be_a_part_of_a_password_is_not_shown() {
        for password in [
            "ab?s3cret",
            "ab?s3cret=x",
            "ab?x&s3cret=x",
            "ab?migrate=true&s3cret",
            "ab?migrate=s3cret",
            "ab?a&migrate=s3cret=x&y",
        ] {
            let url = format!("mysql://web:{password}@db.example/app?migrate=true");
            let url = StoreUrl::of(&url);
            let unread = url.read::<()>("mysql").expect_err("there is a `?` in it");
            let unknown = url
                .read::<Config>("mysql")
                .expect_err("there is a `?` in it");
            for error in [unread, unknown] {
                assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
                assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
                assert!(error.to_string().contains("%3F"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_wrong_with_a_setting_is_told_by_its_name_and_without_its_value() {
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Sync {
            #[default]
            None,
            Full,
        }
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Config {
            password: Option<Hidden>,
            migrate: bool,
            port: u16,
            sync: Sync,
            #[serde(rename = "timeout_ms", with = "crate::millis")]
            timeout: Duration,
        }
        let twice = "migrate: it is there twice";
        let unknown = "it is none of password, migrate, port, sync, timeout_ms; it is not shown, for it may be a part of \
                       a password, in which an & is written %26";
        for (query, wrong) in [
            ("migrate=s3cret", "migrate: it is true or false"),
            ("migrate=1", "migrate: it is true or false"),
            ("migrate", "migrate: it is true or false"),
            ("port=s3cret", "port: it is a number from 0 to 65535"),
            ("port=65536", "port: it is a number from 0 to 65535"),
            (
                "timeout_ms=5s3cret",
                "timeout_ms: it is a number from 0 to 18446744073709551615",
            ),
            ("sync=s3cret", "sync: it is one of none, full"),
            ("migrate=true&migrate=false", twice),
            ("password=a&s3cret", unknown),
            ("password=a&s3cret=1", unknown),
            (
                "password=s3cret%ff",
                "password: it is not UTF-8 once it is percent-decoded",
            ),
            ("s3cret%ff=1", unknown),
        ] {
            let url = format!("mysql://db.example?{query}");
            let error = StoreUrl::of(&url).read::<Config>("mysql").expect_err(query);
            let sentence = format!("a setting in the URL of the mysql store is wrong: {wrong}");
            assert_eq!(error.to_string(), sentence, "{query}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn what_the_url_has_said_before_its_settings_is_no_setting() {
        let url = StoreUrl::of("postgres://web@db/app?host=/s3cret&migrate=true");
        let refused = url.refuse_twice("postgres", &[("user", true), ("host", true)]);
        let error = refused.expect_err("the host is there twice");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        let sentence = error.to_string();
        assert!(sentence.contains("says host twice"), "{sentence}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        url.refuse_twice("postgres", &[("user", true), ("host", false)])
            .expect("each is there once");
    }

    #[test]
    fn a_setting_may_have_an_at() {
        let url = StoreUrl::of("redis://cache?prefix=a@b:&migrate=true");
        let config: Config = url.read("redis").expect("nothing is wrong with it");
        assert!(config.migrate && config.prefix == "a@b:");
    }

    #[test]
    fn a_plus_is_a_plus() {
        for (written, prefix) in [("a+b", "a+b"), ("a%2Bb", "a+b"), ("a%20b", "a b")] {
            let url = format!("redis://cache?&pre%66ix={written}&");
            let config: Config = StoreUrl::of(&url).read("redis").expect(written);
            assert_eq!(config.prefix, prefix);
        }
    }
}
