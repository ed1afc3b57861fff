//! The control socket: bound where nothing else is, noticed when it is taken away, removed at the end.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something that is not a socket lies there. It is neither followed nor removed.
    #[error("{} is {found}, not a socket", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// The system refuses.
    #[error("cannot listen on {}", path.display())]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The bound socket.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file that was made.
    file: Option<(u64, u64)>,
}

impl ControlSocket {
    /// Binds the path. The caller holds the daemon's lock, so a socket that is still there has no
    /// owner any more and is removed.
    pub(crate) fn bind(path: &Path) -> Result<ControlSocket, SocketError> {
        let failed = |source| SocketError::Bind { path: path.to_owned(), source };
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(ControlSocket { listener, path: path.to_owned(), file: identity(path) })
    }

    /// Whether the path still leads to this socket.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_some() && identity(&self.path) == self.file
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if self.is_in_place() {
            // What stays behind is removed by the next daemon.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn clear(path: &Path) -> Result<(), SocketError> {
    let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
    let kind = metadata.file_type();
    let found = match kind {
        kind if kind.is_socket() => {
            return std::fs::remove_file(path)
                .map_err(|source| SocketError::Bind { path: path.to_owned(), source });
        }
        kind if kind.is_symlink() => "a symbolic link",
        kind if kind.is_dir() => "a folder",
        _ => "a file",
    };
    Err(SocketError::NotASocket { path: path.to_owned(), found })
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.symlink_metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
