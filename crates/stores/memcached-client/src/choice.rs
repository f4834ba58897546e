//! Which server holds a key: rendezvous hashing (Thaler and Ravishankar, 1998).
//!
//! Each server gets a number for the key, and the highest wins. A server that leaves the list takes only its own keys
//! with it; one that joins takes an equal part from each. Nothing has to be prepared, and the order of the list plays
//! no role.
//!
//! The number is FNV-1a, 64 bits, over the server's address as text, a zero byte and the key; then mixed by the
//! finalizer of `MurmurHash3`, because FNV-1a alone leaves the high bits too much alike. Of equal numbers the first in
//! the list wins.

use crate::address::Address;

/// The place of the server that holds `key` in `names`, which has at least one.
pub(crate) fn choose(names: &[Box<str>], key: &str) -> usize {
    let rated = names.iter().map(|name| rate(name, key)).enumerate();
    rated
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map_or(0, |(place, _)| place)
}

/// A server's name in [`choose`].
pub(crate) fn name(address: &Address) -> Box<str> {
    address.to_string().into()
}

/// Spreads keys evenly over `parts`, which is at least 1, whatever server they are on.
pub(crate) fn spread(key: &str, parts: usize) -> usize {
    let part = rate("", key) % (parts.max(1) as u64);
    usize::try_from(part).expect("it is less than a usize")
}

fn rate(name: &str, key: &str) -> u64 {
    mix(fnv1a(name.bytes().chain([0]).chain(key.bytes())))
}

fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn mix(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<Box<str>> {
        (1..=count)
            .map(|n| format!("10.0.0.{n}:11211").into())
            .collect()
    }

    fn keys() -> impl Iterator<Item = String> {
        (0..20_000).map(|n| format!("session:{n}"))
    }

    #[test]
    fn hashes_are_those_of_the_papers() {
        assert_eq!(fnv1a("".bytes()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar".bytes()), 0x8594_4171_f739_67e8);
        assert_eq!(mix(1), 0xb456_bcfc_34c2_cb2c);
    }

    /// They decide where the sessions of running services are: they may never change.
    #[test]
    fn a_key_stays_on_its_server_from_version_to_version() {
        let names = ["10.0.0.1:11211", "[::1]:11211", "/run/memcached.sock"].map(Into::into);
        let chosen: String = keys()
            .take(32)
            .map(|key| char::from(b'0' + u8::try_from(choose(&names, &key)).expect("one of 3")))
            .collect();
        assert_eq!(chosen, "21202020101122020121112000010210");
        assert_eq!(rate("10.0.0.1:11211", "session:0"), 0x41c3_36b1_786d_a0dc);
    }

    #[test]
    fn every_server_holds_about_as_many_keys() {
        for servers in [2, 3, 7, 20] {
            let (names, mut held) = (names(servers), vec![0.0; servers]);
            for key in keys() {
                held[choose(&names, &key)] += 1.0;
            }
            let fair = 20_000.0 / f64::from(u32::try_from(servers).expect("few"));
            for share in held {
                let apart: f64 = (share - fair) / fair;
                assert!(apart.abs() < 0.12, "of {servers}, one holds {share}");
            }
        }
    }

    #[test]
    fn the_order_of_the_list_plays_no_role() {
        let (names, mut turned) = (names(5), names(5));
        turned.reverse();
        assert!(keys().all(|key| names[choose(&names, &key)] == turned[choose(&turned, &key)]));
    }

    #[test]
    fn a_server_that_leaves_takes_only_its_own_keys_with_it() {
        let (all, left) = (names(5), names(4));
        let moved = keys().filter(|key| {
            let before = choose(&all, key);
            let moved = all[before] != left[choose(&left, key)];
            assert!(
                !moved || before == 4,
                "{key} moved although its server stays"
            );
            moved
        });
        let moved = moved.count();
        assert!(
            (3_500..4_500).contains(&moved),
            "a fifth moves, not {moved}"
        );
    }

    #[test]
    fn keys_of_one_server_take_all_its_connections() {
        let names = names(3);
        let mut taken = [0; 4];
        for key in keys().filter(|key| choose(&names, key) == 1) {
            taken[spread(&key, 4)] += 1;
        }
        assert!(
            taken.iter().all(|taken| (1_400..1_900).contains(taken)),
            "{taken:?}"
        );
    }
}
