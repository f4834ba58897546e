//! Keys: how they are written down, what is refused, and that nothing of them is shown.

use fasthttpsession_core::{Keys, KeysError, TokenCodec};

use crate::support::{Client, World, opens};
use crate::wrapping::{entry, ring};

const HEX: &str = "4f0c1b7e6a3d8f2295b0e4c7d1a86f3e5b9c20d7f4e81a6c3d5b7f9012e4ffc8";
/// The same 32 bytes.
const BASE64: &str = "Twwbfmo9jyKVsOTH0ahvPlucINf06BpsPVt/kBLk/8g=";

fn refusal(text: &str) -> KeysError {
    Keys::parse(text).unwrap_err()
}

#[tokio::test]
async fn a_key_may_be_written_in_hexadecimal_or_base64() {
    let world = World::new();
    let sessions = |text: &str| {
        let codec = TokenCodec::signed(&Keys::parse(text).unwrap());
        world.builder().token_codec(codec).build().unwrap()
    };
    let token = Client::with(&sessions(&format!("k:{HEX}")), "n", 1)
        .await
        .token()
        .unwrap();
    for key in [
        HEX.to_uppercase(),
        BASE64.to_owned(),
        BASE64.trim_end_matches('=').to_owned(),
        BASE64.replace('+', "-").replace('/', "_"),
    ] {
        for text in [
            format!("k:{key}"),
            format!(" k : {key} \r\n"),
            format!("# a comment, with a comma: x\n\n  \nk:{key},\n"),
            format!("other:{},k:{key}", &entry("other")[6..]),
        ] {
            assert!(opens(&sessions(&text), &token).await, "{text}");
        }
    }
}

#[test]
fn what_is_no_key_is_refused_by_the_number_of_its_entry() {
    let good = entry("good");
    for text in ["", "\n", "# k:00", ",,\n,"] {
        assert!(matches!(refusal(text), KeysError::Empty), "{text}");
    }
    let long = "i".repeat(33);
    for bad in [
        HEX.to_owned(),
        "k".to_owned(),
        "k:".to_owned(),
        format!(":{HEX}"),
        format!("a b:{HEX}"),
        format!("a.b:{HEX}"),
        format!("naïve:{HEX}"),
        format!("{long}:{HEX}"),
        format!("{HEX}:k"),
        format!("k:{}", &HEX[1..]),
        format!("k:{HEX}0"),
        format!("k:g{}", &HEX[1..]),
        format!("k:{}", &BASE64[4..]),
        format!("k:{BASE64}="),
        format!("k:{}", BASE64.replace('8', "*")),
        format!("k:{}", "A".repeat(100_000)),
        format!("k:{}", "00".repeat(32)),
        format!("k:{}=", "A".repeat(43)),
        good.clone(),
    ] {
        let error = refusal(&format!("{good}\n{bad}"));
        assert!(matches!(error, KeysError::Entry { entry: 2, .. }), "{bad}");
    }
}

/// Whatever is wrong, and wherever the key was put by mistake.
#[test]
fn errors_and_debug_show_nothing_of_a_key() {
    let mistakes = [
        format!("{HEX}:k"),
        HEX.to_owned(),
        format!("k={HEX}"),
        format!("k:{HEX}ff"),
        format!("k:{HEX}\nk:{HEX}"),
        format!("k:{BASE64}x"),
        format!("{BASE64}:k"),
    ];
    let mut shown: Vec<_> = mistakes
        .iter()
        .map(|text| {
            let error = refusal(text);
            format!("{error} {error:?} {error:#?}")
        })
        .collect();
    let keys = Keys::parse(&format!("new:{HEX},old:{}", &entry("old")[4..])).unwrap();
    let signed = TokenCodec::signed(&keys);
    shown.push(format!("{keys:?} {keys:#?} {signed:?}"));
    #[cfg(feature = "encryption")]
    {
        let encrypted = TokenCodec::encrypted(&keys);
        let builder = World::new().builder().token_codec(encrypted.clone());
        let sessions = builder.encrypt_records(&keys).build().unwrap();
        shown.push(format!("{encrypted:?} {sessions:?}"));
    }
    assert!(shown.last().unwrap().contains("\"new\""));
    for text in shown {
        for at in 0..HEX.len() - 8 {
            assert!(!text.contains(&HEX[at..at + 8]), "{text}");
        }
        for at in 0..BASE64.len() - 6 {
            assert!(!text.contains(&BASE64[at..at + 6]), "{text}");
        }
        assert!(!text.contains("79, 12, 27"), "{text}");
    }
}

