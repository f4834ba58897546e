//! Settings from a file: each does what the builder's method of its name does, all are documented, and what can't be is
//! refused by a sentence that names the setting.

use std::io::Write as _;

use fasthttpsession_core::{
    BuildError, Error, HeaderEdit, Sessions, SessionsBuilder, Settings, TokenCodec,
};
use serde::Deserialize;
use tempfile::NamedTempFile;

use crate::faulty::Op;
use crate::support::{Client, HOUR, MINUTE, SECOND, World, opens};
use crate::wrapping::{entry, ring};

/// What the page of [`Settings`] shows.
const DOCUMENTED: &str = include_str!("../../src/settings/settings.toml");

#[derive(Deserialize)]
struct App {
    session: Settings,
}

fn settings(toml: &str) -> Settings {
    toml::from_str(toml).unwrap_or_else(|error| panic!("{toml}: {error}"))
}

fn builder(world: &World, toml: &str) -> Result<SessionsBuilder, BuildError> {
    let builder = settings(toml).builder(world.store.clone())?;
    Ok(builder.clock(world.clock.clone()))
}

fn sessions(world: &World, toml: &str) -> Sessions {
    let built = builder(world, toml).and_then(SessionsBuilder::build);
    built.unwrap_or_else(|error| panic!("{toml}: {error}"))
}

/// A file with the keys of these ids.
fn keys_file(ids: &[&str]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    for id in ids {
        writeln!(file, "{}", entry(id)).unwrap();
    }
    file
}

fn with_keys(file: &NamedTempFile, toml: &str) -> String {
    format!("keys_file = \"{}\"\n{toml}", file.path().display())
}

/// The names between backticks in what serde says there could have been.
fn names_in(section: &str) -> Vec<String> {
    let error = toml::from_str::<Settings>(&format!("{section}unheard_of = 1")).unwrap_err();
    let (_, expected) = error.message().split_once("expected").unwrap();
    expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_documentation_has_every_setting_with_its_default() {
    let documented: App = toml::from_str(DOCUMENTED).unwrap();
    assert_eq!(documented.session, Settings::default());
    assert_eq!(settings(""), Settings::default());
    let lines: Vec<_> = DOCUMENTED
        .lines()
        .map(|line| line.trim_start_matches("# "))
        .collect();
    for (section, least) in [("", 10), ("lifetimes.", 2), ("cookie.", 8), ("limits.", 4)] {
        let names = names_in(section);
        assert!(names.len() >= least, "{names:?}");
        for name in names {
            let is_of = |line: &&str| {
                line.starts_with(&format!("{name} = ")) || **line == format!("[session.{name}]")
            };
            assert!(lines.iter().any(is_of), "{section}{name}");
        }
    }
}

#[test]
fn what_is_commented_out_in_the_documentation_can_be_read() {
    let is_setting = |line: &str| line.split(' ').nth(2) == Some("=");
    let uncommented: Vec<_> = DOCUMENTED
        .lines()
        .map(|line| {
            if is_setting(line) {
                line.trim_start_matches("# ")
            } else {
                line
            }
        })
        .collect();
    let app: App = toml::from_str(&uncommented.join("\n")).unwrap();
    assert_eq!(app.session.store().unwrap(), "redis://cache.internal");
    assert_ne!(app.session, Settings::default());
}

#[tokio::test]
async fn lifetimes_are_those_of_the_file() {
    let world = World::new();
    let sessions = sessions(
        &world,
        "lifetimes = { idle_ms = 60_000, absolute_ms = 3_600_000 }",
    );
    let request = Client::with(&sessions, "n", 1)
        .await
        .request(&sessions)
        .await;
    assert_eq!(request.idle_deadline(), Some(world.now().after(MINUTE)));
    assert_eq!(request.absolute_deadline(), Some(world.now().after(HOUR)));
}

#[tokio::test]
async fn the_cookie_is_that_of_the_file() {
    let world = World::new();
    let whole = r#"cookie = { name = "app", domain = "example.org", path = "/shop", http_only = false,
        same_site = "strict", partitioned = true, persistent = true }"#;
    let insecure = "cookie = { secure = false }";
    for (toml, name, attributes) in [
        (
            whole,
            "__Secure-app",
            "SameSite=Strict; Partitioned; Secure; Path=/shop; Domain=example.org; Max-Age=3600",
        ),
        (insecure, "id", "HttpOnly; SameSite=Lax; Path=/"),
    ] {
        let request = Client::new().request(&sessions(&world, toml)).await;
        request.set("n", &1).unwrap();
        let response = request.respond().await;
        let (value, found) = response.cookie().unwrap().split_once("; ").unwrap();
        assert!(value.starts_with(&format!("{name}=")), "{value}");
        assert_eq!(found, attributes);
    }
}

