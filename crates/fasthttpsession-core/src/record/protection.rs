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
use super::envelope::{ENCRYPTED, Stored, VERSION};
use crate::error::{Error, Unreadable};
use crate::keys::{Cipher, Key, Keys};
use crate::sessions::Manager;
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
    pub(super) fn takes_unencrypted(&self) -> bool {
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
    pub(super) fn open(
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

impl Manager {
    /// The body of a record, encrypted if that is what was chosen.
    pub(super) fn body(&self, handle: Handle, stored: &Stored) -> Result<Vec<u8>, Error> {
        match &self.protection {
            Protection::None | Protection::Readable(_) => self.unencrypted_body(stored),
            Protection::Encrypted { keys, .. } => self.encrypted_body(keys.first(), handle, stored),
        }
    }

    fn encrypted_body(&self, key: &Key, handle: Handle, stored: &Stored) -> Result<Vec<u8>, Error> {
        const HEAD: [u8; 2] = [VERSION, ENCRYPTED];
        let id = key.id().as_bytes();
        let mut nonce = [0; Cipher::NONCE_BYTES];
        self.generator.fill(&mut nonce)?;
        let added = 1 + id.len() + nonce.len() + Cipher::TAG_BYTES;
        let mut body = Vec::with_capacity(stored.body_len() + added);
        for part in [&HEAD[..], &[short_len(id.len())], id, &nonce] {
            body.extend_from_slice(part);
        }
        let text_at = body.len();
        self.write_contents(stored, &mut body)?;
        let beside = beside(HEAD, id, handle, &stored.header);
        let tag = (key.record_encryption).seal(&nonce, &beside, &mut body[text_at..]);
        body.extend_from_slice(&tag);
        Ok(body)
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
