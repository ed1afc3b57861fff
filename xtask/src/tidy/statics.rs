//! No globals with state: what a function needs is among its arguments.

use super::source::Source;
use super::{Breach, Tree};

const RULE: &str = "globals";

/// Types that make a `static` change.
const STATE: &[&str] = &[
    "OnceLock",
    "OnceCell",
    "LazyLock",
    "LazyCell",
    "Lazy",
    "Mutex",
    "RwLock",
    "RefCell",
    "Cell",
    "UnsafeCell",
    "Once",
    "AtomicBool",
    "AtomicI32",
    "AtomicI64",
    "AtomicIsize",
    "AtomicPtr",
    "AtomicU8",
    "AtomicU16",
    "AtomicU32",
    "AtomicU64",
    "AtomicUsize",
];

/// Checks every file of the workspace, outside tests.
pub fn check(tree: &Tree) -> Vec<Breach> {
    tree.sources.iter().flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Breach> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for word in ["thread_local!", "lazy_static", "static mut"] {
        found.extend(source.find_outside_tests(word).map(|offset| (offset, word.to_owned())));
    }
    for offset in source.find_outside_tests("static") {
        // `&'static str` and `T: 'static` are no items.
        if source.code[..offset].ends_with('\'') {
            continue;
        }
        let item = source.code[offset..].split(['=', ';']).next().unwrap_or_default();
        let holds = |name: &&&str| super::source::find(item, name).next().is_some();
        if let Some(name) = STATE.iter().find(holds) {
            found.push((offset, format!("static …: {name}")));
        }
    }
    let breach = |(offset, name)| {
        let what = format!("`{name}` is a global with state: hand it on as an argument");
        Breach::new(&source.path, source.line(offset), RULE, what)
    };
    found.into_iter().map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        let tree = Tree::of(&[("crates/wharf/src/a.rs", text)]);
        check(&tree).iter().map(|breach| breach.line).collect()
    }

    #[test]
    fn every_global_with_state_bites() {
        assert_eq!(lines("\nstatic A: OnceLock<u8> = OnceLock::new();"), [2]);
        assert_eq!(lines("fn a() { static N: std::sync::atomic::AtomicU64 = x(); }"), [1]);
        assert_eq!(lines("static mut A: u8 = 1;"), [1]);
        assert_eq!(lines("thread_local! { static A: u8 = 1; }"), [1]);
        assert_eq!(lines("lazy_static! { static ref A: u8 = 1; }").len(), 1);
        assert_eq!(lines("use lazy_static::lazy_static;").len(), 2);
    }

    #[test]
    fn tables_fields_and_tests_are_free() {
        assert_eq!(lines("static A: &[&'static str] = &[\"Mutex\"];"), [0; 0]);
        assert_eq!(lines("struct A { a: Mutex<&'static str>, b: AtomicU8 }"), [0; 0]);
        assert_eq!(lines("#[cfg(test)]\nmod tests { static A: Mutex<u8> = x(); }"), [0; 0]);
    }
}
