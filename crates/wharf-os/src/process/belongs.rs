//! Whose process it is, as its cgroup path tells: a container's, or a service manager's unit.

/// What a process belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Belongs {
    /// A container.
    Container {
        /// `docker`, `podman`, `containerd`, `kubernetes`, `cri-o`, `lxc` or `nspawn`.
        engine: String,
        /// What that engine calls it: 64 hexadecimal digits for most, a name for `lxc` and
        /// `nspawn`.
        id: String,
    },
    /// A systemd unit, with its suffix (`nginx.service`). A user's own units are named alike.
    Unit(String),
}

/// The path of `/proc/PID/cgroup` that counts: version 2, else systemd's version-1 hierarchy.
pub(super) fn path(text: &str) -> Option<&str> {
    let of = |hierarchy: &str| text.lines().find_map(|line| line.strip_prefix(hierarchy));
    of("0::").or_else(|| {
        text.lines().find_map(|line| line.split_once(":name=systemd:")).map(|(_, path)| path)
    })
}

/// Reads the text of `/proc/PID/cgroup`. A container is sought in every hierarchy, since on version
/// 1 systemd's own may not show it; a unit in the one that counts.
pub(super) fn parse(text: &str) -> Option<Belongs> {
    text.lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .find_map(container)
        .or_else(|| unit(path(text)?))
}

/// The innermost container of the path: pods hold containers, which may hold further ones.
fn container(path: &str) -> Option<Belongs> {
    let parts: Vec<&str> = path.split('/').collect();
    for (index, part) in parts.iter().enumerate().rev() {
        let parent = index.checked_sub(1).and_then(|above| parts.get(above)).copied().unwrap_or("");
        let in_pod = parts[..index].iter().any(|above| above.starts_with("kubepods"));
        let Some((engine, id)) = scope(part).or_else(|| folder(part, parent, in_pod)) else {
            continue;
        };
        let engine = if in_pod { "kubernetes" } else { engine };
        return Some(Belongs::Container { engine: engine.to_owned(), id: id.to_owned() });
    }
    None
}

/// With systemd as the cgroup driver: `docker-<id>.scope`.
fn scope(part: &str) -> Option<(&'static str, &str)> {
    if let Some(machine) = part.strip_suffix(".scope").and_then(|s| s.strip_prefix("machine-")) {
        return Some(("nspawn", machine));
    }
    if let Some(name) = part.strip_prefix("lxc.payload.").filter(|name| !name.is_empty()) {
        return Some(("lxc", name));
    }
    let (engine, id) = part.strip_suffix(".scope").unwrap_or(part).rsplit_once('-')?;
    let engine = match engine {
        "docker" => "docker",
        "libpod" => "podman",
        "cri-containerd" | "nerdctl" => "containerd",
        "crio" => "cri-o",
        _ => return None,
    };
    is_id(id).then_some((engine, id))
}

