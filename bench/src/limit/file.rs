//! Bare files: read, and written anew under another name that is then changed, on threads that may wait.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fasthttpsession::{Handle, Record};
use tokio::task::spawn_blocking;

use super::bare::Bare;

/// A file per session, in folders by the first byte of its handle.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes the folders where the URL says.
    pub fn at(url: &str) -> Result<Self> {
        let folder = Path::new(url.trim_start_matches("file:"));
        for first in 0..=u8::MAX {
            fs::create_dir_all(folder.join(format!("{first:02x}")))?;
        }
        Ok(Self(folder.to_owned()))
    }

    fn file(&self, handle: Handle) -> PathBuf {
        let first = format!("{:02x}", handle.as_bytes()[0]);
        self.0.join(first).join(handle.to_string())
    }
}

impl Bare for Folder {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.replace(handle, 0, record).await
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        let file = self.file(handle);
        std::hint::black_box(spawn_blocking(move || fs::read(file)).await??);
        Ok(())
    }

    async fn replace(&self, handle: Handle, _: u64, record: &Record) -> Result<()> {
        let (file, bytes) = (self.file(handle), record.to_bytes());
        let write = move || {
            let new = file.with_extension("new");
            fs::write(&new, bytes)?;
            fs::rename(new, file)
        };
        Ok(spawn_blocking(write).await??)
    }
}
