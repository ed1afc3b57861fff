//! Each rule of the audit has its page, and each page its rule.

use std::collections::BTreeSet;
use std::path::Path;

use wharf_plan::audit;

#[test]
fn rules_and_pages_belong_together() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let list = std::fs::read_to_string(docs.join("audit.md")).unwrap();
    let mut rules = BTreeSet::new();
    for rule in audit::all() {
        assert!(rules.insert(format!("{}.md", rule.id)), "{} is there twice", rule.id);
        let path = docs.join("..").join(rule.link());
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(page, rule.page);
        let title = page.lines().next().unwrap().to_lowercase();
        assert_eq!(title, format!("# {}", rule.title.to_lowercase()));
        let about =
            format!("Rule `{}`, level *{}*, looks at {}", rule.id, rule.level, rule.scope().word());
        assert!(page.contains(&about), "{}: {about}", rule.id);
        assert!(
            list.contains(&format!("[{0}](audit/{0}.md) | {1} |", rule.id, rule.level)),
            "{}",
            rule.id
        );
        for text in [rule.why, rule.fix] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains("  "),
                "{}: {text}",
                rule.id
            );
        }
    }
    let entries = std::fs::read_dir(docs.join("audit")).unwrap().flatten();
    let pages: BTreeSet<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(pages, rules);
}
