//! G11, records describe themselves: codecs change under live traffic, and nobody is signed out.

use std::collections::BTreeMap;

use fasthttpsession_core::{BuildError, Codec, Error, Key, Sessions, Unreadable, Values};
use serde::{Deserialize, Serialize};

use crate::support::{Client, World};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    items: BTreeMap<String, u32>,
    note: Option<String>,
    price: f64,
}

const CART: Key<Cart> = Key::new("cart");
const VISITS: Key<u64> = Key::new("visits");

fn cart() -> Cart {
    Cart {
        items: [("tea".to_owned(), 2)].into(),
        note: Some("fragile ☕".to_owned()),
        price: 1.5,
    }
}

/// Every built-in codec that was compiled in.
fn built_in() -> Vec<Codec> {
    vec![
        Codec::json(),
        #[cfg(feature = "messagepack")]
        Codec::message_pack(),
        #[cfg(feature = "cbor")]
        Codec::cbor(),
    ]
}

/// JSON, upside down.
pub(crate) fn reversed(name: &str) -> Codec {
    Codec::map(
        name,
        |map| {
            let mut bytes = serde_json::to_vec(map)?;
            bytes.reverse();
            Ok::<_, serde_json::Error>(bytes)
        },
        |bytes| {
            let bytes: Vec<_> = bytes.iter().rev().copied().collect();
            serde_json::from_slice(&bytes)
        },
    )
}

#[tokio::test]
async fn codecs_switch_back_and_forth_and_every_value_stays_readable() {
    let world = World::new();
    let each: Vec<_> = built_in()
        .into_iter()
        .map(|codec| world.builder().codec(codec).build().unwrap())
        .collect();
    let mut client = Client::new();
    for round in 0..2 {
        for (n, sessions) in each.iter().enumerate() {
            let written = client.visit(sessions, |s| {
                s.set(CART, &cart())?;
                s.set(format!("cart-{round}-{n}"), &cart())?;
                s.update(VISITS, |visits| *visits += 1)
            });
            written.await;
            for reader in &each {
                let request = client.request(reader).await;
                for key in request.keys().iter().filter(|key| key.starts_with("cart")) {
                    assert_eq!(request.get::<Cart>(key).unwrap().unwrap(), cart());
                }
                let visits = round * each.len() + n + 1;
                assert_eq!(request.get(VISITS).unwrap(), Some(visits as u64));
                request.respond().await;
            }
        }
    }
}

#[tokio::test]
async fn values_that_are_not_touched_stay_byte_for_byte() {
    let world = World::new();
    let mut client = Client::new();
    for codec in built_in() {
        let sessions = world.builder().codec(codec).build().unwrap();
        client
            .visit(&sessions, |s| s.set(format!("key-{}", s.len()), &cart()))
            .await;
    }
    let before = world.record(&client).await.unwrap().body;
    let values: Vec<_> = {
        let at = before.windows(6).position(|w| w == b"\x05key-0").unwrap();
        before[at..].to_vec()
    };
    client.visit(&world.sessions(), |s| s.set("a", &1)).await;
    let after = world.record(&client).await.unwrap().body;
    assert!(after.ends_with(&values));
}

/// A decimal number that is read in a hurry is off by its last bit about once in eight.
#[tokio::test]
async fn numbers_come_back_bit_for_bit_whatever_else_is_changed() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut numbers = vec![
        121.487_919_511_619_45,
        31.245_270_191_439_438,
        100.783_996_582_031_25,
    ];
    numbers.extend((0..500).map(|_| random.f64() * 200.0));
    let any = std::iter::repeat_with(|| f64::from_bits(random.u64(..)));
    numbers.extend(any.filter(|number| number.is_finite()).take(1500));
    let world = World::new();
    for codec in built_in().into_iter().chain([reversed("upside-down")]) {
        let sessions = world.builder().codec(codec.clone()).build().unwrap();
        let mut client = Client::new();
        client
            .visit(&sessions, |s| s.set("numbers", &numbers))
            .await;
        for _ in 0..2 {
            client
                .visit(&sessions, |s| s.update(VISITS, |visits| *visits += 1))
                .await;
            let request = client.request(&sessions).await;
            let read: Vec<f64> = request.get("numbers").unwrap().unwrap();
            assert_eq!(read.len(), numbers.len());
            for (read, number) in read.iter().zip(&numbers) {
                assert_eq!(read.to_bits(), number.to_bits(), "{codec:?}: {number}");
            }
        }
    }
}

#[tokio::test]
async fn a_map_codec_reads_and_writes_the_whole_map() {
    let world = World::new();
    let json = world.sessions();
    let mut client = Client::new();
    client.visit(&json, |s| s.set(CART, &cart())).await;
    // First read-only on every node, then promoted, and back again.
    let reading = world
        .builder()
        .also_read(reversed("upside-down"))
        .build()
        .unwrap();
    let writing = world
        .builder()
        .codec(reversed("upside-down"))
        .build()
        .unwrap();
    let order: [&Sessions; 5] = [&writing, &reading, &json, &writing, &reading];
    for (n, sessions) in order.into_iter().enumerate() {
        client
            .visit(sessions, |s| s.update(VISITS, |visits| *visits += 1))
            .await;
        let request = client.request(&reading).await;
        assert_eq!(request.get(CART).unwrap(), Some(cart()));
        assert_eq!(request.get(VISITS).unwrap(), Some(n as u64 + 1));
    }
    client.visit(&writing, |s| s.set(VISITS, &0)).await;
    let body = world.record(&client).await.unwrap().body;
    assert!(body.windows(11).any(|window| window == b"upside-down"));
    assert!(body.ends_with(b"{"));
}

