//! G5, no secret at rest or in a log.

use fasthttpsession_core::{Codec, Error, StoreErrorKind};

use crate::faulty::{Fault, Op};
use crate::support::{Client, World};

/// The secret half of a token, as text and as the bytes that it stands for.
fn secret_of(token: &str) -> (String, Vec<u8>) {
    use base64::Engine as _;
    let secret = token.split_once('.').unwrap().1.to_owned();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&secret);
    (secret, bytes.unwrap())
}

fn assert_hides(token: &str, printed: &str) {
    let (text, bytes) = secret_of(token);
    assert!(!printed.contains(&text), "{printed}");
    assert!(!printed.contains(&format!("{bytes:?}")), "{printed}");
}

/// "Logs and errors show handles, never tokens" (16.2.5).
#[tokio::test]
async fn nothing_that_can_be_printed_shows_the_secret() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    client.visit(&sessions, |s| s.set("card", "4711")).await;
    let token = client.token().unwrap();
    let request = client.request(&sessions).await;
    request.rotate().unwrap();
    request.login("ada").unwrap();
    let snapshot = sessions.read(client.handle()).await.unwrap().unwrap();
    let record = world.record(&client).await.unwrap();
    let mut printed = vec![
        format!("{sessions:?} {:?} {:?}", request.exchange, request.session),
        format!(
            "{sessions:#?} {:#?} {:#?}",
            request.exchange, request.session
        ),
        format!("{snapshot:?} {snapshot:#?} {:?}", snapshot.values),
        format!("{record:?} {record:#?}"),
    ];
    let response = request.respond().await;
    let next = response.token().unwrap();
    printed.push(format!("{:?} {:#?}", response.0, response.0));
    printed.push(format!("{:?} {:?}", request.exchange, request.session));
    for text in &printed {
        assert_hides(&token, text);
        assert_hides(&next, text);
        assert!(!text.contains("4711"), "values may be private: {text}");
    }
    let shown = format!("{:?}", client.request(&sessions).await.session);
    assert!(!shown.contains(&next));
    assert!(printed[0].contains(&client.handle().to_string()));
}

#[tokio::test]
async fn errors_show_the_handle_and_never_the_secret() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let token = client.token().unwrap();
    let mut errors: Vec<Error> = Vec::new();
    for fault in [Fault::Refuse, Fault::LoseCall] {
        world.store.script(move |op, _| match op {
            Op::Replace => fault(StoreErrorKind::Timeout),
            _ => Fault::None,
        });
        let request = client.request(&sessions).await;
        request.rotate().unwrap();
        errors.push(request.finish().await.err().unwrap());
    }
    world
        .store
        .overwrite(client.handle(), "?", world.now())
        .await;
    errors.push(client.begin(&sessions).session().await.unwrap_err());
    for error in errors {
        assert_hides(&token, &format!("{error:?} {error:#?} {error}"));
        if !matches!(error, Error::Store { .. }) {
            assert!(error.to_string().contains(&client.handle().to_string()));
        }
    }
}

fn codecs() -> Vec<Codec> {
    vec![
        Codec::json(),
        #[cfg(feature = "messagepack")]
        Codec::message_pack(),
        #[cfg(feature = "cbor")]
        Codec::cbor(),
    ]
}

/// What a codec says quotes what it found.
#[tokio::test]
async fn an_error_of_decoding_shows_no_value() {
    let world = World::new();
    for codec in codecs() {
        let sessions = world.builder().codec(codec.clone()).build().unwrap();
        let mut client = Client::new();
        client.visit(&sessions, |s| s.set("card", "4711")).await;
        let request = client.request(&sessions).await;
        let errors = [
            request.get::<u64>("card").unwrap_err(),
            request.get::<[u8; 2]>("card").unwrap_err(),
            request.update("card", |n: &mut u64| *n += 1).unwrap_err(),
        ];
        for error in errors {
            let cause =
                std::error::Error::source(&error).map(|source| format!("{source} {source:?}"));
            let printed = format!("{error} {error:?} {cause:?}");
            assert!(!printed.contains("4711"), "{codec:?}: {printed}");
            assert!(printed.contains("card"), "{codec:?}: {printed}");
        }
    }
}

/// Not even a value that reads like an error.
#[tokio::test]
async fn a_value_that_looks_like_a_missing_field_is_not_shown_as_one() {
    let world = World::new();
    for codec in codecs() {
        let sessions = world.builder().codec(codec.clone()).build().unwrap();
        let mut client = Client::new();
        let value = "missing field `hunter2`";
        client.visit(&sessions, |s| s.set("card", value)).await;
        let request = client.request(&sessions).await;
        let error = request.get::<u64>("card").unwrap_err();
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains("hunter2"), "{codec:?}: {printed}");
    }
}

/// "A field was added" is what goes wrong most often, and names nothing but the type's own.
#[tokio::test]
async fn an_error_of_decoding_names_the_field_that_is_missing() {
    #[derive(Debug, serde::Deserialize)]
    struct Settings {
        #[allow(dead_code, reason = "what matters is that it is missing")]
        theme: String,
    }
    let world = World::new();
    for codec in codecs() {
        let sessions = world.builder().codec(codec).build().unwrap();
        let mut client = Client::new();
        let old = std::collections::HashMap::from([("language", "la")]);
        client.visit(&sessions, |s| s.set("settings", &old)).await;
        let request = client.request(&sessions).await;
        let error = request.get::<Settings>("settings").unwrap_err();
        assert!(error.to_string().contains("theme"), "{error}");
        assert!(!error.to_string().contains("language"), "{error}");
    }
}

/// "Sessions are validated on the server only"; stores hold hashes.
#[tokio::test]
async fn records_hold_no_secret() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let mut tokens = vec![client.token().unwrap()];
    client
        .visit(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    tokens.push(client.token().unwrap());
    client.visit(&sessions, |s| s.login("ada")).await;
    tokens.push(client.token().unwrap());
    let record = world.record(&client).await.unwrap();
    for token in tokens {
        let (text, bytes) = secret_of(&token);
        for part in [text.as_bytes(), &bytes] {
            assert!(!record.body.windows(part.len()).any(|window| window == part));
        }
    }
}

/// "Tokens from the OS generator, at least 128 bits secret" (7.2.3, 11.5.1).
#[tokio::test]
async fn tokens_have_128_random_bits_twice_and_a_generator_of_ones_own_only_adds() {
    let world = World::new();
    let sessions = world.sessions();
    let adding = world
        .builder()
        .add_randomness(|| vec![7; 100])
        .build()
        .unwrap();
    let mut seen = std::collections::HashSet::new();
    for (sessions, length) in [(&sessions, 16), (&adding, 48)] {
        for _ in 0..50 {
            let token = Client::with(sessions, "n", 1).await.token().unwrap();
            let (secret, bytes) = secret_of(&token);
            assert_eq!(bytes.len(), length);
            assert!(seen.insert(bytes[..16].to_vec()), "{secret}");
            assert!(seen.insert(token.split('.').next().unwrap().into()));
        }
    }
    let client = Client::with(&adding, "n", 1).await;
    assert!(client.is_known(&adding).await);
}
