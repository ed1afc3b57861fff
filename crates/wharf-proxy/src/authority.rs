//! `host:port` as requests name it: read in one way, or not at all.

/// The longest host name (RFC 1035, section 2.3.4), in bytes.
const MAX_HOST: usize = 253;

/// A host in lower case and the port beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// Reads the value of a Host field, or the authority of a target. Everything that two programs
    /// might read differently is refused: user names, white space, empty ports, escapes.
    pub(crate) fn parse(text: &[u8]) -> Option<Authority> {
        let text = std::str::from_utf8(text).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(read_port(port)?),
                None if rest.is_empty() => None,
                None => return None,
            };
            return Some(Authority { host: format!("[{}]", address.to_ascii_lowercase()), port });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(read_port(port)?)),
            None => (text, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(plain) {
            return None;
        }
        Some(Authority { host: host.to_ascii_lowercase(), port })
    }
}

fn read_port(text: &str) -> Option<u16> {
    // Neither a sign nor zeros in front: one port is written in one way.
    let plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// An origin as browsers name it: `scheme://host[:port]`, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) https: bool,
    pub(crate) host: String,
    /// The scheme's own where none is named.
    pub(crate) port: u16,
}

impl Origin {
    /// `null`, other schemes and whatever is no origin give nothing.
    pub(crate) fn parse(text: &[u8]) -> Option<Origin> {
        let (https, rest) = match text.strip_prefix(b"http://") {
            Some(rest) => (false, rest),
            None => (true, text.strip_prefix(b"https://")?),
        };
        let Authority { host, port } = Authority::parse(rest)?;
        Some(Origin { https, host, port: port.unwrap_or(if https { 443 } else { 80 }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, Option<u16>)> {
        Authority::parse(text.as_bytes()).map(|authority| (authority.host, authority.port))
    }

    #[test]
    fn one_reading_or_none() {
        assert_eq!(read("Shop.LOCALHOST"), Some(("shop.localhost".into(), None)));
        assert_eq!(read("shop.localhost:4080"), Some(("shop.localhost".into(), Some(4080))));
        assert_eq!(read("[::1]:80"), Some(("[::1]".into(), Some(80))));
        for bad in [
            "",
            ":80",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+80",
            "a:8 0",
            " a",
            "a ",
            "a@b",
            "user@a:80",
            "a/b",
            "a?b",
            "a#b",
            "a,b",
            "a%2eb",
            "a:80:80",
            "[::1",
            "[x]",
            "[::1]x",
            "a\0b",
            "ä",
            "::1",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_alone() {
        let origin = |text: &str| Origin::parse(text.as_bytes());
        let plain = Origin { https: false, host: "a.localhost".into(), port: 80 };
        assert_eq!(origin("http://a.localhost"), Some(plain.clone()));
        assert_eq!(origin("http://A.localhost:80"), Some(plain));
        assert_eq!(origin("https://a.localhost").map(|origin| origin.port), Some(443));
        for bad in
            ["null", "", "a.localhost", "ftp://a", "http://a/", "http://u@a", "file://", "http://"]
        {
            assert_eq!(origin(bad), None, "{bad:?}");
        }
    }
}
