//! The answer of `wharf clean`: what there is to undo, and what was undone.

use serde::Serialize;
use wharf_model::PathText;
use wharf_model::event::SCHEMA;

use super::printable;
use super::trust::StoreLine;
use crate::choice;
use crate::traces::Traces;

/// What there is, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u32,
    /// Whether it was undone; false with `--dry-run`.
    done: bool,
    instances: Vec<String>,
    /// The daemon's process number.
    daemon: Option<u32>,
    /// The stores of certificates; with what became of them once it is done.
    stores: Vec<PathText>,
    left: Vec<StoreLine>,
    folders: Vec<FolderLine>,
    /// The folder of settings, which stays unless `--settings` is given.
    settings: Option<PathText>,
}

/// One folder.
#[derive(Debug, Serialize)]
struct FolderLine {
    path: PathText,
    what: &'static str,
    bytes: u64,
}

impl Document {
    pub(crate) fn new(traces: &Traces) -> Document {
        let folder = |folder: &crate::traces::Folder| FolderLine {
            path: PathText::new(&folder.path),
            what: folder.what,
            bytes: folder.bytes,
        };
        Document {
            schema: SCHEMA,
            done: false,
            instances: traces.instances.iter().map(choice::short_name).collect(),
            daemon: traces.daemon,
            stores: traces.stores.iter().map(|store| PathText::new(&store.place)).collect(),
            left: Vec::new(),
            folders: traces.folders.iter().map(folder).collect(),
            settings: traces.settings.as_deref().map(PathText::new),
        }
    }

    /// As it was undone, but for the stores that are left.
    pub(crate) fn done(self, left: Vec<StoreLine>) -> Document {
        Document { done: true, left, ..self }
    }

    /// What there is to undo, for people.
    pub(crate) fn list(&self, with_settings: bool) -> String {
        let mut text = String::new();
        for name in &self.instances {
            text.push_str(&format!("ends     {}\n", printable(name)));
        }
        if let Some(pid) = self.daemon {
            text.push_str(&format!("ends     the daemon (pid {pid}), and with it the proxy\n"));
        }
        for store in &self.stores {
            text.push_str(&format!("untrusts the local CA in {}\n", printable(&store.to_string())));
        }
        for FolderLine { path, what, bytes } in &self.folders {
            let size = size(*bytes);
            text.push_str(&format!("deletes  {} ({what}, {size})\n", printable(&path.to_string())));
        }
        if let Some(settings) = &self.settings {
            let settings = printable(&settings.to_string());
            text.push_str(&match with_settings {
                true => format!("deletes  {settings} (your settings)\n"),
                false => {
                    format!("keeps    {settings} (your settings; `--settings` deletes them)\n")
                }
            });
        }
        text
    }

    /// What is left to be typed, and by whom.
    pub(crate) fn left(&self) -> String {
        self.left.iter().map(StoreLine::text).collect()
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}
