//! The ports that a compose file publishes on this machine.

use std::ops::RangeInclusive;

/// The host's TCP ports of the short form, `[[IP:]HOST:]CONTAINER[/PROTOCOL]`. A container's port without one of
/// the host gets a free one from Docker, which is nobody's to know.
pub(crate) fn short(text: &str) -> Result<Vec<u16>, String> {
    let (ports, protocol) = text.rsplit_once('/').unwrap_or((text, "tcp"));
    let (host, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    // An IPv6 address has colons of its own, and stands in brackets.
    let host = host.rsplit_once(':').map_or(host, |(_, port)| port);
    let host = if host.contains(']') { "" } else { host };
    let inside = range(container).ok_or_else(|| format!("`{text}` publishes no port"))?;
    if host.is_empty() {
        return Ok(Vec::new());
    }
    let outside = range(host).ok_or_else(|| format!("`{host}` of `{text}` is no port"))?;
    let (outer, inner) = (outside.clone().count(), inside.count());
    if inner > 1 && outer != inner {
        return Err(format!("`{text}` publishes {inner} ports as {outer}"));
    }
    Ok(if is_tcp(protocol) { outside.collect() } else { Vec::new() })
}

/// The host's TCP ports of the long form's `published` and `protocol`.
pub(crate) fn long(published: &str, protocol: &str) -> Result<Vec<u16>, String> {
    if published.is_empty() || !is_tcp(protocol) {
        return Ok(Vec::new());
    }
    range(published).map(Iterator::collect).ok_or_else(|| format!("`{published}` is no port"))
}

fn is_tcp(protocol: &str) -> bool {
    protocol.is_empty() || protocol.eq_ignore_ascii_case("tcp")
}

/// `N` or `N-M`, from 1.
fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_short_form() {
        for (text, expected) in [
            ("8000:80", vec![8000]),
            ("80", vec![]),
            ("3000-3002", vec![]),
            ("127.0.0.1:5432:5432", vec![5432]),
            ("127.0.0.1::80", vec![]),
            ("[::1]:6001:6001", vec![6001]),
            ("[::1]:80", vec![]),
            ("::1:6001:6001", vec![6001]),
            ("9090-9092:8080-8082", vec![9090, 9091, 9092]),
            ("9090-9092:80", vec![9090, 9091, 9092]),
            ("6060:6060/udp", vec![]),
            ("6060:6060/tcp", vec![6060]),
            ("22:22", vec![22]),
            (":80", vec![]),
        ] {
            assert_eq!(short(text), Ok(expected), "{text}");
        }
        for text in [
            "", "x", "x:80", "80:x", "0:80", "65536:80", "3-1:80", "1-2:1-3", "80:", "+1:80",
            "-:80",
        ] {
            assert!(short(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_long_form() {
        assert_eq!(long("8080", ""), Ok(vec![8080]));
        assert_eq!(long("8080-8081", "tcp"), Ok(vec![8080, 8081]));
        assert_eq!(long("8080", "udp"), Ok(vec![]));
        assert!(long("x", "tcp").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9:/\\[\\]a-z.-]{0,30}|[ -~é]{0,20}") {
            let _ = (short(&text), long(&text, "tcp"));
        }
    }
}
