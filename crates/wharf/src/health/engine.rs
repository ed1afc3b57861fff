//! Whether containers can be asked about.

use super::{Finding, word};
use crate::engine::{self, Engines};

const AREA: &str = "containers";

/// Asked as `wharf who` and `wharf free` ask.
pub(super) fn examine() -> Vec<Finding> {
    let there = engine::sockets();
    if there.is_empty() {
        return vec![Finding::good(AREA, "no Docker and no Podman is there")];
    }
    let found = crate::cli::block_on(Engines::ask()).unwrap_or_default();
    let one = |(engine, socket): (&'static str, std::path::PathBuf)| {
        let shown = word(&socket);
        match found.silent.iter().find(|(silent, _)| *silent == socket) {
            // Its file outlives an engine, which is nobody's trouble.
            None if std::os::unix::net::UnixStream::connect(&socket).is_err() => {
                Finding::good(AREA, format!("{engine} does not run ({shown})"))
            }
            None => Finding::good(AREA, format!("{engine} answers at {shown}")),
            Some((_, why)) => Finding::note(AREA, format!("{engine} at {shown} tells nothing"))
                .why(why.clone())
                .why("ports of containers are known by their numbers alone")
                .mended_by(format!("sudo {engine} ps")),
        }
    };
    there.into_iter().map(one).collect()
}
