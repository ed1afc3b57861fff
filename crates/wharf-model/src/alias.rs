//! Names that a user gives to what wharf did not start: what may be a name, and what a target.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::agent::Agent;
use crate::name::TLD;
use crate::path_text::PathText;
use crate::port::Port;
use crate::route::Protocol;

/// The longest label, in bytes (RFC 1035, section 2.3.4).
const LABEL_MAX: usize = 63;
/// The longest name before `.localhost`, in bytes: a host has 253 at most.
const NAME_MAX: usize = 253 - 1 - TLD.len();

/// A host name that leads to a server of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The host without `.localhost`.
    pub name: String,
    /// Where it leads.
    pub target: Target,
    /// When it was given: seconds since the Unix epoch, for display only.
    pub since: u64,
    /// The checkout whose `wharf.toml` declares it; `None` where a person gave it.
    pub checkout: Option<PathText>,
}

/// A name for a service that does not speak HTTP: it has a port of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpName {
    /// The name.
    pub name: String,
    /// The port that it leads to; `None` for that of the instance with this name.
    pub to: Option<Port>,
    /// When it was given: seconds since the Unix epoch, for display only.
    pub since: u64,
    /// The agent that asked for it; `None` where a person did.
    pub agent: Option<Agent>,
}

/// A server of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// Its loopback address; `None` for whichever of 127.0.0.1 and ::1 answers.
    pub address: Option<IpAddr>,
    /// Its port.
    pub port: Port,
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing stands before `.localhost`.
    Empty,
    /// It is longer than a host may be.
    Long,
    /// This label is none.
    Label(String),
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// Neither a port nor a URL.
    Neither,
    /// A URL of something else than HTTP.
    Scheme(String),
    /// A URL without a port number from 1 to 65535.
    NoPort,
    /// There is more than scheme, host and port.
    More(String),
    /// The host is not a loopback address of this machine.
    Elsewhere(String),
}

/// The name that a user means: in lower case, without `.localhost`.
///
/// # Errors
/// It is not one label or more of letters, digits and inner hyphens, with dots between them.
pub fn parse_name(text: &str) -> Result<String, NameError> {
    let lower = text.to_ascii_lowercase();
    let name = match lower.strip_suffix(TLD) {
        Some("") => "",
        Some(before) => before.strip_suffix('.').unwrap_or(&lower),
        None => &lower,
    };
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_MAX {
        return Err(NameError::Long);
    }
    match name.split('.').find(|label| !is_label(label)) {
        Some(label) => Err(NameError::Label(label.to_owned())),
        None => Ok(name.to_owned()),
    }
}

fn is_label(label: &str) -> bool {
    let ldh = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !label.is_empty()
        && label.len() <= LABEL_MAX
        && label.bytes().all(ldh)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl Target {
    /// A port, or `http://` or `https://` with a loopback address and a port.
    ///
    /// # Errors
    /// It is something else, or leads away from this machine.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let port = text.parse().ok().and_then(Port::new).ok_or(TargetError::NoPort)?;
            return Ok(Target { tls: false, address: None, port });
        }
        let (scheme, rest) = text.split_once("://").ok_or(TargetError::Neither)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::Scheme(scheme.to_owned())),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Some(at) = rest.find(['/', '?', '#', '@']) {
            return Err(TargetError::More(rest[at..].to_owned()));
        }
        let (host, port) = rest.rsplit_once(':').ok_or(TargetError::NoPort)?;
        let port = port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse().ok());
        let port = port.flatten().and_then(Port::new).ok_or(TargetError::NoPort)?;
        Ok(Target { tls, address: loopback(host)?, port })
    }

    /// Where it is dialled, in this order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        either(self.address, self.port)
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        if self.tls { Protocol::Tls } else { Protocol::Http1 }
    }
}

/// Where a port of this machine is dialled when either loopback address may have it.
pub fn either(address: Option<IpAddr>, port: Port) -> Vec<SocketAddr> {
    let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = match address {
        Some(address) => vec![address],
        None => both.to_vec(),
    };
    addresses.into_iter().map(|address| (address, port.get()).into()).collect()
}

