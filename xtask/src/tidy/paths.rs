//! Where the code names a path of the standard library or of a crate.

use super::source::{self, Source, closing};

/// Where a path is named outside tests: written out, or imported by a `use` with braces. A path that
/// ends inside a word (`std::net::Tcp`) stands for every name that begins so.
pub fn mentions(source: &Source, path: &str) -> Vec<usize> {
    let open_ended = path.ends_with("Tcp") || path.ends_with("Udp");
    let mut found: Vec<usize> = match open_ended {
        true => source.code.match_indices(path).map(|(offset, _)| offset).collect(),
        false => source.find(path).collect(),
    };
    for (offset, import) in imports(&source.code) {
        let rest = import.strip_prefix(path);
        if rest.is_some_and(|rest| open_ended || rest.is_empty() || rest.starts_with("::")) {
            found.push(offset);
        }
    }
    found.retain(|offset| !source.in_test(*offset));
    found
}

/// Every path that a `use` imports, with its braces multiplied out.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for offset in source::find(code, "use") {
        let rest = &code[offset + "use".len()..];
        // `impl Trait + use<'a>` imports nothing.
        if rest.trim_start().starts_with('<') {
            continue;
        }
        let tree = rest.split(';').next().unwrap_or_default();
        let mut paths = Vec::new();
        expand("", &tree.split_whitespace().collect::<Vec<_>>().join(" "), &mut paths);
        found.extend(paths.into_iter().map(|path| (offset, path)));
    }
    found
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let path = format!("{prefix}{path}").replace(' ', "");
        paths.push(path.trim_end_matches("::self").to_owned());
        return;
    };
    let close = closing(tree, open).unwrap_or(tree.len());
    let prefix = format!("{prefix}{}", tree[..open].replace(' ', ""));
    let mut depth = 0usize;
    let mut from = open + 1;
    for (offset, byte) in tree.bytes().enumerate().take(close).skip(open + 1) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                expand(&prefix, &tree[from..offset], paths);
                from = offset + 1;
            }
            _ => {}
        }
    }
    if !tree[from..close].trim().is_empty() {
        expand(&prefix, &tree[from..close], paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_multiplied_out() {
        let found = imports("use a::{self, b::{c, d as e}, f::*,};\nfn x() -> impl Y + use<'a> {}");
        let paths: Vec<&str> = found.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(paths, ["a", "a::b::c", "a::b::d", "a::f::*"]);
    }
}
