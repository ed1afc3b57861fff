//! Whether containers can be asked about.

use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::{Finding, word};

const AREA: &str = "containers";

pub(super) fn examine() -> Vec<Finding> {
    let found: Vec<Finding> = sockets().into_iter().filter_map(|path| ask(&path)).collect();
    match found.is_empty() {
        true => vec![Finding::good(AREA, "no Docker and no Podman is there")],
        false => found,
    }
}

fn sockets() -> Vec<PathBuf> {
    let named = std::env::var("DOCKER_HOST").ok();
    let named = named.as_deref().and_then(|host| host.strip_prefix("unix://")).map(PathBuf::from);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let rootless =
        runtime.iter().flat_map(|dir| [dir.join("docker.sock"), dir.join("podman/podman.sock")]);
    let mut all: Vec<PathBuf> = named.into_iter().collect();
    all.extend(rootless);
    all.extend(["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from));
    all.dedup();
    all
}

fn ask(socket: &PathBuf) -> Option<Finding> {
    let shown = word(socket);
    Some(match UnixStream::connect(socket) {
        Ok(_) => Finding::good(AREA, format!("the engine at {shown} can be asked")),
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Finding::note(AREA, format!("the engine at {shown} is not yours to ask"))
                .why("ports of containers are known by their numbers alone")
                .mended_by("sudo docker ps")
        }
        Err(error) => Finding::note(AREA, format!("no engine answers at {shown}"))
            .why(error.to_string())
            .mended_by("sudo systemctl start docker"),
    })
}
