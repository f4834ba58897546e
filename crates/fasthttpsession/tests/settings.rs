//! One section of a file describes sessions and their store; the environment says the same, and has the last word.

use std::env;
use std::error::Error as _;
use std::process::Command;

use config::{Config, ConfigError, Environment, File, FileFormat};
use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{
    AnyStore, Error, HeaderEdit, OpenError, Sessions, Settings, StoreError, Stores, open,
};
use serde::Deserialize;

#[derive(Debug, Deserialize, PartialEq)]
struct App {
    session: Settings,
}

const FILE: &str = r#"
    [session]
    store = "memory:"
    second_store = "sqlite:sessions.db"
    lifetimes = { idle_ms = 900_000, absolute_ms = 43_200_000 }
    cookie = { name = "app", domain = "example.org", path = "/shop", secure = true, http_only = false, same_site = "strict", partitioned = true, persistent = true }
    transports = ["cookie", "header:x-session"]
    token_codec = "signed"
    also_accept = ["plain", "encrypted"]
    codec = "json"
    keys_file = "/etc/app/session-keys"
    encrypt_records = true
    also_read_unencrypted = true
    also_read_encrypted = false
    limits = { record_bytes = 4096, values = 100, retries = 8, resends = 2 }
    touch_after_percent = 10
    renew_every_ms = 900_000
    renew_grace_ms = 10_000
"#;

const ENVIRONMENT: &[(&str, &str)] = &[
    ("APP__SESSION__STORE", "memory:"),
    ("APP__SESSION__SECOND_STORE", "sqlite:sessions.db"),
    ("APP__SESSION__LIFETIMES__IDLE_MS", "900000"),
    ("APP__SESSION__LIFETIMES__ABSOLUTE_MS", "43200000"),
    ("APP__SESSION__COOKIE__NAME", "app"),
    ("APP__SESSION__COOKIE__DOMAIN", "example.org"),
    ("APP__SESSION__COOKIE__PATH", "/shop"),
    ("APP__SESSION__COOKIE__SECURE", "true"),
    ("APP__SESSION__COOKIE__HTTP_ONLY", "false"),
    ("APP__SESSION__COOKIE__SAME_SITE", "strict"),
    ("APP__SESSION__COOKIE__PARTITIONED", "true"),
    ("APP__SESSION__COOKIE__PERSISTENT", "true"),
    ("APP__SESSION__TRANSPORTS", "cookie,header:x-session"),
    ("APP__SESSION__TOKEN_CODEC", "signed"),
    ("APP__SESSION__ALSO_ACCEPT", "plain, encrypted"),
    ("APP__SESSION__CODEC", "json"),
    ("APP__SESSION__KEYS_FILE", "/etc/app/session-keys"),
    ("APP__SESSION__ENCRYPT_RECORDS", "true"),
    ("APP__SESSION__ALSO_READ_UNENCRYPTED", "true"),
    ("APP__SESSION__ALSO_READ_ENCRYPTED", "false"),
    ("APP__SESSION__LIMITS__RECORD_BYTES", "4096"),
    ("APP__SESSION__LIMITS__VALUES", "100"),
    ("APP__SESSION__LIMITS__RETRIES", "8"),
    ("APP__SESSION__LIMITS__RESENDS", "2"),
    ("APP__SESSION__TOUCH_AFTER_PERCENT", "10"),
    ("APP__SESSION__RENEW_EVERY_MS", "900000"),
    ("APP__SESSION__RENEW_GRACE_MS", "10000"),
];

fn environment() -> Environment {
    Environment::with_prefix("APP").separator("__")
}

/// The settings in an environment of these variables.
fn in_environment(variables: &[(&str, &str)]) -> Result<App, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let source = environment().source(Some(variables.collect()));
    Config::builder()
        .add_source(source)
        .build()?
        .try_deserialize()
}

fn in_file(toml: &str) -> Settings {
    toml::from_str::<App>(toml).expect(toml).session
}

/// The cookie that a new session goes out by.
async fn cookie(sessions: &Sessions) -> Result<Option<String>, Error> {
    let exchange = sessions.begin([("host", "example.org")], None);
    exchange.session().await?.set("n", &1)?;
    let edits = exchange.finish().await?;
    Ok(edits.into_iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => Some(value.split(';').next()?.to_owned()),
        _ => None,
    }))
}

async fn cookie_name(sessions: &Sessions) -> Result<Option<String>, Error> {
    let cookie = cookie(sessions).await?;
    Ok(cookie.and_then(|cookie| Some(cookie.split_once('=')?.0.to_owned())))
}

#[tokio::test]
async fn one_section_of_a_file_describes_sessions_and_their_store() {
    let settings = in_file("[session]\nstore = \"memory:\"\ncookie = { name = \"app\" }");
    let sessions = open(&settings).await.unwrap().build().unwrap();
    assert_eq!(sessions.store_name(), "memory");
    let name = cookie_name(&sessions).await.unwrap();
    assert_eq!(name.as_deref(), Some("__Host-app"));
}

#[tokio::test]
async fn a_store_of_ones_own_may_be_named_in_the_settings() {
    let stores = Stores::new().register("mine", async |_| {
        Ok::<_, StoreError>(AnyStore::new(MemoryStore::new()))
    });
    let settings = in_file("[session]\nstore = \"mine:\"");
    assert!(stores.open(&settings).await.unwrap().build().is_ok());
    assert!(matches!(open(&settings).await, Err(OpenError::Store(_))));
}

