//! Tokens on the wire: signed, encrypted, or wrapped by the application; forged ones never reach the store, and what is
//! written changes without signing anybody out.

#[cfg(feature = "encryption")]
use std::collections::HashSet;

use fasthttpsession_core::{Error, Keys, Sessions, StoreErrorKind, TokenCodec, Transport};

use crate::faulty::{Fault, Op};
use crate::support::{Client, World, mutate, opens};

/// A ring of these keys, each of bytes that its id decides.
pub(crate) fn ring(ids: &[&str]) -> Keys {
    let entries: Vec<_> = ids.iter().map(|id| entry(id)).collect();
    Keys::parse(&entries.join("\n")).unwrap()
}

/// `id:key`; the key is no random one, but it differs from those of other ids.
pub(crate) fn entry(id: &str) -> String {
    let bytes = (0..32_u8).map(|at| id.bytes().fold(at, |sum, byte| sum.wrapping_mul(31) ^ byte));
    let hex: String = bytes.fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("{id}:{hex}")
}

fn with(world: &World, codec: TokenCodec) -> Sessions {
    world.builder().token_codec(codec).build().unwrap()
}

/// Base64, as a former system may have had it.
fn wrapped() -> TokenCodec {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    TokenCodec::functions(
        |token| Ok::<_, Error>(STANDARD.encode(token)),
        |text| String::from_utf8(STANDARD.decode(text).ok()?).ok(),
    )
}

/// Those with keys.
const KEYED: &[fn(&Keys) -> TokenCodec] = &[
    TokenCodec::signed,
    #[cfg(feature = "encryption")]
    TokenCodec::encrypted,
];

/// All, with the length of a token.
fn codecs() -> Vec<(TokenCodec, usize)> {
    let keys = ring(&["2026-11", "old"]);
    let keyed = KEYED.iter().map(|codec| codec(&keys)).zip([97, 104]);
    let first = [(TokenCodec::plain(), 45)].into_iter();
    first.chain(keyed).chain([(wrapped(), 60)]).collect()
}

#[tokio::test]
async fn a_session_works_the_same_however_its_token_is_wrapped() {
    for (codec, length) in codecs() {
        let world = World::new();
        for (added, longer) in [(0, 0), (32, 42), (31, 41)] {
            let builder = world.builder().token_codec(codec.clone());
            let sessions = builder
                .add_randomness(move || vec![7; added])
                .build()
                .unwrap();
            let mut client = Client::with(&sessions, "n", 1).await;
            let token = client.token().unwrap();
            assert!(token.len() >= length + longer, "{codec:?} {}", token.len());
            if added == 0 {
                assert_eq!(token.len(), length, "{codec:?}");
            }
            assert_eq!(client.get(&sessions, "n").await, Some(1));
            client.visit(&sessions, |s| s.login("ada")).await;
            assert!(!opens(&sessions, &token).await);
            client.visit(&sessions, |s| s.set("n", &2)).await;
            assert_eq!(client.get(&sessions, "n").await, Some(2));
            client
                .visit(&sessions, fasthttpsession_core::Session::logout)
                .await;
            assert_eq!(client.token(), None);
        }
    }
}

/// "A wrong key or changed ciphertext is not a session and not a crash" (CVE-2026-39324). Nor a question to the store.
#[tokio::test]
async fn forged_and_changed_tokens_never_reach_the_store() {
    let keys = ring(&["2026-11"]);
    for codec in KEYED {
        let world = World::new();
        let sessions = with(&world, codec(&keys));
        let token = Client::with(&sessions, "n", 1).await.token().unwrap();
        let plain = Client::with(&world.sessions(), "n", 1)
            .await
            .token()
            .unwrap();
        let stranger = World::new();
        // The same id with another key; a key that this process does not have.
        let liar = Keys::parse(&entry("other").replace("other:", "2026-11:")).unwrap();
        let mut forged = vec![
            plain.clone(),
            format!("{plain}.2026-11."),
            format!("2026-11.{plain}"),
        ];
        for keys in [liar, ring(&["unknown"])] {
            let sessions = with(&stranger, codec(&keys));
            forged.push(Client::with(&sessions, "n", 1).await.token().unwrap());
        }
        for at in 0..token.len() {
            for change in ["A", "B", ".", "", "AA", "_"] {
                let text = format!("{}{change}{}", &token[..at], &token[at + 1..]);
                if text != token {
                    forged.push(text);
                }
            }
            forged.push(token[..at].to_owned());
            forged.push(token[at + 1..].to_owned());
        }
        forged.push(format!("{token}A"));
        forged.push(format!("{token}="));
        forged.push(format!("{token}.{token}"));
        world.store.heal();
        for text in forged {
            assert!(!opens(&sessions, &text).await, "{text}");
        }
        assert_eq!(world.store.operations(), 0);
        assert!(opens(&sessions, &token).await);
    }
}