#[tokio::test]
async fn a_map_codec_refuses_what_would_lose_digits() {
    let world = World::new();
    let mut client = Client::new();
    let large = u128::from(u64::MAX) + 1;
    client
        .visit(&world.sessions(), |s| s.set("large", &large))
        .await;
    let writing = world
        .builder()
        .codec(reversed("upside-down"))
        .build()
        .unwrap();
    let request = client.request(&writing).await;
    request.set("other", &1).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(
        matches!(&error, Error::Decode { key, .. } if &**key == "large"),
        "{error:?}"
    );
    let request = client.request(&writing).await;
    assert_eq!(request.get::<u128>("large").unwrap(), Some(large));
}

#[tokio::test]
async fn a_codec_that_this_process_was_not_given_is_an_error_that_says_so() {
    let world = World::new();
    let writing = world
        .builder()
        .codec(reversed("upside-down"))
        .build()
        .unwrap();
    let client = Client::with(&writing, "n", 1).await;
    let record = world.record(&client).await;
    for sessions in [
        world.sessions(),
        world.builder().codec(reversed("other")).build().unwrap(),
    ] {
        let error = client.begin(&sessions).session().await.unwrap_err();
        let Error::Unreadable { reason, .. } = error else {
            panic!("{error:?}")
        };
        assert!(matches!(reason, Unreadable::UnknownCodec { name } if &*name == "upside-down"));
    }
    assert_eq!(world.record(&client).await, record);
}

#[tokio::test]
async fn a_map_codec_that_fails_is_an_error_and_the_record_stays() {
    let failing = Codec::map("upside-down", |_| Err("no ink"), |_| Err("no glasses"));
    let world = World::new();
    let writing = world
        .builder()
        .codec(reversed("upside-down"))
        .build()
        .unwrap();
    let client = Client::with(&writing, "n", 1).await;
    let record = world.record(&client).await;
    let sessions = world.builder().codec(failing).build().unwrap();
    let error = client.begin(&sessions).session().await.unwrap_err();
    assert!(error.to_string().contains("no glasses"), "{error}");
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(matches!(error, Error::EncodeMap { .. }));
    assert!(error.to_string().contains("no ink"), "{error}");
    assert_eq!(world.record(&client).await, record);
    assert_eq!(world.records().await, 1);
}

