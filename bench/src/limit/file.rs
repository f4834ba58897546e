//! Bare files: read, and written over what is there, on the thread that asks.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fasthttpsession::{Handle, Record};

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
        Ok(fs::write(self.file(handle), record.to_bytes())?)
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        std::hint::black_box(fs::read(self.file(handle))?);
        Ok(())
    }

    async fn replace(&self, handle: Handle, _: u64, record: &Record) -> Result<()> {
        let mut file = OpenOptions::new().write(true).open(self.file(handle))?;
        // All records are as long.
        Ok(file.write_all(&record.to_bytes())?)
    }
}
