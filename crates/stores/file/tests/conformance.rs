//! The suite that every store passes, with two stores open on one folder, as two processes have it.

use std::path::{Path, PathBuf};

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_core::Handle;
use fasthttpsession_file::{FileConfig, FileStore};

fasthttpsession_conformance::store_tests!(async || {
    let folder = tempfile::tempdir().expect("the system has a place for temporary files");
    let path = folder.path().to_owned();
    let plant = {
        let path = path.clone();
        move |handle, bytes| {
            let file = file_of(&path, handle);
            async move { std::fs::write(file, bytes).expect("the folder takes files") }
        }
    };
    let read = {
        let path = path.clone();
        move |handle| {
            let file = file_of(&path, handle);
            async move { std::fs::read(file).ok() }
        }
    };
    Subject::new(open(&path).await)
        .second_client(open(&path).await)
        .raw(plant, read)
        .body_limit(
            FileStore::MAX_RECORD_BYTES - 600,
            FileStore::MAX_RECORD_BYTES,
        )
        .expires_when_told()
        .keeping(folder)
});

async fn open(path: &Path) -> FileStore {
    let config = FileConfig::new(path).migrate(true);
    config.open().await.expect("the folder is new")
}

fn file_of(folder: &Path, handle: Handle) -> PathBuf {
    let digits = handle.as_bytes().map(|byte| format!("{byte:02x}"));
    folder
        .join("sessions")
        .join(&digits[0])
        .join(digits.concat())
}