#[tokio::test]
async fn the_sessions_of_a_second_store_go_on() {
    let old = AnyStore::new(MemoryStore::new());
    let cookie = cookie(&Sessions::new(old.clone())).await.unwrap().unwrap();
    let stores = Stores::new().register("old", move |_| {
        let old = old.clone();
        async { Ok::<_, StoreError>(old) }
    });
    let settings = in_file("[session]\nstore = \"memory:\"\nsecond_store = \"old:\"");
    let sessions = stores.open(&settings).await.unwrap().build().unwrap();
    let exchange = sessions.begin([("cookie", &cookie)], None);
    assert_eq!(exchange.session().await.unwrap().get("n").unwrap(), Some(1));
}

#[tokio::test]
async fn what_can_not_be_opened_is_refused_by_the_name_of_the_setting() {
    for (toml, sentence) in [
        (
            "",
            "store: it is the URL of a store, like \"redis://host\", and is missing",
        ),
        (
            "store = \"memory\"",
            "store: a store's URL begins with a scheme, like memory: or sqlite:",
        ),
        (
            "store = \"memory:x\"",
            "store: the URL of the memory store is memory: and its settings behind a `?`",
        ),
        (
            "store = \"memory:\"\nsecond_store = \"memory\"",
            "second_store: a store's URL begins with a scheme, like memory: or sqlite:",
        ),
        (
            "store = \"memory:\"\nsecond_store = \"memory:\"",
            "second_store: it is the same as `store`: name the store that sessions move from or to, or leave it out",
        ),
        (
            "store = \"memory:\"\ntoken_codec = \"signed\"",
            "token_codec: it needs keys: set keys_file or keys_env",
        ),
        (
            "store = \"memory:\"\ntoken_codec = \"signed\"\nkeys_env = \"k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"",
            "keys_env: it names a variable and must not hold the key; there is no variable of this name, which is not \
             shown",
        ),
    ] {
        let error = open(&in_file(&format!("[session]\n{toml}")))
            .await
            .err()
            .unwrap();
        assert_eq!(error.to_string(), sentence);
        // What `main` prints of the error that it returns.
        assert_eq!(format!("{error:?}"), sentence);
        // What prints the sources, too, does not say it twice.
        assert!(error.source().is_none(), "{error}");
    }
}

#[test]
fn the_environment_says_the_same_as_a_file() {
    assert_eq!(in_environment(ENVIRONMENT).unwrap().session, in_file(FILE));
    assert_eq!(
        ENVIRONMENT.len(),
        FILE.matches(" = ").count() - FILE.matches(" = {").count()
    );
}

#[test]
fn what_is_no_setting_in_the_environment_is_refused_by_its_name() {
    for (variable, value, name) in [
        ("APP__SESSION__LIFETIME", "1", "lifetime"),
        ("APP__SESSION__COOKIE__MAX_AGE", "1", "max_age"),
        (
            "APP__SESSION__LIFETIMES__IDLE_MS",
            "1h",
            "session.lifetimes.idle_ms",
        ),
        (
            "APP__SESSION__ENCRYPT_RECORDS",
            "perhaps",
            "session.encrypt_records",
        ),
        (
            "APP__SESSION__TRANSPORTS",
            "cookie,post",
            "session.transports",
        ),
        ("APP__SESSION__ALSO_ACCEPT", "base64", "session.also_accept"),
        ("APP__SESSION__TOKEN_CODEC", "base64", "session.token_codec"),
        (
            "APP__SESSION__COOKIE__SAME_SITE",
            "sometimes",
            "session.cookie.same_site",
        ),
    ] {
        let error = in_environment(&[(variable, value)]).unwrap_err();
        assert!(error.to_string().contains(name), "{variable}: {error}");
    }
}

/// The crate `config` says of an enum only that it has no such name.
#[test]
fn a_name_that_a_setting_does_not_take_is_answered_with_those_that_it_takes() {
    for (variable, value, names) in [
        (
            "APP__SESSION__COOKIE__SAME_SITE",
            "None",
            "strict, lax or none",
        ),
        (
            "APP__SESSION__CODEC",
            "msgpack",
            "json, messagepack or cbor",
        ),
        (
            "APP__SESSION__TOKEN_CODEC",
            "sign",
            "plain, signed or encrypted",
        ),
        (
            "APP__SESSION__ALSO_ACCEPT",
            "plain,sign",
            "plain, signed or encrypted",
        ),
    ] {
        let error = in_environment(&[(variable, value)])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("expected {names}")),
            "{variable}: {error}"
        );
    }
}

/// Nobody else's variables are touched: the settings are read by a process of their own.
#[test]
fn the_environment_of_a_process_has_the_last_word_and_the_keys() {
    let test = "read_by_a_process_of_its_own";
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env("APP__SESSION__COOKIE__NAME", "shop")
        .env("APP__SESSION__KEYS_ENV", "APP_KEYS")
        .env(
            "APP_KEYS",
            "k:4f0c1b7e6a3d8f2295b0e4c7d1a86f3e5b9c20d7f4e81a6c3d5b7f9012e4ffc8",
        )
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("1 passed"),
        "{told}"
    );
}

#[tokio::test]
#[ignore = "the_environment_of_a_process_has_the_last_word_and_the_keys runs it"]
async fn read_by_a_process_of_its_own() {
    let file =
        "[session]\nstore = \"memory:\"\ncookie = { name = \"app\" }\ntoken_codec = \"signed\"";
    let config = Config::builder()
        .add_source(File::from_str(file, FileFormat::Toml))
        .add_source(environment())
        .build();
    let app: App = config.unwrap().try_deserialize().unwrap();
    let sessions = open(&app.session).await.unwrap().build().unwrap();
    let name = cookie_name(&sessions).await.unwrap();
    assert_eq!(name.as_deref(), Some("__Host-shop"));
}
