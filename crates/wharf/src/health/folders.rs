//! The folders of sockets, of what is remembered, and of the local CA.

use std::path::Path;

use wharf_os::private_dir::{self, PrivateDirError};

use super::{Finding, Mend};
use crate::link;

const AREA: &str = "folders";

pub(super) fn examine() -> Vec<Finding> {
    let paths = match link::paths() {
        Ok(paths) => paths,
        Err(report) => return vec![Finding::of_report(AREA, &report)],
    };
    let troubles: Vec<Finding> =
        [&paths.runtime_dir, &paths.state_dir].into_iter().filter_map(|dir| judge(dir)).collect();
    if !troubles.is_empty() {
        return troubles;
    }
    let (sockets, state) = (paths.runtime_dir.display(), paths.state_dir.display());
    vec![Finding::good(
        AREA,
        format!("sockets in {sockets}, the rest in {state}, both yours alone"),
    )]
}

fn judge(dir: &Path) -> Option<Finding> {
    let error = private_dir::ensure(dir).err()?;
    let mut why = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        why.push_str(&format!(": {source}"));
    }
    let trouble = Finding::trouble(AREA, "wharf cannot keep private files").why(why);
    let shown = crate::health::word(dir);
    Some(match error {
        PrivateDirError::Permissions { path, .. } => {
            trouble.mended_by(format!("chmod 0700 {shown}")).mending(Mend::Close(path))
        }
        PrivateDirError::Symlink { .. } | PrivateDirError::NotFolder { .. } => {
            trouble.mended_by(format!("mv {shown} {shown}.aside"))
        }
        PrivateDirError::Owner { .. } => {
            trouble.mended_by(format!("sudo mv {shown} {shown}.aside"))
        }
        PrivateDirError::Relative { .. }
        | PrivateDirError::Create { .. }
        | PrivateDirError::Open { .. } => trouble
            .why("HOME or XDG_RUNTIME_DIR and XDG_STATE_HOME must name folders that you may write"),
    })
}
