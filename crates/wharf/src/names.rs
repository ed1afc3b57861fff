//! What the proxy is to know of a plan.

use std::fs;
use std::path::Path;

use wharf_model::plan::Arg;
use wharf_model::{LaunchPlan, route::OriginForm};

/// Servers that take the scheme out of `X-Forwarded-Proto` by themselves, so that what runs in them knows
/// of https and compares `Origin` with that: Rack, and with it all of Ruby's (Rack 3, `Request#scheme`);
/// uvicorn and gunicorn, from a proxy on this machine (`--forwarded-allow-ips`).
const FORWARDED: [&str; 8] =
    ["fastapi-cli", "gunicorn", "puma", "rackup", "rails", "sinatra", "uvicorn", "webrick"];

/// The flag by which such a server stops doing so.
const NOT_FORWARDED: &str = "--no-proxy-headers";

/// What has Django do so, in any server.
const DJANGO: &str = "SECURE_PROXY_SSL_HEADER";

/// In which form the server wants to hear of `https`.
pub(crate) fn origin_form(plan: &LaunchPlan) -> OriginForm {
    let by_itself = plan.framework.as_ref().is_some_and(|one| FORWARDED.contains(&one.id))
        && !plan.argv.iter().any(is_flag);
    match by_itself || django_reads_it(&plan.dir) {
        true => OriginForm::Forwarded,
        false => OriginForm::Plain,
    }
}

fn is_flag(word: &Arg) -> bool {
    match word {
        Arg::Given(word) => word == NOT_FORWARDED,
        Arg::Template(word) => word.contains(NOT_FORWARDED),
    }
}

/// Whether a Django project says so for every environment: what is indented depends on something.
fn django_reads_it(dir: &Path) -> bool {
    let folders = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let says = |folder: &Path| {
        fs::read_to_string(folder.join("settings.py"))
            .is_ok_and(|text| text.lines().any(|line| line.starts_with(DJANGO)))
    };
    dir.join("manage.py").is_file() && folders.into_iter().any(|folder| says(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn django_says_it_in_its_settings_and_not_in_a_branch() {
        let dir = tempfile::tempdir().unwrap();
        let (manage, site) = (dir.path().join("manage.py"), dir.path().join("shop"));
        fs::write(manage, "").unwrap();
        fs::create_dir(&site).unwrap();
        for (settings, expected) in [
            ("SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'https')\n", true),
            ("if not DEBUG:\n    SECURE_PROXY_SSL_HEADER = ('X', 'https')\n", false),
            ("# SECURE_PROXY_SSL_HEADER = ('X', 'https')\n", false),
            ("DEBUG = True\n", false),
        ] {
            fs::write(site.join("settings.py"), settings).unwrap();
            assert_eq!(django_reads_it(dir.path()), expected, "{settings}");
        }
    }
}
