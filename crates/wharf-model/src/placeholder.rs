//! Placeholders in what `wharf.toml` says: `{port}`, `{url}`, `{api.port}`.

/// What can be asked of an instance.
const KEYS: [&str; 6] = ["port", "url", "direct_url", "named_url", "host", "instance"];

/// The longest placeholder, in bytes: a label of 63 and a key.
const LENGTH_MAX: usize = 128;

/// The service, if one is named, the key, and the length of a placeholder at the beginning of a text, which begins with a
/// brace.
pub fn placeholder(text: &[u8]) -> Option<(Option<&str>, &str, usize)> {
    let end = text.iter().take(LENGTH_MAX).position(|byte| *byte == b'}')?;
    let inner = std::str::from_utf8(&text[1..end]).ok()?;
    let (service, key) = match inner.rsplit_once('.') {
        Some((service, key)) => (Some(service), key),
        None => (None, inner),
    };
    KEYS.contains(&key).then_some((service, key, end + 1))
}

/// Whether a text has one anywhere.
pub fn has_any(text: &[u8]) -> bool {
    let braces = text.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    braces.map(|(at, _)| at).any(|at| placeholder(&text[at..]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_told_from_other_braces() {
        assert_eq!(placeholder(b"{api.port}/x"), Some((Some("api"), "port", 10)));
        assert_eq!(placeholder(b"{url}"), Some((None, "url", 5)));
        for text in [&b"{}"[..], b"{", b"{ports}", b"{ port }", b"{api.}", b"{\xff}"] {
            assert_eq!(placeholder(text), None, "{text:?}");
        }
        assert!(has_any(b"jq '{url}'") && has_any(b"{{port}}") && !has_any(b"awk '{print}'"));
    }
}