#[test]
fn a_key_in_place_of_the_name_of_its_place_is_not_shown() {
    let url_safe = BASE64.replace('+', "-").replace('/', "_");
    for key in [
        format!("k:{HEX}"),
        format!("k:{BASE64}"),
        format!("new:{HEX},old:{HEX}"),
        format!("k={HEX}"),
        format!("k:{}", &HEX[..20]),
        HEX.to_owned(),
        HEX[1..].to_owned(),
        BASE64.to_owned(),
        format!("/{}", &BASE64[1..]),
        url_safe.trim_end_matches('=').to_owned(),
    ] {
        for (error, place) in [
            (Keys::from_env(&key).unwrap_err(), "variable"),
            (Keys::from_file(&key).unwrap_err(), "file"),
        ] {
            let sentence = format!(
                "it names a {place} and must not hold the key; there is no {place} of this name, which is not shown"
            );
            assert_eq!(error.to_string(), sentence);
            assert_eq!(format!("{error:?}"), sentence);
        }
    }
    // No names of variables, but names.
    for path in [
        "keys",
        "etc/app.d/session-keys",
        "/srv/production/session/keys/of/2026-12-01",
    ] {
        let error = Keys::from_file(path).unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
    }
}

#[test]
fn hostile_texts_are_refused_and_never_panic() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let valid = format!("# keys\n{},k:{BASE64}\nold:{HEX}\n", entry("new"));
    for _ in 0..20_000 {
        let bytes = crate::support::mutate(valid.as_bytes(), &mut random);
        if let Err(error) = Keys::parse(&String::from_utf8_lossy(&bytes)) {
            assert!(error.to_string().len() < 100);
        }
    }
}

#[test]
fn the_environment_has_keys_or_says_which_variable_lacks_them() {
    let error = Keys::from_env("FASTHTTPSESSION_TEST_NO_KEYS").unwrap_err();
    assert!(
        matches!(&error, KeysError::Environment { name } if &**name == "FASTHTTPSESSION_TEST_NO_KEYS")
    );
    // Set by cargo, and no keys.
    let error = Keys::from_env("CARGO_PKG_NAME").unwrap_err();
    assert!(matches!(error, KeysError::Entry { entry: 1, .. }));
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_or_change_is_refused() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let missing = Keys::from_file(&path).unwrap_err();
    assert!(matches!(missing, KeysError::File { .. }));
    assert!(missing.to_string().contains("keys"));
    std::fs::write(&path, format!("{}\n{}\n", entry("new"), entry("old"))).unwrap();
    for (mode, taken) in [
        (0o400, true),
        (0o600, true),
        (0o640, true),
        (0o440, true),
        (0o644, false),
        (0o604, false),
        (0o660, false),
        (0o620, false),
        (0o601, false),
        (0o777, false),
    ] {
        set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        match Keys::from_file(&path) {
            Ok(keys) => {
                assert!(taken && format!("{keys:?}") == format!("{:?}", ring(&["new", "old"])));
            }
            Err(error) => {
                assert!(!taken, "{mode:o} {error}");
                assert!(
                    matches!(error, KeysError::Permissions { mode: found, .. } if found == mode)
                );
            }
        }
    }
}
