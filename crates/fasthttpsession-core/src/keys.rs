//! The keys that sign and encrypt: a ring of them, read from a file or the environment, of which the first writes.

mod parse;
mod subkey;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

pub(crate) use self::parse::may_be_keys;
#[cfg(feature = "encryption")]
pub(crate) use self::subkey::Cipher;
pub(crate) use self::subkey::Signer;

/// Keys, each with an id. The first signs and encrypts; all of them verify and decrypt, each what names its id.
///
/// # Where they come from
///
/// One key an entry, `id:key`; entries are separated by line ends or commas. An id is 1 to 32 letters, digits, `-` or `_`,
/// and may be seen by anybody. A key is 32 bytes from a random generator, as 64 hexadecimal digits or as base64 (with `+/`
/// or `-_`, padded or not). Empty lines, and lines that begin with `#`, don't count.
///
/// ```text
/// # echo "2026-11:$(openssl rand -base64 32)"
/// 2026-11:WYcVg9v2FPqJUGQQCSbUcXRWBVTrJTTsYWJNXRwOuBo=
/// 2026-05:4f0c1b7e6a3d8f2295b0e4c7d1a86f3e5b9c20d7f4e81a6c3d5b7f9012e4a6c8
/// ```
///
/// ```no_run
/// use fasthttpsession_core::{Keys, Sessions, TokenCodec};
///
/// # fn example(store: impl fasthttpsession_core::Store) -> Result<(), Box<dyn std::error::Error>> {
/// let keys = Keys::from_file("/etc/app/session-keys")?; // or Keys::from_env("SESSION_KEYS")?
/// let sessions = Sessions::builder(store)
///     .token_codec(TokenCodec::signed(&keys))
///     .build()?;
/// # Ok(()) }
/// ```
///
/// # Changing keys under live traffic
///
/// 1. Add the new key *at the end*, on one process after the other: it is read, but not written with.
/// 2. When all of them have been started with it, move it *to the front*, on one after the other: from now on it writes.
/// 3. Remove the old one when nothing written with it is left, at the latest after the longest absolute lifetime. A token
///    of a removed key is unknown, and its user has to sign in; a record of a removed key can't be read
///    ([`Unreadable::UnknownKey`]), and is there again once the key is.
///
/// Keys are read when [`Sessions`](crate::Sessions) is built, so each step is a restart; a mounted file that has changed is
/// none. Where processes are restarted without your doing, as pods are, each step has a file (a `Secret`) of its own name:
/// one that is restarted in the middle must not be a step ahead. Back from 2 is 1, never a ring without the new key.
///
/// **A key that has leaked** opens no session, for a token needs its secret, too. With it, tokens can be made up that reach the
/// store; and where *records* are encrypted, whoever reads the database can read them, and whoever writes to it can write
/// records of their own. So take the same steps without a delay between them: a key that is removed before the next one is on
/// every process signs users out at random. After the third, the users of its tokens sign in again, and the records that it
/// encrypted answer [`Error::Unreadable`] (500) until they expire; [`Sessions::end`] ends one without reading it. Where
/// somebody may have written to the database, end all sessions, as the guide's page on operations does.
///
/// # What is done with them
///
/// No key is used itself. From each, HKDF-SHA-256 (RFC 5869) derives one for each purpose: to sign tokens and, with
/// the feature `encryption`, to encrypt tokens and to encrypt records. So one ring serves all of them. They are wiped from
/// memory when dropped, as are the bytes they were read from, and are printed by nothing: `Debug` shows ids.
///
/// [`Unreadable::UnknownKey`]: crate::Unreadable::UnknownKey
/// [`Error::Unreadable`]: crate::Error::Unreadable
/// [`Sessions::end`]: crate::Sessions::end
#[derive(Clone)]
pub struct Keys(Arc<[Key]>);

