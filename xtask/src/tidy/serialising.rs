//! What leaves the program as JSON, or comes in, is defined in named places only, so that a document
//! cannot change by accident. `xtask/tidy.toml` names the places.

use super::source::{Source, closing};
use super::{Breach, Tree};

const RULE: &str = "serde";
const TRAITS: [&str; 2] = ["Serialize", "Deserialize"];

/// Checks every file of the workspace.
pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.sources.iter().flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Breach> {
    let code = &source.code;
    let derives = source.find_outside_tests("derive(").filter(|offset| {
        let open = offset + "derive".len();
        let list = closing(code, open).map_or("", |close| &code[open..close]);
        names_one(list)
    });
    let implementations = source.find_outside_tests("impl").filter(|offset| {
        let head = code[*offset..].split(['{', ';']).next().unwrap_or_default();
        head.split_once(" for ").is_some_and(|(of, _)| names_one(of))
    });
    let breach = |offset| {
        let what = "serde belongs to the named boundary files: move the type there, or convert it, \
                    or name this place in xtask/tidy.toml";
        Breach::new(&source.path, source.line(offset), RULE, what)
    };
    derives.chain(implementations).map(breach).collect()
}

fn names_one(text: &str) -> bool {
    TRAITS.iter().any(|name| super::source::find(text, name).next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[("crates/wharf-supervisor/src/a.rs", text)]);
        check(&tree).iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn derived_and_written_out() {
        assert_eq!(lines("\n#[derive(Clone, serde::Serialize)]\nstruct A;"), [2]);
        assert_eq!(lines("#[cfg_attr(x, derive(Deserialize))]\nstruct A;"), [1]);
        assert_eq!(lines("impl<'de> Deserialize<'de> for A {}"), [1]);
    }

    #[test]
    fn bounds_and_tests_are_free() {
        let text = "fn a(x: &impl Serialize) {}\n#[derive(Clone)]\nstruct A;\nimpl Clone for B {}\n\
            #[cfg(test)]\nmod tests { #[derive(Deserialize)] struct C; }";
        assert_eq!(lines(text), [0; 0]);
    }
}