/// Each half of one token with the other of another; a signature of one under another.
#[tokio::test]
async fn parts_of_good_tokens_make_no_good_one() {
    let world = World::new();
    let keys = ring(&["k"]);
    for codec in KEYED {
        let sessions = with(&world, codec(&keys));
        let one = Client::with(&sessions, "n", 1).await.token().unwrap();
        let other = Client::with(&sessions, "n", 2).await.token().unwrap();
        assert_eq!(one.len(), other.len());
        world.store.heal();
        for at in 3..one.len() {
            let mixed = format!("{}{}", &one[..at], &other[at..]);
            if mixed != one && mixed != other {
                assert!(!opens(&sessions, &mixed).await, "{mixed}");
            }
        }
        assert_eq!(world.store.operations(), 0);
    }
}

#[tokio::test]
async fn hostile_tokens_cost_little_and_never_panic() {
    let keys = ring(&["2026-11", "old"]);
    let world = World::new();
    let builder = KEYED
        .iter()
        .fold(world.builder().token_codec(wrapped()), |builder, codec| {
            builder.also_accept(codec(&keys))
        });
    let transports = [
        Transport::cookie(),
        Transport::bearer(),
        Transport::query("s"),
    ];
    let sessions = builder.transports(transports).build().unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for (codec, _) in codecs().into_iter().skip(1) {
        let token = Client::with(&with(&world, codec), "n", 1)
            .await
            .token()
            .unwrap();
        assert!(opens(&sessions, &token).await);
        for _ in 0..20_000 {
            let text = mutate(token.as_bytes(), &mut random);
            let headers = [
                ("cookie", [b"__Host-id=", &*text].concat()),
                ("authorization", [b"Bearer ", &*text].concat()),
            ];
            let query = format!("s={}", String::from_utf8_lossy(&text));
            world.store.heal();
            let exchange = sessions.begin(headers, Some(&query));
            let session = exchange.session().await.unwrap();
            assert!(world.store.operations() <= 4);
            let holds = |sent: &[u8]| {
                sent.windows(token.len())
                    .any(|part| part == token.as_bytes())
            };
            let encoded = query.contains('%') && session.handle().is_some();
            assert!(holds(&text) || session.is_new() || encoded, "{query}");
        }
    }
}

#[cfg(feature = "encryption")]
#[tokio::test]
async fn encrypted_tokens_tell_nothing_and_are_never_the_same() {
    let world = World::new();
    let sessions = with(&world, TokenCodec::encrypted(&ring(&["k"])));
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let handle = request.handle().unwrap();
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let text = request.expose_token().unwrap().unwrap();
        assert!(opens(&sessions, &text).await);
        assert!(!text.contains(&handle.to_string()));
        assert!(seen.insert(text));
    }
}

#[cfg(all(feature = "encryption", feature = "testing"))]
#[tokio::test]
async fn a_generator_that_fails_encrypts_nothing() {
    let world = World::new();
    let fails = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let failing = std::sync::Arc::clone(&fails);
    let sessions = world
        .builder()
        .token_codec(TokenCodec::encrypted(&ring(&["k"])))
        .system_generator_for_tests(move |bytes| {
            if bytes.len() == 24 && failing.load(std::sync::atomic::Ordering::SeqCst) {
                return Err("out of entropy".into());
            }
            bytes.fill_with(|| fastrand::u8(..));
            Ok(())
        })
        .build()
        .unwrap();
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    request.save().await.unwrap();
    fails.store(true, std::sync::atomic::Ordering::SeqCst);
    // There is a token to send, so this can't end without waiting for one.
    assert!(request.exchange.finish_now().is_none());
    let error = request.finish().await.err().unwrap();
    assert!(matches!(error, Error::Random { .. }), "{error:?}");
    let error = request.expose_token().unwrap_err();
    assert!(matches!(error, Error::Random { .. }), "{error:?}");
}

/// The Go library sent an empty cookie.
#[tokio::test]
async fn what_the_applications_function_can_not_send_is_an_error_and_no_cookie() {
    let world = World::new();
    let long = "a".repeat(1025);
    for made in [
        "", "a b", "a;b", "a\"b", "a,b", "a\\b", "a\r\nb", "naïve", &long,
    ] {
        let made = made.to_owned();
        let sessions = with(
            &world,
            TokenCodec::functions(move |_| Ok::<_, Error>(made.clone()), |_| None),
        );
        let request = Client::new().request(&sessions).await;
        request.set("n", &1).unwrap();
        let error = request.finish().await.err().unwrap();
        assert!(matches!(error, Error::EncodeToken { .. }), "{error:?}");
        assert_eq!(error.status(), 500);
    }
    let failing = TokenCodec::functions(|_| Err("no ink"), |text| Some(text.to_owned()));
    let sessions = with(&world, failing);
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(error.to_string().contains("no ink"), "{error}");
}