impl Keys {
    /// Reads keys from text, in the format [above](Self#where-they-come-from).
    ///
    /// # Errors
    /// The first thing that is wrong with it, by the number of its entry; never a part of the text.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        parse::parse(text).map(|keys| Self(keys.into()))
    }

    /// Reads keys from a file.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse), [`KeysError::File`] when it can't be read, and on Unix
    /// [`KeysError::Permissions`] when others than its owner and its group may read it, or others than its owner may write
    /// it: it has at most the mode 640. [`KeysError::InPlaceOfName`] when there is no such file, and `path` may be a key.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        let path = path.as_ref();
        let failed = |reason: io::Error| match path.to_str() {
            Some(name) if may_be_keys(name) => KeysError::InPlaceOfName { place: "file" },
            _ => KeysError::File {
                path: path.to_owned(),
                reason: Arc::new(reason),
            },
        };
        let mut file = std::fs::File::open(path).map_err(failed)?;
        check_permissions(&file.metadata().map_err(failed)?, path)?;
        // With room for any key ring, so that no copy is left behind while it grows.
        let mut text = Zeroizing::new(String::with_capacity(64 * 1024));
        io::Read::read_to_string(&mut file, &mut text).map_err(failed)?;
        Self::parse(&text)
    }

    /// Reads keys from a variable of the environment. It stays there, for whoever can read the environment of the
    /// process; a file is the better place.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse), and [`KeysError::Environment`] when there is no such variable, or
    /// [`KeysError::InPlaceOfName`] when it does not look like the name of one either, and may be a key.
    pub fn from_env(name: &str) -> Result<Self, KeysError> {
        let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = name.bytes().all(is_of_names) && !may_be_keys(name);
        let text = std::env::var(name).map_err(|_| {
            if is_name {
                KeysError::Environment { name: name.into() }
            } else {
                KeysError::InPlaceOfName { place: "variable" }
            }
        })?;
        Self::parse(&Zeroizing::new(text))
    }

    /// The key that signs and encrypts.
    pub(crate) fn first(&self) -> &Key {
        &self.0[0]
    }

    /// The key of this id, to verify and decrypt.
    pub(crate) fn named(&self, id: &[u8]) -> Option<&Key> {
        self.0.iter().find(|key| key.id.as_bytes() == id)
    }
}

impl fmt::Debug for Keys {
    /// The ids; never a key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|key| &key.id))
            .finish()
    }
}

/// One configured key, as those derived from it.
pub(crate) struct Key {
    id: Box<str>,
    pub(crate) token_signing: Signer,
    #[cfg(feature = "encryption")]
    pub(crate) token_encryption: Cipher,
    #[cfg(feature = "encryption")]
    pub(crate) record_encryption: Cipher,
}

impl Key {
    pub(crate) const MAX_ID_BYTES: usize = 32;
    /// How many bytes a configured key has.
    const BYTES: usize = 32;

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether `id` could be that of a key.
    pub(crate) fn is_id(id: &[u8]) -> bool {
        let is_id_char = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        (1..=Self::MAX_ID_BYTES).contains(&id.len()) && id.iter().all(is_id_char)
    }
}

/// Why there are no [`Keys`]. Never shows any part of a key, nor of a text that may hold one.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum KeysError {
    /// There is not one key.
    #[error("there is no key")]
    Empty,
    /// An entry is not `id:key`.
    #[error("entry {entry} of the keys: {reason}")]
    Entry {
        /// Which one, from 1; comments and empty lines don't count.
        entry: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file can't be read.
    #[error("the keys in {} can't be read: {reason}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the operating system said.
        reason: Arc<io::Error>,
    },
    /// Too many may read or write the file.
    #[error("the keys in {} are open to others (mode {mode:o}); it may have 640 at most", path.display())]
    Permissions {
        /// Its path.
        path: PathBuf,
        /// The bits of its mode.
        mode: u32,
    },
    /// There is no such variable, or it is not UTF-8.
    #[error("the environment has no keys in {name}")]
    Environment {
        /// The variable.
        name: Box<str>,
    },
    /// What should name a file or a variable may be a key, and there is none of that name.
    #[error(
        "it names a {place} and must not hold the key; there is no {place} of this name, which is not shown"
    )]
    InPlaceOfName {
        /// What it should name: "file" or "variable".
        place: &'static str,
    },
}

impl fmt::Debug for KeysError {
    /// The sentence: `main` prints its error so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(unix)]
fn check_permissions(file: &std::fs::Metadata, path: &Path) -> Result<(), KeysError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.permissions().mode() & 0o777;
    if mode & 0o027 == 0 {
        return Ok(());
    }
    Err(KeysError::Permissions {
        path: path.to_owned(),
        mode,
    })
}

#[cfg(not(unix))]
fn check_permissions(_: &std::fs::Metadata, _: &Path) -> Result<(), KeysError> {
    Ok(())
}