fn loopback(host: &str) -> Result<Option<IpAddr>, TargetError> {
    if host.eq_ignore_ascii_case(TLD) {
        return Ok(None);
    }
    let elsewhere = || TargetError::Elsewhere(host.to_owned());
    let address: IpAddr = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(six) => IpAddr::V6(six.parse().map_err(|_| elsewhere())?),
        None => IpAddr::V4(host.parse().map_err(|_| elsewhere())?),
    };
    address.is_loopback().then_some(Some(address)).ok_or_else(elsewhere)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match self.address {
            Some(address) => {
                write!(f, "{scheme}://{}", SocketAddr::from((address, self.port.get())))
            }
            None => write!(f, "{scheme}://{TLD}:{}", self.port),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => write!(f, "a name needs a label before `.{TLD}`"),
            NameError::Long => write!(f, "a name has {NAME_MAX} bytes at most"),
            NameError::Label(label) => write!(
                f,
                "`{}` is no label: it needs 1 to {LABEL_MAX} letters, digits and inner hyphens",
                label.escape_default()
            ),
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Neither => f.write_str("it is neither a port nor a URL"),
            TargetError::Scheme(scheme) => {
                write!(f, "`{}` is neither http nor https", scheme.escape_default())
            }
            TargetError::NoPort => f.write_str("it has no port from 1 to 65535"),
            TargetError::More(more) => {
                write!(f, "`{}` is more than scheme, host and port", more.escape_default())
            }
            TargetError::Elsewhere(host) => write!(
                f,
                "`{}` is no loopback address, and the proxy connects to this machine only",
                host.escape_default()
            ),
        }
    }
}

impl std::error::Error for NameError {}
impl std::error::Error for TargetError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_labels_and_localhost_may_be_written_or_not() {
        for (text, name) in [
            ("db-admin", "db-admin"),
            ("api.shop", "api.shop"),
            ("API.Shop.localhost", "api.shop"),
            ("mylocalhost", "mylocalhost"),
            ("5.a", "5.a"),
        ] {
            assert_eq!(parse_name(text).as_deref(), Ok(name), "{text}");
        }
        let long = "y".repeat(64);
        let longer = vec!["yyyyyyy"; 32].join(".");
        for text in [
            "",
            "localhost",
            ".localhost",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a-",
            "a_b",
            "a b",
            "ä",
            "a/b",
            "*.a",
            "a:1",
            &long,
            &longer,
        ] {
            assert!(parse_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_is_a_port_or_a_loopback_url() {
        for (text, shown, first, tls) in [
            ("5000", "http://localhost:5000", "127.0.0.1:5000", false),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000", "127.0.0.1:5000", false),
            ("https://127.0.0.2:8443/", "https://127.0.0.2:8443", "127.0.0.2:8443", true),
            ("http://[::1]:5000", "http://[::1]:5000", "[::1]:5000", false),
            ("HTTPS://LocalHost:1", "https://localhost:1", "127.0.0.1:1", true),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.to_string(), shown, "{text}");
            assert_eq!(target.addresses()[0].to_string(), first, "{text}");
            assert_eq!(target.tls, tls, "{text}");
            assert_eq!(Target::parse(shown), Ok(target), "what is kept is read again");
        }
        assert_eq!(Target::parse("5000").unwrap().addresses().len(), 2);
    }

    #[test]
    fn the_proxy_connects_to_this_machine_only() {
        for host in ["192.168.1.4", "example.com", "0.0.0.0", "[::]", "[fe80::1]", "::1", "127.1"] {
            let error = Target::parse(&format!("http://{host}:80")).unwrap_err();
            assert_eq!(error, TargetError::Elsewhere(host.into()));
        }
        for (text, error) in [
            ("shop", TargetError::Neither),
            ("0", TargetError::NoPort),
            ("", TargetError::NoPort),
            ("70000", TargetError::NoPort),
            ("http://127.0.0.1", TargetError::NoPort),
            ("http://127.0.0.1:+80", TargetError::NoPort),
            ("ftp://127.0.0.1:21", TargetError::Scheme("ftp".into())),
            ("http://127.0.0.1:80/api", TargetError::More("/api".into())),
            ("http://u@127.0.0.1:80", TargetError::More("@127.0.0.1:80".into())),
        ] {
            assert_eq!(Target::parse(text), Err(error), "{text}");
        }
    }
}