#[tokio::test]
async fn transports_are_those_of_the_file_in_its_order() {
    let world = World::new();
    for (toml, header) in [
        (
            r#"transports = ["header:X-Session", "query:s"]"#,
            "x-session",
        ),
        (r#"transports = ["bearer", "query:s"]"#, "authorization"),
        (r#"transports = " bearer,query:s ""#, "authorization"),
    ] {
        let sessions = sessions(&world, toml);
        let exchange = sessions.begin([("host", "example.org")], None);
        exchange.session().await.unwrap().set("n", &1).unwrap();
        let edits = exchange.finish().await.unwrap();
        let given = edits.iter().find_map(|edit| match edit {
            HeaderEdit::SetHeader { name, value } if name == header => Some(value.as_str()),
            HeaderEdit::SetCookie { .. } => panic!("no cookie is on"),
            _ => None,
        });
        let query = format!("s={}", given.unwrap().trim_start_matches("Bearer "));
        let again = sessions.begin([("host", "example.org")], Some(&query));
        assert!(!again.session().await.unwrap().is_new(), "{toml}");
    }
}

#[tokio::test]
async fn tokens_are_wrapped_as_the_file_says() {
    let world = World::new();
    let file = keys_file(&["2026-11", "old"]);
    let plain = Client::with(&sessions(&world, ""), "n", 1)
        .await
        .token()
        .unwrap();
    for (name, length) in [
        ("signed", 97),
        #[cfg(feature = "encryption")]
        ("encrypted", 104),
    ] {
        let alone = with_keys(&file, &format!("token_codec = {name:?}"));
        let token = Client::with(&sessions(&world, &alone), "n", 1)
            .await
            .token()
            .unwrap();
        assert_eq!(token.len(), length);
        let both = with_keys(
            &file,
            &format!("token_codec = {name:?}\nalso_accept = [\"plain\"]"),
        );
        let introduced = with_keys(&file, &format!("also_accept = {name:?}"));
        for (toml, takes) in [
            ("", [true, false]),
            (&alone, [false, true]),
            (&both, [true; 2]),
            (&introduced, [true; 2]),
        ] {
            let sessions = sessions(&world, toml);
            let opened = [
                opens(&sessions, &plain).await,
                opens(&sessions, &token).await,
            ];
            assert_eq!(opened, takes, "{toml}");
        }
    }
}

#[cfg(feature = "encryption")]
#[tokio::test]
async fn records_are_encrypted_as_the_file_says() {
    let world = World::new();
    let file = keys_file(&["k"]);
    let client = Client::with(&sessions(&world, ""), "n", 1).await;
    let encrypts = with_keys(&file, "encrypt_records = true");
    let encrypted = Client::with(&sessions(&world, &encrypts), "n", 1).await;
    let reads = async |toml: &str, client: &Client| {
        let exchange = client.begin(&sessions(&world, toml));
        match exchange.session().await {
            Ok(_) => true,
            Err(Error::Unreadable { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    };
    let migrating = format!("{encrypts}\nalso_read_unencrypted = true");
    let introduced = with_keys(&file, "also_read_encrypted = true");
    for (toml, takes) in [
        ("", [true, false]),
        (&introduced, [true; 2]),
        (&migrating, [true; 2]),
        (&encrypts, [false, true]),
    ] {
        assert_eq!(
            [reads(toml, &client).await, reads(toml, &encrypted).await],
            takes,
            "{toml}"
        );
    }
}

#[cfg(all(feature = "messagepack", feature = "cbor"))]
#[tokio::test]
async fn values_are_written_as_the_file_says() {
    for (toml, bytes) in [
        (r#"codec = "json""#, &b"\"ten\""[..]),
        (r#"codec = "messagepack""#, b"\xa3ten"),
        (r#"codec = "cbor""#, b"\x63ten"),
    ] {
        let world = World::new();
        let mut client = Client::new();
        client
            .visit(&sessions(&world, toml), |s| s.set("n", "ten"))
            .await;
        let body = world.record(&client).await.unwrap().body;
        assert!(
            body.windows(bytes.len()).any(|part| part == bytes),
            "{toml}"
        );
    }
}

#[cfg(not(any(feature = "messagepack", feature = "cbor")))]
#[test]
fn a_codec_that_was_not_compiled_in_names_its_feature() {
    for name in ["messagepack", "cbor"] {
        let error = builder(&World::new(), &format!("codec = {name:?}"))
            .err()
            .unwrap();
        let sentence = "codec: this one was not compiled in; turn on the feature of its name";
        assert_eq!(error.to_string(), sentence);
    }
}

#[tokio::test]
async fn limits_are_those_of_the_file() {
    let world = World::new();
    let sessions = sessions(
        &world,
        "limits = { values = 1, record_bytes = 300, retries = 0, resends = 0 }",
    );
    let request = Client::with(&sessions, "n", 1)
        .await
        .request(&sessions)
        .await;
    let many = request.set("m", &1).unwrap_err();
    assert!(matches!(many, Error::TooManyValues { limit: 1 }));
    let large = request.set("n", &"x".repeat(300)).unwrap_err();
    assert!(matches!(large, Error::TooLarge { limit: 300, .. }));
}

#[tokio::test]
async fn a_touch_is_due_when_the_file_says() {
    for (toml, touches) in [("", 1), ("touch_after_percent = 50", 0)] {
        let world = World::new();
        let sessions = sessions(&world, toml);
        let client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(HOUR / 10);
        client.request(&sessions).await.respond().await;
        assert_eq!(world.store.count(Op::Touch), touches, "{toml}");
    }
}

#[tokio::test]
async fn secrets_are_renewed_as_the_file_says() {
    let world = World::new();
    let sessions = sessions(&world, "renew_every_ms = 60_000\nrenew_grace_ms = 1_000");
    let mut client = Client::with(&sessions, "n", 1).await;
    let first = client.token().unwrap();
    world.clock.advance(MINUTE);
    client.visit(&sessions, |_| Ok(())).await;
    assert_ne!(client.token(), Some(first.clone()));
    // The new one is presented, and the grace of the old one begins.
    client.visit(&sessions, |_| Ok(())).await;
    assert!(opens(&sessions, &first).await);
    world.clock.advance(SECOND);
    assert!(!opens(&sessions, &first).await);
}

#[tokio::test]
async fn what_the_program_says_to_the_builder_replaces_what_was_read() {
    let world = World::new();
    let file = keys_file(&["k"]);
    let toml = with_keys(&file, "token_codec = \"signed\"");
    let other = TokenCodec::signed(&ring(&["another"]));
    let builder = builder(&world, &toml).unwrap().token_codec(other);
    let client = Client::with(&builder.build().unwrap(), "n", 1).await;
    let token = client.token().unwrap();
    assert!(token.contains(".another."), "{token}");
    assert!(!opens(&sessions(&world, &toml), &token).await);
}

#[test]
fn what_is_no_setting_is_refused_by_its_name() {
    for (toml, name) in [
        ("lifetime = 1", "lifetime"),
        ("lifetimes = { idle = 1 }", "idle"),
        ("lifetimes = { idle_ms = \"1h\" }", "idle_ms"),
        ("lifetimes = { idle_ms = -1 }", "idle_ms"),
        ("cookie = { max_age = 1 }", "max_age"),
        ("cookie = { same_site = \"sometimes\" }", "same_site"),
        ("cookie = { name = 1 }", "name"),
        ("limits = { value = 1 }", "value"),
        ("transports = [\"header\"]", "transports"),
        ("transports = [\"post\"]", "transports"),
        ("transports = 1", "transports"),
        ("token_codec = \"base64\"", "token_codec"),
        ("also_accept = [\"base64\"]", "also_accept"),
        ("codec = \"gob\"", "codec"),
        ("touch_after_percent = 256", "touch_after_percent"),
        ("renew_every = 1", "renew_every"),
        ("renew_every_ms = true", "renew_every_ms"),
        ("keys = \"k:00\"", "keys"),
    ] {
        let error = toml::from_str::<Settings>(toml).expect_err(toml);
        assert!(error.to_string().contains(name), "{toml}: {error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused_by_a_sentence_that_names_it() {
    let file = keys_file(&["k"]);
    let keys = |toml: &str| with_keys(&file, toml);
    for (toml, names) in [
        (
            "lifetimes = { idle_ms = 90_000_000 }".to_owned(),
            "lifetimes idle absolute",
        ),
        ("lifetimes = { idle_ms = 0 }".to_owned(), "lifetimes idle"),
        ("cookie = { name = \"a b\" }".to_owned(), "cookie name"),
        (
            "cookie = { name = \"__Host-id\" }".to_owned(),
            "cookie name",
        ),
        ("cookie = { domain = \"\" }".to_owned(), "cookie domain"),
        ("cookie = { path = \"shop\" }".to_owned(), "cookie path"),
        (
            "cookie = { partitioned = true, secure = false }".to_owned(),
            "cookie partitioned secure",
        ),
        (
            "cookie = { same_site = \"none\", secure = false }".to_owned(),
            "cookie same_site secure",
        ),
        ("transports = []".to_owned(), "transports"),
        (
            "transports = [\"bearer\", \"header:x\"]".to_owned(),
            "transports header",
        ),
        (
            "transports = [\"header:host\"]".to_owned(),
            "transports header",
        ),
        (
            "transports = [\"query:\"]".to_owned(),
            "transports parameter",
        ),
        (
            "token_codec = \"signed\"".to_owned(),
            "token_codec keys_file keys_env",
        ),
        (
            "also_accept = [\"signed\"]".to_owned(),
            "also_accept keys_file keys_env",
        ),
        (
            keys("keys_env = \"K\"\nencrypt_records = true"),
            "keys_file keys_env",
        ),
        (keys(""), "keys_file token_codec encrypt_records"),
        (
            "keys_env = \"K\"".to_owned(),
            "keys_env token_codec encrypt_records",
        ),
        (
            "keys_file = \"/nowhere/at/all\"\nencrypt_records = true".to_owned(),
            "keys_file /nowhere/at/all",
        ),
        (
            "keys_env = \"NO_SUCH_KEYS\"\nencrypt_records = true".to_owned(),
            "keys_env NO_SUCH_KEYS",
        ),
        ("limits = { values = 0 }".to_owned(), "limits values"),
        (
            "limits = { record_bytes = 255 }".to_owned(),
            "limits record_bytes",
        ),
        ("touch_after_percent = 51".to_owned(), "touch_after_percent"),
        (
            "renew_every_ms = 30_000".to_owned(),
            "renew_every_ms renew_grace_ms",
        ),
        ("renew_grace_ms = 999".to_owned(), "renew_grace_ms 1000 999"),
    ] {
        assert_refused_by(&toml, names);
    }
}

#[cfg(feature = "encryption")]
#[test]
fn what_does_not_fit_encryption_is_refused_by_a_sentence_that_names_it() {
    let contradiction = "encrypt_records = true\nalso_read_encrypted = true";
    let file = keys_file(&["k"]);
    let contradiction = with_keys(&file, contradiction);
    for (toml, names) in [
        (
            "also_accept = [\"encrypted\"]",
            "also_accept keys_file keys_env",
        ),
        (
            "encrypt_records = true",
            "encrypt_records keys_file keys_env",
        ),
        (
            "also_read_encrypted = true",
            "also_read_encrypted keys_file keys_env",
        ),
        (
            "also_read_unencrypted = true",
            "also_read_unencrypted encrypt_records",
        ),
        (&contradiction, "encrypt_records also_read_encrypted"),
    ] {
        assert_refused_by(toml, names);
    }
}

/// The sentence that refuses `toml` has all `names`.
fn assert_refused_by(toml: &str, names: &str) {
    let refused = builder(&World::new(), toml).and_then(SessionsBuilder::build);
    let sentence = refused.expect_err(toml).to_string().to_lowercase();
    for name in names.to_lowercase().split(' ') {
        assert!(sentence.contains(name), "{toml}: {sentence}");
    }
}

#[test]
fn a_store_that_is_missing_is_named() {
    let error = Settings::default().store().unwrap_err();
    let sentence = "store: it is the URL of a store, like \"redis://host\", and is missing";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn keys_in_place_of_the_name_of_their_place_are_not_printed() {
    for name in ["keys_file", "keys_env"] {
        let key = "k:4f0c1b7e6a3d8f2295b0e4c7d1a86f3e5b9c20d7f4e81a6c3d5b7f9012e4ffc8";
        let toml = format!("{name} = {key:?}\ntoken_codec = \"signed\"");
        let refused = builder(&World::new(), &toml).err().unwrap();
        assert!(
            refused
                .to_string()
                .starts_with(&format!("{name}: it names a "))
        );
        let printed = format!("{:?} {refused} {refused:?}", settings(&toml));
        assert!(!printed.contains("4f0c"), "{printed}");
        let named = settings(&format!("{name} = \"APP_KEYS\""));
        assert!(format!("{named:?}").contains("APP_KEYS"));
    }
}

#[test]
fn the_password_of_a_store_is_not_printed() {
    let settings = settings("store = \"postgres://web:s3cret@db.internal/app\"");
    let printed = format!("{settings:?} {settings:#?}");
    assert!(
        printed.contains("postgres:") && !printed.contains("s3cret"),
        "{printed}"
    );
}
