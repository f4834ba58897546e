//! Keys for one purpose each, derived from a configured one: what signs, and what encrypts. The only place that knows the
//! cryptographic crates.

#[cfg(feature = "encryption")]
use chacha20poly1305::{XChaCha20Poly1305, aead::AeadInOut as _};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Key;

/// How many bytes a signature has.
const SIGNATURE_BYTES: usize = 32;

impl Key {
    /// HKDF-SHA-256 (RFC 5869) with a salt for this library and an info for each purpose.
    pub(super) fn derive(id: &str, bytes: &[u8; Self::BYTES]) -> Self {
        let source = Hkdf::<Sha256>::new(Some(b"fasthttpsession/1"), bytes);
        let subkey = |purpose: &str| {
            let mut bytes = Zeroizing::new([0; 32]);
            source
                .expand(purpose.as_bytes(), &mut *bytes)
                .expect("HKDF makes up to 8160 bytes");
            bytes
        };
        Self {
            id: id.into(),
            token_signing: Signer(subkey("token signing")),
            #[cfg(feature = "encryption")]
            token_encryption: Cipher::new(&subkey("token encryption")),
            #[cfg(feature = "encryption")]
            record_encryption: Cipher::new(&subkey("record encryption")),
        }
    }
}

/// HMAC-SHA-256 under one key.
pub(crate) struct Signer(Zeroizing<[u8; 32]>);

impl Signer {
    pub(crate) fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.mac(text).finalize().into_bytes().into()
    }

    /// `None` unless `signature` is that of `text`, in a time that does not depend on where they differ.
    pub(crate) fn verify(&self, text: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> Option<()> {
        self.mac(text).verify_slice(signature).ok()
    }

    /// Made anew for each text: what `hmac` keeps of a key is wiped only if every hash in the program is, which costs each
    /// request of those who sign nothing.
    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        mac.chain_update(text)
    }
}

/// XChaCha20-Poly1305 under one key.
#[cfg(feature = "encryption")]
pub(crate) struct Cipher(XChaCha20Poly1305);

#[cfg(feature = "encryption")]
impl Cipher {
    /// How many bytes a nonce has: so many that random ones don't meet (draft-irtf-cfrg-xchacha-03, section 1).
    pub(crate) const NONCE_BYTES: usize = 24;
    /// How many bytes a tag has.
    pub(crate) const TAG_BYTES: usize = 16;

    fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Encrypts `text` where it lies, and returns the tag that vouches for it and for `beside`.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; Self::NONCE_BYTES],
        beside: &[u8],
        text: &mut [u8],
    ) -> [u8; Self::TAG_BYTES] {
        self.0
            .encrypt_inout_detached(nonce.into(), beside, text.into())
            .expect("a text is shorter than 256 GiB")
            .into()
    }

    /// Decrypts `text` where it lies; `None`, and nothing of it decrypted, unless `tag` vouches for it and for `beside`.
    pub(crate) fn open(
        &self,
        nonce: &[u8; Self::NONCE_BYTES],
        beside: &[u8],
        text: &mut [u8],
        tag: &[u8; Self::TAG_BYTES],
    ) -> Option<()> {
        self.0
            .decrypt_inout_detached(nonce.into(), beside, text.into(), tag.into())
            .ok()
    }
}
