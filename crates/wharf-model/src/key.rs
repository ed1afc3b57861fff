//! Who a lease belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::focus;
use crate::path_text::PathText;

/// The owner of a remembered port: one instance of one service in one worktree of one project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServiceKey {
    /// The root of the project's main checkout.
    pub project: PathText,
    /// The linked worktree's name; empty for the main checkout.
    pub worktree: String,
    /// The service, such as `web`.
    pub service: String,
    /// The instance, from 1.
    pub instance: u32,
}

impl ServiceKey {
    /// Whether this is the main checkout's, which alone may claim the conventional port.
    pub fn is_main_checkout(&self) -> bool {
        self.worktree.is_empty()
    }

    /// The last component of the project's path, for people.
    pub fn project_name(&self) -> String {
        let path = self.project.to_path();
        match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => "root".to_owned(),
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if focus::is_focus(&self.project) {
            return f.write_str("`wharf focus`");
        }
        write!(f, "{}", self.service)?;
        if self.instance != 1 {
            write!(f, "#{}", self.instance)?;
        }
        write!(f, " of {}", self.project_name())?;
        if !self.worktree.is_empty() {
            write!(f, " (worktree {})", self.worktree)?;
        }
        Ok(())
    }
}