/// With the cgroup driver of the engine itself: `/docker/<id>`.
fn folder<'a>(part: &'a str, parent: &str, in_pod: bool) -> Option<(&'static str, &'a str)> {
    if parent == "lxc" && !part.is_empty() {
        return Some(("lxc", part));
    }
    let engine = match parent {
        "docker" => "docker",
        "libpod_parent" | "podman" => "podman",
        "containerd" | "default" | "k8s.io" => "containerd",
        _ if in_pod => "kubernetes",
        _ => return None,
    };
    is_id(part).then_some((engine, part))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The innermost service, or a scope that a service manager was asked for by name.
fn unit(path: &str) -> Option<Belongs> {
    let of_user = path.split('/').any(|part| part.starts_with("user@"));
    path.rsplit('/').find(|part| is_unit(part, of_user)).map(|part| {
        // A leading underscore keeps names apart from files of the cgroup file system.
        Belongs::Unit(part.strip_prefix('_').unwrap_or(part).to_owned())
    })
}

/// What a desktop puts into units of their own, terminals and programs, is a person's doing and no
/// service: `app-gnome-code-4711.scope`, `vte-spawn-….scope`, `app-org.kde.konsole@1f.service`.
fn is_unit(part: &str, of_user: bool) -> bool {
    if let Some(name) = part.strip_suffix(".service") {
        let desktop = of_user && name.starts_with("app-") && name.contains('@');
        // `user@1000` is the user's own manager.
        return !name.is_empty() && !name.starts_with("user@") && !desktop;
    }
    // `session-3` is a login, `init` the manager itself.
    part.strip_suffix(".scope").is_some_and(|name| {
        let desktop = of_user && (name.starts_with("app-") || name.starts_with("vte-spawn-"));
        !name.is_empty() && !name.starts_with("session-") && name != "init" && !desktop
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "4bba0e8a8bb6d3ae5c3c2fd2b4e9c2a1d0c5f6a7b8c9d0e1f2a3b4c5d6e7f809";

    fn container(engine: &str, id: &str) -> Option<Belongs> {
        Some(Belongs::Container { engine: engine.to_owned(), id: id.to_owned() })
    }

    #[test]
    fn containers_of_each_engine_are_known() {
        let user = "user.slice/user-1000.slice/user@1000.service";
        let cases = [
            (format!("0::/system.slice/docker-{ID}.scope"), "docker"),
            (format!("0::/docker/{ID}"), "docker"),
            (format!("0::/{user}/user.slice/docker-{ID}.scope"), "docker"),
            (format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/"), "docker"),
            (format!("0::/docker/{ID}/init.scope"), "docker"),
            (format!("0::/machine.slice/libpod-{ID}.scope/container"), "podman"),
            (format!("0::/{user}/user.slice/libpod-{ID}.scope"), "podman"),
            (format!("0::/libpod_parent/libpod-{ID}"), "podman"),
            (format!("0::/system.slice/nerdctl-{ID}.scope"), "containerd"),
            (format!("0::/default/{ID}"), "containerd"),
            (format!("0::/system.slice/crio-{ID}.scope"), "cri-o"),
            (format!("0::/kubepods/burstable/pod1f-2a/{ID}"), "kubernetes"),
            (
                format!(
                    "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1f_2a.slice/\
                     cri-containerd-{ID}.scope"
                ),
                "kubernetes",
            ),
            (format!("0::/kubepods.slice/kubepods-pod1f.slice/crio-{ID}.scope"), "kubernetes"),
        ];
        for (text, engine) in cases {
            assert_eq!(parse(&text), container(engine, ID), "{text}");
        }
        assert_eq!(parse("0::/lxc.payload.web/system.slice/ssh.service"), container("lxc", "web"));
        assert_eq!(parse("0::/lxc/web"), container("lxc", "web"));
        let nspawn = "0::/machine.slice/machine-web.scope/payload";
        assert_eq!(parse(nspawn), container("nspawn", "web"));
    }

    #[test]
    fn units_of_the_system_and_of_users_are_known() {
        let user = "0::/user.slice/user-1000.slice/user@1000.service";
        let unit = |name: &str| Some(Belongs::Unit(name.to_owned()));
        let cases = [
            ("0::/system.slice/nginx.service".to_owned(), unit("nginx.service")),
            ("2:pids:/x\n1:name=systemd:/system.slice/a.service".to_owned(), unit("a.service")),
            (
                "0::/system.slice/system-postgresql.slice/postgresql@15-main.service".to_owned(),
                unit("postgresql@15-main.service"),
            ),
            ("0::/system.slice/docker.service".to_owned(), unit("docker.service")),
            ("0::/system.slice/app-a@1.service".to_owned(), unit("app-a@1.service")),
            ("0::/system.slice/run-u12.scope".to_owned(), unit("run-u12.scope")),
            (format!("{user}/app.slice/shop.service"), unit("shop.service")),
            (format!("{user}/app.slice/app-shop.service"), unit("app-shop.service")),
            (format!("{user}/app.slice/shop.service/worker"), unit("shop.service")),
            (format!("{user}/app.slice/app-gnome-code-4711.scope"), None),
            (format!("{user}/app.slice/app-org.kde.konsole@1f.service"), None),
            (format!("{user}/app.slice/vte-spawn-1f.scope"), None),
            (format!("{user}/init.scope"), None),
            ("0::/user.slice/user-1000.slice/session-3.scope".to_owned(), None),
            ("0::/init.scope".to_owned(), None),
            ("0::/".to_owned(), None),
            (String::new(), None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_path_that_counts_is_that_of_version_2() {
        assert_eq!(path("3:cpu:/a\n1:name=systemd:/b\n0::/c"), Some("/c"));
        assert_eq!(path("3:cpu:/a\n1:name=systemd:/b:x"), Some("/b:x"));
        assert_eq!(path("3:cpu:/a"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String) {
            parse(&text);
            path(&text);
        }

        #[test]
        fn any_path_is_read_without_panic(
            text in "0::(/(docker|lxc|kubepods|[0-9a-f]{64}|libpod-|.{0,4})?(.scope)?){0,6}",
        ) {
            parse(&text);
        }
    }
}
