//! Files that the program reads instead of the project's own.

use std::path::PathBuf;

use wharf_model::LaunchPlan;
use wharf_model::plan::Values;

use crate::place::Place;
use crate::report::{Code, Report};

/// The files of a plan, in a folder of this instance's own.
pub(super) struct DerivedFiles {
    pub(super) folder: PathBuf,
    written: bool,
}

impl DerivedFiles {
    /// Writes them all into a fresh folder; nothing where the plan has none.
    pub(super) fn write(
        plan: &LaunchPlan,
        place: &Place,
        host: String,
        id: &str,
    ) -> Result<DerivedFiles, Report> {
        if plan.files.is_empty() {
            return Ok(DerivedFiles { folder: PathBuf::new(), written: false });
        }
        let folder = crate::link::derived_folder(id)?;
        let values = Values { host, ports: place.ports(), files: folder.clone() };
        let files = DerivedFiles { folder, written: true };
        for file in &plan.files {
            let path = files.folder.join(&file.name);
            std::fs::write(&path, values.fill_file(file)).map_err(|error| {
                Report::new(Code::Failed, format!("cannot write `{}`", path.display()))
                    .because(&error)
            })?;
        }
        Ok(files)
    }
}

impl Drop for DerivedFiles {
    fn drop(&mut self) {
        if self.written {
            // What cannot be removed is a few kilobytes in the state folder.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
