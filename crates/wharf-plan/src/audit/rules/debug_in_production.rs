//! Settings of development in a profile for production.

use regex_lite::Regex;

use super::super::files::{Files, Kind, SourceFile};
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "debug-in-production",
    level: Level::High,
    title: "a profile for production has settings of development",
    why: "what helps a developer helps whoever attacks: pages with settings and sources, consoles, \
          debuggers. On the internet they are found within hours",
    fix: "take it out of the profile for production; a dev server's command belongs into a file for \
          development (Procfile.dev, compose.override.yml)",
    sources: &[
        "https://docs.djangoproject.com/en/stable/howto/deployment/checklist/",
        "https://owasp.org/www-project-top-ten/ (A05:2021, security misconfiguration)",
    ],
    page: include_str!("../../../../../docs/audit/debug-in-production.md"),
    check: Check::Files(check),
};

fn check(files: &Files) -> Vec<Hit> {
    let Some(patterns) = Patterns::new() else { return Vec::new() };
    let mut hits = Vec::new();
    for file in files.all.iter().filter(|file| is_production(file) && !file.is_test()) {
        for (number, line) in file.lines() {
            // In a Dockerfile only what runs counts, not what is built with.
            let is_image = file.kind == Kind::Container;
            let runs =
                ["CMD", "ENTRYPOINT", "ENV"].iter().any(|word| line.trim_start().starts_with(word));
            if is_image && !runs {
                continue;
            }
            let found = patterns.setting.find(line).or_else(|| patterns.command.find(line));
            let Some(found) = found else { continue };
            // An image may be one for development; a profile that is called production may not.
            let level =
                if is_image || file.name() == "procfile" { Level::Medium } else { RULE.level };
            let what = format!(
                "`{}` is for development, and {} for production",
                found.as_str().trim(),
                file.path.display()
            );
            hits.push(Hit::new(level, what, RULE.fix).seen(line.trim()).at(&file.path, number));
        }
    }
    hits
}

/// What is wrong in production.
struct Patterns {
    setting: Regex,
    command: Regex,
}

impl Patterns {
    fn new() -> Option<Patterns> {
        let setting = r#"(?i)\b(?:FLASK_DEBUG|DJANGO_DEBUG|APP_DEBUG|DEBUG)\b["']?\s*[=:]\s*["']?(?:true|1|on|yes)\b|\b(?:FLASK_ENV|NODE_ENV|RAILS_ENV|RACK_ENV|APP_ENV|ASPNETCORE_ENVIRONMENT)["']?\s*[=: ]\s*["']?(?:dev|development|local)\b|consider_all_requests_local\s*=\s*true|spring\.h2\.console\.enabled\s*=\s*true|management\.endpoints\.web\.exposure\.include\s*=\s*["']?\*|spring\.devtools\.remote\.secret"#;
        let command = r#"\bmanage\.py["', ]+runserver|\bflask\b.*\s--debug\b|\b(?:npm|pnpm|yarn|bun)["', ]+(?:run["', ]+)?dev\b|\bnext["', ]+dev\b|\bwebpack["', ]+serve\b|\bvite["']?\s*(?:$|["'\]]|--host)|\buvicorn\b.*\s--reload\b|\bphp["', ]+-S\b|--inspect(?:-brk)?(?:=|\b)|-agentlib:jdwp="#;
        Some(Patterns { setting: Regex::new(setting).ok()?, command: Regex::new(command).ok()? })
    }
}

/// Whether a file is one that production is started by.
fn is_production(file: &SourceFile) -> bool {
    let path = file.path.to_string_lossy().to_lowercase();
    let name = file.name();
    let words = || path.split(|c: char| !c.is_ascii_alphanumeric());
    let says = |wanted: &[&str]| words().any(|word| wanted.contains(&word));
    if says(&[
        "dev",
        "development",
        "local",
        "test",
        "example",
        "sample",
        "template",
        "devcontainer",
    ]) {
        return false;
    }
    match file.kind {
        Kind::Container => true,
        Kind::Commands => name == "procfile",
        Kind::Dotenv | Kind::Settings | Kind::Compose | Kind::Python | Kind::Code => {
            says(&["prod", "production"])
        }
        Kind::Package | Kind::Script => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(name: &str, line: &str) -> Option<Level> {
        check(&Files::made(&[(name, line)])).first().map(|hit| hit.level)
    }

    #[test]
    fn profiles_for_production_are_looked_at() {
        for (name, line) in [
            (".env.production", "DEBUG=true"),
            (".env.prod", "NODE_ENV=development"),
            ("shop/settings/production.py", "DEBUG = True"),
            ("docker-compose.prod.yml", "      FLASK_DEBUG: 1"),
            ("docker-compose.prod.yml", "    command: python manage.py runserver 0.0.0.0:8000"),
            ("config/environments/production.rb", "config.consider_all_requests_local = true"),
            ("application-prod.properties", "management.endpoints.web.exposure.include=*"),
        ] {
            assert_eq!(level(name, line), Some(Level::High), "{name}: {line}");
        }
        assert_eq!(level("Dockerfile", "CMD [\"npm\", \"run\", \"dev\"]"), Some(Level::Medium));
        assert_eq!(level("Procfile", "web: python manage.py runserver"), Some(Level::Medium));
    }

    #[test]
    fn what_is_for_development_and_what_is_right_is_not() {
        for (name, line) in [
            (".env", "DEBUG=true"),
            (".env.production.example", "DEBUG=true"),
            ("settings/production.py", "DEBUG = False"),
            ("Procfile.dev", "web: python manage.py runserver"),
            ("Dockerfile.dev", "CMD npm run dev"),
            ("Dockerfile", "RUN npm run dev:build"),
            ("Dockerfile", "CMD [\"npm\", \"start\"]"),
            ("compose.yml", "    command: npm run dev"),
        ] {
            assert_eq!(level(name, line), None, "{name}: {line}");
        }
    }
}
