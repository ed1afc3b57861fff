//! What is given to each importer, by its tests and by the fuzz targets: any bytes are read or refused.

use std::fs;
use std::path::Path;

use wharf_plan::fronts;
use wharf_plan::project::Project;
use wharf_plan::services;

/// A reader of files that people wrote for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importer {
    Nginx,
    Caddy,
    Procfile,
    Dotenv,
    Compose,
    Package,
    Pyproject,
    Turbo,
    Pnpm,
}

const WORKSPACE: &str = r#"{"name": "shop", "workspaces": ["apps/*"], "packageManager": "pnpm@9.0.0",
    "scripts": {"dev": "turbo run dev"}}"#;
const ALL: &str = r#"{"name": "shop", "scripts": {"dev": "pnpm -r --parallel dev"}}"#;
const APP: &str = r#"{"name": "web", "scripts": {"dev": "vite --port 5199", "build": "tsc"}}"#;

impl Importer {
    /// The file that the bytes become, and the others that lie beside it.
    fn files(self) -> (&'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Importer::Nginx => ("nginx.conf", &[]),
            Importer::Caddy => ("Caddyfile", &[]),
            Importer::Procfile => ("Procfile", &[(".env", "A=1\nPORT=5000\n")]),
            Importer::Dotenv => (".env", &[("Procfile", "web: ./serve $PORT\njob: ./work\n")]),
            Importer::Compose => ("compose.yaml", &[(".env", "TAG=16\n")]),
            Importer::Package => ("package.json", &[("apps/web/package.json", APP)]),
            Importer::Pyproject => ("pyproject.toml", &[("app/main.py", "app = 1\n")]),
            Importer::Turbo => {
                ("turbo.json", &[("package.json", WORKSPACE), ("apps/web/package.json", APP)])
            }
            Importer::Pnpm => {
                ("pnpm-workspace.yaml", &[("package.json", ALL), ("apps/web/package.json", APP)])
            }
        }
    }

    /// Lays the files out that do not change.
    pub(crate) fn prepare(self, dir: &Path) {
        let (_, beside) = self.files();
        for (name, text) in beside {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// Has the bytes read. `dir` has been prepared.
    pub(crate) fn feed(self, dir: &Path, bytes: &[u8]) {
        let path = dir.join(self.files().0);
        match self {
            Importer::Nginx => {
                let text = String::from_utf8_lossy(bytes);
                check(fronts::nginx::of_text(&path, &text));
            }
            Importer::Caddy => {
                let text = String::from_utf8_lossy(bytes);
                check(fronts::caddy::of_text(&path, &text));
            }
            _ => {
                fs::write(&path, bytes).unwrap();
                let project = Project::of(dir, None);
                if let Ok(found) = services::detect(&project, dir) {
                    for service in found.services {
                        assert!(!service.name.is_empty(), "a service without a name");
                    }
                }
            }
        }
    }
}

/// What was read is something that wharf can say.
fn check(front: Result<fronts::Front, wharf_plan::PlanError>) {
    for route in front.iter().flat_map(|front| &front.routes) {
        assert!(route.upstream.port != 0, "{route:?}");
        assert!(route.path.as_ref().is_none_or(|path| path.starts_with('/')), "{route:?}");
        assert!(route.host.as_ref().is_none_or(|host| !host.is_empty()), "{route:?}");
    }
}