#[tokio::test]
async fn the_applications_function_gets_no_more_than_it_can_have_made() {
    let world = World::new();
    let sessions = with(
        &world,
        TokenCodec::functions(
            |token| Ok::<_, Error>(token.to_owned()),
            |text| {
                assert!((1..=1024).contains(&text.len()));
                assert!(
                    text.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b))
                );
                Some(text.to_owned())
            },
        ),
    );
    let token = Client::with(&sessions, "n", 1).await.token().unwrap();
    assert!(opens(&sessions, &token).await);
    let long = "a".repeat(1025);
    for text in ["", "a b", "\u{e9}", "\"", &long, &long[1..]] {
        assert!(!opens(&sessions, text).await);
    }
}

/// From one codec to the next in three steps on two processes, one after the other, and back: whoever was signed in stays.
#[tokio::test]
async fn codecs_of_tokens_change_under_live_traffic_and_nobody_is_signed_out() {
    let world = World::new();
    let mut clients = Vec::new();
    let mut order: Vec<_> = codecs().into_iter().map(|(codec, _)| codec).collect();
    order.push(TokenCodec::plain());
    for step in order.windows(2) {
        let [from, to] = [step[0].clone(), step[1].clone()];
        let stages = [
            with(&world, from.clone()),
            world
                .builder()
                .token_codec(from.clone())
                .also_accept(to.clone())
                .build()
                .unwrap(),
            world
                .builder()
                .token_codec(to.clone())
                .also_accept(from.clone())
                .build()
                .unwrap(),
        ];
        // One process is a stage ahead of the other.
        for pair in stages.windows(2) {
            for sessions in pair {
                clients.push(Client::signed_in(sessions, "ada").await);
            }
            for client in &mut clients {
                for sessions in pair {
                    assert!(client.is_known(sessions).await, "{from:?} {to:?}");
                    client
                        .visit(sessions, fasthttpsession_core::Session::rotate)
                        .await;
                }
            }
        }
    }
}

/// Plain tokens beside signed ones defeat the signature, so they are taken only by who asks for it.
#[tokio::test]
async fn plain_tokens_are_taken_beside_others_only_if_asked_for() {
    let world = World::new();
    let keys = ring(&["k"]);
    let token = Client::with(&world.sessions(), "n", 1)
        .await
        .token()
        .unwrap();
    let keyed = KEYED.iter().map(|codec| codec(&keys));
    for codec in keyed.chain([wrapped()]) {
        assert!(!opens(&with(&world, codec.clone()), &token).await);
        let asked = world
            .builder()
            .token_codec(codec)
            .also_accept(TokenCodec::plain());
        assert!(opens(&asked.build().unwrap(), &token).await);
    }
}

/// A new key is added read-only, promoted, and the old one removed; two processes, one a step behind.
#[tokio::test]
async fn keys_of_tokens_rotate_and_nobody_is_signed_out() {
    for codec in KEYED {
        let world = World::new();
        let steps: Vec<_> = [&["a"][..], &["a", "b"], &["b", "a"]]
            .map(|ids| with(&world, codec(&ring(ids))))
            .into();
        let mut clients = vec![Client::signed_in(&steps[0], "ada").await];
        for pair in steps.windows(2) {
            for sessions in pair {
                clients.push(Client::signed_in(sessions, "ada").await);
            }
            for client in &clients {
                for sessions in pair {
                    assert!(client.is_known(sessions).await);
                }
            }
        }
        // What was signed by the removed key is unknown; what was signed by the new one is not.
        let removed = with(&world, codec(&ring(&["b"])));
        world.store.heal();
        assert!(!clients[0].is_known(&removed).await);
        assert_eq!(world.store.count(Op::Load), 0);
        assert!(clients.last().unwrap().is_known(&removed).await);
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_not_an_unknown_token() {
    let world = World::new();
    let sessions = with(&world, TokenCodec::signed(&ring(&["k"])));
    let client = Client::with(&sessions, "n", 1).await;
    world
        .store
        .first(Op::Load, [Fault::Refuse(StoreErrorKind::Unavailable)]);
    assert!(client.begin(&sessions).session().await.is_err());
}
