//! A folder of this process's own, in memory where there is such a place.

use std::cell::OnceCell;

use super::importers::Importer;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

/// Has the bytes read by the importer of this target.
pub fn feed(importer: Importer, bytes: &[u8]) {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            let folder = folder.expect("a folder for files");
            importer.prepare(folder.path());
            folder
        });
        importer.feed(folder.path(), bytes);
    });
}
