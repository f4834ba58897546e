//! Encryption of records at rest: what is between the head of an envelope and the store.
//!
//! | bytes | |
//! | --- | --- |
//! | 1 | envelope version, 1 |
//! | 1 | protection: 1, XChaCha20-Poly1305 |
//! | 1 + … | the id of the key: its length, then it |
//! | 24 | a random nonce |
//! | … | encrypted: what stands behind the protection in an envelope without one |
//! | 16 | the tag |
//!
//! The tag also vouches for what stands before the nonce, for the handle, and for these fields of the header: version,
//! `created_at`, `absolute_deadline`, principal, label. Not for `idle_deadline`, which a touch moves without the body.

use bytes::Bytes;
use smallvec::SmallVec;

use super::Header;
use crate::error::{Error, Unreadable};
use crate::keys::{Key, Keys, NONCE_BYTES, TAG_BYTES};
use crate::random::Generator;
use crate::token::Handle;
use crate::wire::{Reader, short_len};

/// Whether bodies are encrypted, and what else is read.
#[derive(Clone)]
pub(crate) enum Protection {
    /// Neither written nor read encrypted.
    None,
    /// Written as they are, read either way.
    Readable(Keys),
    /// Written encrypted.
    Encrypted { keys: Keys, unencrypted_too: bool },
}

impl Protection {
    /// The key to encrypt with, if that is what was chosen.
    pub(crate) fn key(&self) -> Option<&Key> {
        match self {
            Self::Encrypted { keys, .. } => Some(keys.first()),
            Self::None | Self::Readable(_) => None,
        }
    }

    pub(crate) fn takes_unencrypted(&self) -> bool {
        match self {
            Self::None | Self::Readable(_) => true,
            Self::Encrypted {
                unencrypted_too, ..
            } => *unencrypted_too,
        }
    }

    fn named(&self, id: &[u8]) -> Option<&Key> {
        match self {
            Self::None => None,
            Self::Readable(keys) | Self::Encrypted { keys, .. } => keys.named(id),
        }
    }

    /// What is in an encrypted body: `sealed` is what stands behind its `head`.
    pub(crate) fn open(
        &self,
        handle: Handle,
        header: &Header,
        head: [u8; 2],
        sealed: &[u8],
    ) -> Result<Bytes, Unreadable> {
        let mut reader = Reader::new(sealed);
        let malformed = Unreadable::Malformed {
            at: "the encryption",
        };
        let id = reader.byte().and_then(|len| reader.take(usize::from(len)));
        let id = id.filter(|id| Key::is_id(id)).ok_or(malformed.clone())?;
        let key = self.named(id).ok_or_else(|| Unreadable::UnknownKey {
            id: String::from_utf8_lossy(id).into(),
        })?;
        let nonce = reader.array().ok_or(malformed.clone())?;
        let (text, tag) = reader.rest().split_last_chunk().ok_or(malformed)?;
        let mut text = text.to_vec();
        let beside = beside(head, id, handle, header);
        (key.record_encryption)
            .open(&nonce, &beside, &mut text, tag)
            .ok_or(Unreadable::Changed)?;
        Ok(text.into())
    }
}

/// A body that is being written and will be encrypted.
pub(crate) struct Sealing<'a> {
    key: &'a Key,
    nonce: [u8; NONCE_BYTES],
    head: [u8; 2],
}

impl<'a> Sealing<'a> {
    /// Begins to write a body that has nothing but the two bytes of its head.
    pub(crate) fn begin(
        key: &'a Key,
        generator: &Generator,
        head: [u8; 2],
        body: &mut Vec<u8>,
    ) -> Result<Self, Error> {
        let mut nonce = [0; NONCE_BYTES];
        generator.fill(&mut nonce)?;
        body.push(short_len(key.id().len()));
        body.extend_from_slice(key.id().as_bytes());
        body.extend_from_slice(&nonce);
        Ok(Self { key, nonce, head })
    }

    /// Encrypts all that was written since.
    pub(crate) fn finish(self, handle: Handle, header: &Header, body: &mut Vec<u8>) {
        let id = self.key.id().as_bytes();
        let text = &mut body[self.head.len() + 1 + id.len() + NONCE_BYTES..];
        let beside = beside(self.head, id, handle, header);
        let tag = (self.key.record_encryption).seal(&self.nonce, &beside, text);
        body.extend_from_slice(&tag);
    }

    /// How many bytes a body has more when it is encrypted with `key`.
    pub(crate) fn added_bytes(key: &Key) -> usize {
        1 + key.id().len() + NONCE_BYTES + TAG_BYTES
    }
}

/// What a tag vouches for beside the text. Each part has a fixed length or its length before it, so that no two headers
/// look the same.
fn beside(head: [u8; 2], id: &[u8], handle: Handle, header: &Header) -> SmallVec<[u8; 256]> {
    let Header {
        version,
        created_at,
        idle_deadline: _,
        absolute_deadline,
        principal,
        label,
    } = header;
    let mut beside = SmallVec::new();
    beside.extend_from_slice(&head);
    beside.extend_from_slice(handle.as_bytes());
    for number in [
        *version,
        created_at.as_millis(),
        absolute_deadline.as_millis(),
    ] {
        beside.extend_from_slice(&number.to_le_bytes());
    }
    // Nothing and an empty text need not be told apart, for there is no empty principal and no empty label.
    let principal = principal
        .as_ref()
        .map_or("", |principal| principal.as_str());
    let label = label.as_ref().map_or("", |label| label.as_str());
    for text in [id, principal.as_bytes(), label.as_bytes()] {
        beside.push(short_len(text.len()));
        beside.extend_from_slice(text);
    }
    beside
}
