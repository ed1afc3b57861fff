//! Where a request goes on to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A server behind the web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Whether TLS is spoken to it.
    pub tls: bool,
    /// The machine.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// The machine of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// This one, by whichever loopback address answers.
    Loopback,
    /// This one, by this address.
    Address(IpAddr),
    /// One of this name: a service of Docker Compose, perhaps.
    Named(String),
}

impl Upstream {
    /// Reads `host:port`, `:port` or `host`.
    pub(super) fn of(text: &str, tls: bool, usual: u16) -> Result<Upstream, &'static str> {
        if text.contains(['$', '{', '/', '?', '#', '@']) {
            return Err("which server that is cannot be told from here");
        }
        let (host, port) = match text.rfind(']') {
            Some(end) => match text[end + 1..].strip_prefix(':') {
                Some(port) => (&text[..=end], Some(port)),
                None if text.len() == end + 1 => (text, None),
                None => return Err("it is no host with a port"),
            },
            None => match text.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port {
            None => usual,
            Some(port) if is_number(port) => port.parse().unwrap_or(0),
            Some(_) => 0,
        };
        if port == 0 {
            return Err("it has no single port from 1 to 65535");
        }
        Ok(Upstream { tls, host: Host::of(host).ok_or("it is no host with a port")?, port })
    }
}

impl Host {
    fn of(text: &str) -> Option<Host> {
        let lower = text.to_ascii_lowercase();
        if matches!(lower.as_str(), "" | "localhost" | "0.0.0.0" | "[::]") {
            return Some(Host::Loopback);
        }
        if let Some(six) = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return six.parse::<Ipv6Addr>().ok().map(|six| Host::Address(six.into()));
        }
        if let Ok(address) = lower.parse::<IpAddr>() {
            return Some(Host::Address(address));
        }
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        lower.chars().all(is_letter).then_some(Host::Named(lower))
    }

    /// Whether it is this machine for sure.
    pub fn is_here(&self) -> bool {
        match self {
            Host::Loopback => true,
            Host::Address(address) => address.is_loopback(),
            Host::Named(_) => false,
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match &self.host {
            Host::Loopback => write!(f, "{scheme}://localhost:{}", self.port),
            Host::Address(IpAddr::V6(six)) => write!(f, "{scheme}://[{six}]:{}", self.port),
            Host::Address(four) => write!(f, "{scheme}://{four}:{}", self.port),
            Host::Named(name) => write!(f, "{scheme}://{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms() {
        let of = |text| Upstream::of(text, false, 80).map(|upstream| upstream.to_string());
        for (text, expected) in [
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("localhost", "http://localhost:80"),
            (":9000", "http://localhost:9000"),
            ("[::1]:81", "http://[::1]:81"),
            ("[::1]", "http://[::1]:80"),
            ("API_1:3000", "http://api_1:3000"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in ["a:0", "a:b", "a:80-90", "$host", "[::1]x", "[x]:1", "a b:1", "a:70000", "a/b"]
        {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