#[tokio::test]
async fn a_map_codec_that_makes_far_too_much_of_the_values_is_an_error() {
    let world = World::new();
    let inflating = Codec::map(
        "inflating",
        |_| Ok::<_, String>(vec![0; (1 << 30) + 1]),
        |_| Ok(serde_json::Map::default()),
    );
    let sessions = world.builder().codec(inflating).build().unwrap();
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_map_codec_that_panics_harms_nobody_else() {
    use futures_util::FutureExt as _;
    let world = World::new();
    let panicking = Codec::map(
        "upside-down",
        |map| {
            assert!(!map.contains_key("bad"), "a bug in the codec");
            Ok::<_, String>(Vec::new())
        },
        |_| Ok(serde_json::Map::default()),
    );
    let sessions = world.builder().codec(panicking).build().unwrap();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.set("bad", &1).unwrap();
    let finish = std::panic::AssertUnwindSafe(request.finish()).catch_unwind();
    assert!(finish.await.is_err());
    let request = client.request(&sessions).await;
    request.set("good", &1).unwrap();
    request.respond().await;
}

#[test]
fn names_of_map_codecs_are_checked_when_building() {
    let world = World::new();
    let (long, longest) = ("x".repeat(65), "x".repeat(64));
    for name in ["", &long] {
        let built = world.builder().codec(reversed(name)).build();
        assert!(matches!(built, Err(BuildError::Codec { name: found }) if found == name));
    }
    let twice = world
        .builder()
        .codec(reversed("a"))
        .also_read(reversed("a"));
    assert!(matches!(twice.build(), Err(BuildError::Codec { .. })));
    let fine = world
        .builder()
        .codec(reversed(&longest))
        .also_read(reversed("a"));
    fine.also_read(Codec::json()).build().unwrap();
}

#[tokio::test]
async fn a_value_that_no_codec_can_encode_is_an_error() {
    let world = World::new();
    for codec in built_in() {
        let sessions = world.builder().codec(codec).build().unwrap();
        let request = Client::new().request(&sessions).await;
        let error = request.set("bad", &Unencodable).unwrap_err();
        assert!(
            matches!(&error, Error::Encode { key, .. } if &**key == "bad"),
            "{error:?}"
        );
        assert!(request.is_empty());
    }
}

/// Arrays, one in the other.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Nested(Vec<Nested>);

impl Nested {
    fn new(depth: u32) -> Self {
        (1..depth).fold(Self::default(), |inner, _| Self(vec![inner]))
    }
}

#[tokio::test]
async fn what_is_nested_too_deep_to_be_read_is_not_written() {
    for codec in built_in() {
        let world = World::new();
        let mut client = Client::new();
        let sessions = world.builder().codec(codec).build().unwrap();
        client
            .visit(&sessions, |s| s.set("deep", &Nested::new(127)))
            .await;
        let request = client.request(&sessions).await;
        assert_eq!(request.get("deep").unwrap(), Some(Nested::new(127)));
        let refused = [
            request.set("deep", &Nested::new(128)),
            request.set_all([("other", Nested::new(1000))]),
            request.update("deep", |deep: &mut Nested| {
                deep.0.push(Nested::new(127));
            }),
            request
                .transact(|values| values.set("deep", &[Nested::new(127)]))
                .await
                .map_err(Error::from),
        ];
        for error in refused.map(Result::unwrap_err) {
            assert!(matches!(error, Error::Encode { .. }), "{error:?}");
            assert!(error.to_string().contains("127"), "{error}");
        }
        request.respond().await;
        let request = client.request(&sessions).await;
        assert_eq!(request.get("deep").unwrap(), Some(Nested::new(127)));
        assert_eq!(request.keys(), ["deep"]);
    }
}

/// A map is a level itself, and what reads JSON knows 127.
#[tokio::test]
async fn what_is_nested_too_deep_to_be_read_in_a_map_is_not_written_as_one() {
    let world = World::new();
    let codec = Codec::map("json", serde_json::to_vec, |bytes| {
        serde_json::from_slice(bytes)
    });
    let writing = world.builder().codec(codec).build().unwrap();
    let mut client = Client::new();
    client
        .visit(&writing, |s| s.set("deep", &Nested::new(126)))
        .await;
    let before = world.record(&client).await;
    let request = client.request(&writing).await;
    assert_eq!(request.get("deep").unwrap(), Some(Nested::new(126)));
    request.set("deeper", &Nested::new(127)).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(
        matches!(&error, Error::Decode { key, .. } if &**key == "deeper"),
        "{error:?}"
    );
    assert_eq!(world.record(&client).await, before);
    let request = client.request(&writing).await;
    assert_eq!(request.keys(), ["deep"]);
}

struct Unencodable;

impl Serialize for Unencodable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("it has no form"))
    }
}

/// Random writes end as they would in a plain map, read back in one process or the next, through every codec.
#[tokio::test]
async fn values_behave_like_a_map() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    let mut each: Vec<_> = built_in();
    each.push(reversed("upside-down"));
    let each: Vec<_> = each
        .into_iter()
        .map(|codec| {
            let other = reversed("upside-down");
            let builder = world.builder();
            match format!("{codec:?}").as_str() {
                "upside-down" => builder.codec(codec),
                _ => builder.codec(codec).also_read(other),
            }
            .build()
            .unwrap()
        })
        .collect();
    for _ in 0..200 {
        let (mut client, mut model) = (Client::new(), BTreeMap::new());
        for _ in 0..5 {
            let sessions = &each[random.usize(..each.len())];
            let request = client.request(sessions).await;
            for _ in 0..random.usize(1..12) {
                write(&request, &mut model, &mut random);
                assert_eq!(request.len(), model.len());
            }
            let transact = request.transact(|values| -> Result<_, Error> {
                compare(values, &model);
                values.set("kept", "alive")
            });
            transact.await.unwrap();
            model.insert("kept".to_owned(), "alive".to_owned());
            client.receive(&request.respond().await);
            let snapshot = sessions.read(client.handle()).await.unwrap().unwrap();
            compare(&snapshot.values, &model);
        }
    }
}

fn write(
    session: &fasthttpsession_core::Session,
    model: &mut BTreeMap<String, String>,
    random: &mut fastrand::Rng,
) {
    let key = ["a", "b", "cc", "ключ", "z", ""][random.usize(..5)].to_owned();
    let value: String = (0..random.usize(0..300))
        .map(|_| random.char('a'..='ÿ'))
        .collect();
    match random.u8(0..12) {
        0 => {
            session.clear().unwrap();
            model.clear();
        }
        1..=3 => {
            session.remove(&key).unwrap();
            model.remove(&key);
        }
        4..=6 => {
            let added = value.clone();
            let add = move |text: &mut String| text.push_str(&added);
            session.update(&key, add).unwrap();
            model.entry(key).or_default().push_str(&value);
        }
        _ => {
            session.set(&key, &value).unwrap();
            model.insert(key, value);
        }
    }
}

fn compare(values: &Values, model: &BTreeMap<String, String>) {
    let entries: Vec<_> = model.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(values.entries::<String>().unwrap(), entries);
    assert_eq!(values.len(), model.len());
    assert_eq!(values.is_empty(), model.is_empty());
    assert!(values.keys().eq(model.keys()));
    for (key, value) in model {
        assert_eq!(values.get::<String>(key).unwrap().as_ref(), Some(value));
    }
}
