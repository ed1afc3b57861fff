//! Where wharf's sockets, database and logs lie: pure rules over the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The bytes of `sockaddr_un.sun_path`, of which the last is the terminating zero.
const SOCKET_PATH_SPACE: usize = 108;

/// What the rules look at. Relative paths are ignored, as the XDG specification demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `XDG_RUNTIME_DIR`
    pub xdg_runtime_dir: Option<OsString>,
    /// `XDG_STATE_HOME`
    pub xdg_state_home: Option<OsString>,
    /// `XDG_DATA_HOME`
    pub xdg_data_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`
    pub xdg_config_home: Option<OsString>,
    /// `HOME`
    pub home: Option<OsString>,
    /// The user database's home folder, for where `HOME` is missing.
    pub home_of_user: Option<PathBuf>,
}

/// Where everything lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The folder of sockets and locks; private.
    pub runtime_dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// The socket of the port server, for what speaks portpicker's protocol.
    pub port_server: PathBuf,
    /// Where a daemon that is replaced gives its listeners to the next one.
    pub handover: PathBuf,
    /// The lock that the one daemon holds for life.
    pub lock: PathBuf,
    /// The lock that whoever starts a daemon holds while doing so.
    pub start_lock: PathBuf,
    /// The folder of what outlives a reboot; private.
    pub state_dir: PathBuf,
    /// The database.
    pub database: PathBuf,
    /// Locked by whoever has the database open; it also names that daemon's socket.
    pub database_lock: PathBuf,
    /// The folder of logs.
    pub logs: PathBuf,
    /// The folder of settings.
    pub config: PathBuf,
    /// The folder of the local certificate authority; private.
    pub ca: PathBuf,
}

/// Why there is no place for wharf's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathsError {
    /// Nothing says where this user's files go.
    #[error("neither HOME nor XDG_STATE_HOME is set, and the user database knows no home folder")]
    NoHome,
    /// The kernel takes at most 107 bytes.
    #[error(
        "the socket path {} has {} bytes, the system takes {}",
        path.display(), path.as_os_str().len(), SOCKET_PATH_SPACE - 1
    )]
    SocketPathTooLong {
        /// The path.
        path: PathBuf,
    },
}

impl Environment {
    /// The environment of this process; `home_of_user` is what the user database says.
    pub fn of_process(home_of_user: Option<PathBuf>) -> Environment {
        Environment {
            xdg_runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            xdg_state_home: std::env::var_os("XDG_STATE_HOME"),
            xdg_data_home: std::env::var_os("XDG_DATA_HOME"),
            xdg_config_home: std::env::var_os("XDG_CONFIG_HOME"),
            home: std::env::var_os("HOME"),
            home_of_user,
        }
    }

    fn home(&self) -> Option<PathBuf> {
        absolute(self.home.as_ref()).or_else(|| self.home_of_user.clone())
    }
}

impl Paths {
    /// The places for this environment.
    ///
    /// # Errors
    /// There is no home, or the socket's path is too long for the system.
    pub fn new(environment: &Environment) -> Result<Paths, PathsError> {
        let home = environment.home();
        let below_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
        let state = absolute(environment.xdg_state_home.as_ref())
            .or_else(|| below_home(".local/state"))
            .ok_or(PathsError::NoHome)?;
        // Without a home it lies beside the database.
        let data = absolute(environment.xdg_data_home.as_ref())
            .or_else(|| below_home(".local/share"))
            .unwrap_or_else(|| state.clone());
        let config = absolute(environment.xdg_config_home.as_ref())
            .or_else(|| below_home(".config"))
            .ok_or(PathsError::NoHome)?;
        let state_dir = state.join("wharf");
        let runtime_dir = match absolute(environment.xdg_runtime_dir.as_ref()) {
            Some(runtime) => runtime.join("wharf"),
            None => state_dir.join("run"),
        };
        let socket = runtime_dir.join("control.sock");
        let port_server = runtime_dir.join("ports.sock");
        if socket.as_os_str().len() >= SOCKET_PATH_SPACE {
            return Err(PathsError::SocketPathTooLong { path: socket });
        }
        Ok(Paths {
            socket,
            port_server,
            handover: runtime_dir.join("handover.sock"),
            lock: runtime_dir.join("daemon.lock"),
            start_lock: runtime_dir.join("start.lock"),
            runtime_dir,
            database: state_dir.join("wharf.db"),
            database_lock: state_dir.join("wharf.db.lock"),
            logs: state_dir.join("logs"),
            state_dir,
            config: config.join("wharf"),
            ca: data.join("wharf/ca"),
        })
    }
}

fn absolute(value: Option<&OsString>) -> Option<PathBuf> {
    let path = Path::new(value?);
    path.is_absolute().then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(runtime: Option<&str>, state: Option<&str>, home: Option<&str>) -> Environment {
        Environment {
            xdg_runtime_dir: runtime.map(OsString::from),
            xdg_state_home: state.map(OsString::from),
            home: home.map(OsString::from),
            ..Environment::default()
        }
    }

    #[test]
    fn the_xdg_folders_are_used_where_they_are_set() {
        let all = environment(Some("/run/user/1000"), Some("/s"), Some("/home/a"));
        let paths = Paths::new(&all).unwrap();
        assert_eq!(paths.socket, Path::new("/run/user/1000/wharf/control.sock"));
        assert_eq!(paths.database, Path::new("/s/wharf/wharf.db"));
        assert_eq!(paths.config, Path::new("/home/a/.config/wharf"));
    }

    #[test]
    fn without_them_everything_is_below_the_home_folder_and_never_in_tmp() {
        let paths = Paths::new(&environment(None, None, Some("/home/a"))).unwrap();
        assert_eq!(paths.socket, Path::new("/home/a/.local/state/wharf/run/control.sock"));
        assert_eq!(paths.logs, Path::new("/home/a/.local/state/wharf/logs"));
    }

    #[test]
    fn the_authority_is_data_and_beside_the_database_where_there_is_no_home() {
        let mut some = environment(None, Some("/s"), Some("/home/a"));
        let ca = |environment: &Environment| Paths::new(environment).unwrap().ca;
        assert_eq!(ca(&some), Path::new("/home/a/.local/share/wharf/ca"));
        some.xdg_data_home = Some("/d".into());
        assert_eq!(ca(&some), Path::new("/d/wharf/ca"));
        let homeless = Environment {
            xdg_config_home: Some("/c".into()),
            ..environment(None, Some("/s"), None)
        };
        assert_eq!(ca(&homeless), Path::new("/s/wharf/ca"));
    }

    #[test]
    fn relative_and_empty_values_count_as_missing() {
        let odd = environment(Some(""), Some("state"), Some("/h"));
        let paths = Paths::new(&odd).unwrap();
        assert_eq!(paths.socket, Path::new("/h/.local/state/wharf/run/control.sock"));
    }

    #[test]
    fn the_user_database_stands_in_for_a_missing_home() {
        let mut bare = environment(None, None, None);
        assert_eq!(Paths::new(&bare), Err(PathsError::NoHome));
        bare.home_of_user = Some("/var/lib/me".into());
        assert_eq!(
            Paths::new(&bare).unwrap().state_dir,
            Path::new("/var/lib/me/.local/state/wharf")
        );
    }

    #[test]
    fn a_socket_path_that_does_not_fit_is_an_error_that_says_so() {
        let rest = "/wharf/control.sock".len();
        let fits = format!("/{}", "r".repeat(SOCKET_PATH_SPACE - 2 - rest));
        let paths = Paths::new(&environment(Some(&fits), None, Some("/h"))).unwrap();
        assert_eq!(paths.socket.as_os_str().len(), 107);
        let error = Paths::new(&environment(Some(&format!("{fits}r")), None, Some("/h")));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("108 bytes, the system takes 107"), "{error}");
    }
}
