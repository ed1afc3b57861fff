//! Source maps of the scripts that are served.

use super::super::answers::Question;
use super::super::finding::Hit;
use super::super::level::Level;
use super::super::listener::Listener;
use super::super::rule::{Check, Rule};

pub(super) const RULE: Rule = Rule {
    id: "source-maps-served",
    level: Level::Info,
    title: "source maps are served",
    why: "a source map holds the sources as they were written, comments included. That is what it is for in \
          development; built for production the same setting shows them to everybody",
    fix: "nothing here; look that the build for production writes none, or keeps them apart (build.sourcemap \
          in Vite, productionBrowserSourceMaps in Next.js)",
    sources: &["https://tc39.es/ecma426/"],
    page: include_str!("../../../../../docs/audit/source-maps-served.md"),
    check: Check::Answers(check),
};

fn check(listener: &Listener) -> Option<Hit> {
    let map = listener.answers.to(Question::SourceMap)?;
    if !map.is_good()
        || !map.body.trim_start().starts_with('{')
        || !map.body.contains("\"version\"")
    {
        return None;
    }
    let what = format!("`{}` on {} serves source maps", listener.name(), listener.endpoint());
    Some(Hit::new(Level::Info, what, RULE.fix).seen(format!("GET {} got a source map", map.path)))
}

#[cfg(test)]
mod tests {
    use super::super::made;
    use super::*;

    #[test]
    fn a_map_is_told_by_its_form() {
        let is_told = |body| {
            let mut listener = made::listener("127.0.0.1", 5173);
            made::answer(&mut listener, Question::SourceMap, 200, &[], body);
            check(&listener).is_some()
        };
        assert!(is_told("{\"version\":3,\"sources\":[\"a.ts\"],\"mappings\":\"AAAA\"}"));
        assert!(!is_told("<!doctype html><p>a page for any path</p>"));
    }
}
