//! Names of files: made of handles, digests and times only, never of what a client or an application wrote.

use fasthttpsession_core::{Handle, Principal, Timestamp};
use sha2::{Digest, Sha256};

/// The folder of the records.
pub(crate) const SESSIONS: &str = "sessions";
/// The folder of the index by time.
pub(crate) const EXPIRY: &str = "expiry";
/// The folder of the index by principal.
pub(crate) const PRINCIPALS: &str = "principals";
/// How many folders the records are spread over, each with a lock of its own: one for each value of a byte.
pub(crate) const SHARDS: usize = 256;

/// Records whose handles have the same first byte: they share a folder and a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard(pub(crate) u8);

impl Shard {
    pub(crate) fn of(handle: Handle) -> Self {
        Self(handle.as_bytes()[0])
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    pub(crate) fn folder(self) -> String {
        format!("{SESSIONS}/{:02x}", self.0)
    }

    /// What processes lock before they write. It is never replaced, and the entries of the indexes are links to it.
    pub(crate) fn lock(self) -> String {
        format!("{SESSIONS}/{:02x}/lock", self.0)
    }

    /// A record that is being written for the first time. Whoever has the lock has this name.
    pub(crate) fn unfinished(self) -> String {
        format!("{SESSIONS}/{:02x}/new", self.0)
    }
}

/// The file of a record: 32 hexadecimal digits in the folder of its shard.
pub(crate) fn record(handle: Handle) -> String {
    let mut path = String::with_capacity(SESSIONS.len() + 4 + 32);
    path.push_str(SESSIONS);
    path.push('/');
    push_hex(&mut path, &handle.as_bytes()[..1]);
    path.push('/');
    push_hex(&mut path, handle.as_bytes());
    path
}

/// The handle that a name stands for; `None` for a name that is not ours.
pub(crate) fn parse_handle(name: &[u8]) -> Option<Handle> {
    parse_hex(name).map(Handle::from_bytes)
}

/// Sessions that end within the same 16 seconds (2¹⁴ ms): an entry for each lies in one folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(pub(crate) u64);

/// Slots of the same 19 hours (2²⁶ ms): they lie in one folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Era(pub(crate) u64);

impl Slot {
    const BITS: u32 = 14;

    pub(crate) fn of(moment: Timestamp) -> Self {
        Self(moment.as_millis() >> Self::BITS)
    }

    pub(crate) fn era(self) -> Era {
        Era(self.0 >> Era::BITS)
    }

    pub(crate) fn folder(self) -> String {
        format!("{}/{:03x}", self.era().folder(), self.0 & Era::SLOTS)
    }

    pub(crate) fn entry(self, handle: Handle) -> String {
        let mut path = self.folder();
        path.push('/');
        push_hex(&mut path, handle.as_bytes());
        path
    }
}

impl Era {
    const BITS: u32 = 12;
    const SLOTS: u64 = (1 << Self::BITS) - 1;

    pub(crate) fn folder(self) -> String {
        format!("{EXPIRY}/{:x}", self.0)
    }

    /// The era that a name in the index stands for; `None` for a name that is not ours.
    pub(crate) fn parse(name: &[u8]) -> Option<Self> {
        let era = Self(parse_number(name)?);
        (era.folder().as_bytes().ends_with(name) && era.0 <= u64::MAX >> 26).then_some(era)
    }

    /// The slot of this era that a name stands for; `None` for a name that is not ours.
    pub(crate) fn parse_slot(self, name: &[u8]) -> Option<Slot> {
        let number = parse_number(name).filter(|_| name.len() == 3)?;
        Some(Slot(self.0 << Self::BITS | number))
    }
}

/// What the entries of a principal's sessions have in common: the first 16 bytes of SHA-256 over the name. That two
/// principals could share it costs a look at the record, which knows whose it is.
pub(crate) struct Owner {
    folder: String,
    prefix: String,
}

impl Owner {
    pub(crate) fn of(principal: &Principal) -> Self {
        let digest = Sha256::digest(principal.as_str().as_bytes());
        let mut prefix = String::with_capacity(29);
        push_hex(&mut prefix, &digest[2..16]);
        prefix.push('-');
        Self {
            folder: format!("{PRINCIPALS}/{:02x}/{:02x}", digest[0], digest[1]),
            prefix,
        }
    }

    /// One of 65 536 folders that the entries are spread over.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    pub(crate) fn entry(&self, handle: Handle) -> String {
        let mut path = format!("{}/{}", self.folder, self.prefix);
        push_hex(&mut path, handle.as_bytes());
        path
    }

    /// The handle that an entry of this principal names; `None` for another's, and for a name that is not ours.
    pub(crate) fn parse(&self, name: &[u8]) -> Option<Handle> {
        parse_handle(name.strip_prefix(self.prefix.as_bytes())?)
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn parse_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::try_from(parse_number(digits)?).ok()?;
    }
    Some(bytes)
}

/// Lower-case hexadecimal digits, as we write them.
fn parse_number(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let digits = text.iter().all(digit) && (1..=16).contains(&text.len());
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: Handle = Handle::from_bytes(*b"\x00\x0f\xa0sixteen bytes");

    #[test]
    fn names_are_read_back() {
        let name = record(HANDLE);
        assert_eq!(name, "sessions/00/000fa07369787465656e206279746573");
        assert_eq!(parse_handle(&name.as_bytes()[12..]), Some(HANDLE));
        for millis in [
            0,
            1,
            1 << 14,
            (1 << 26) - 1,
            1_800_000_000_000,
            u64::MAX >> 1,
        ] {
            let slot = Slot::of(Timestamp::from_millis(millis));
            let (folder, name) = (slot.era().folder(), slot.folder());
            let era = Era::parse(&folder.as_bytes()[EXPIRY.len() + 1..]);
            assert_eq!(era, Some(slot.era()));
            let slot_again = slot.era().parse_slot(&name.as_bytes()[folder.len() + 1..]);
            assert_eq!(slot_again, Some(slot));
        }
        let owner = Owner::of(&Principal::new("../../etc/passwd").unwrap());
        let entry = owner.entry(HANDLE);
        let name = &entry.as_bytes()[owner.folder().len() + 1..];
        assert_eq!(owner.parse(name), Some(HANDLE));
    }

    #[test]
    fn other_names_are_not_ours() {
        let wrong = [
            "",
            "lock",
            "new",
            ".",
            "..",
            "000FA07369787465656E206279746573",
            "+f",
            "000fa07369787465656e20627974657",
            "000fa07369787465656e2062797465733",
        ];
        for name in wrong {
            assert_eq!(parse_handle(name.as_bytes()), None, "{name}");
            assert_eq!(Era::parse(name.as_bytes()), None, "{name}");
            assert_eq!(Era(1).parse_slot(name.as_bytes()), None, "{name}");
        }
        assert_eq!(Era::parse(b"01"), None);
        let (one, other) = (principal("one"), principal("other"));
        let name = one.entry(HANDLE);
        assert_eq!(
            other.parse(&name.as_bytes()[one.folder().len() + 1..]),
            None
        );
    }

    fn principal(name: &str) -> Owner {
        Owner::of(&Principal::new(name).unwrap())
    }
}
