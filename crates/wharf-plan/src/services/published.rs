//! The ports that a compose file publishes on this machine.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use wharf_model::Publication;

/// The short form, `[[IP:]HOST:]CONTAINER[/PROTOCOL]`: one for each port of the container. A range of this machine's
/// ports for a single one of the container is a choice for Docker.
pub(crate) fn short(text: &str) -> Result<Vec<Publication>, String> {
    let (ports, protocol) = match text.rsplit_once('/') {
        Some((ports, "")) => (ports, "tcp"),
        Some(parts) => parts,
        None => (text, "tcp"),
    };
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("`{protocol}` of `{text}` is no protocol"));
    }
    let (before, container) = ports.rsplit_once(':').unwrap_or(("", ports));
    let (address, host) = match before.strip_suffix(']') {
        // `[::1]:80`: an address, and no port of this machine.
        Some(_) => (before, ""),
        None => before.rsplit_once(':').unwrap_or(("", before)),
    };
    let address = address_of(address, text)?;
    let inside = range(container).ok_or_else(|| format!("`{text}` publishes no port"))?;
    let outside = match host {
        "" | "0" => None,
        host => Some(range(host).ok_or_else(|| format!("`{host}` of `{text}` is no port"))?),
    };
    let inner = inside.clone().count();
    let one = |target: u16, host: Option<RangeInclusive<u16>>| Publication {
        address,
        host,
        target,
        protocol: protocol.clone(),
    };
    match outside {
        None => Ok(inside.map(|target| one(target, None)).collect()),
        Some(outside) if inner == 1 => Ok(vec![one(*inside.start(), Some(outside))]),
        Some(outside) if outside.clone().count() == inner => {
            Ok(inside.zip(outside).map(|(target, host)| one(target, Some(host..=host))).collect())
        }
        Some(outside) => Err(format!("`{text}` publishes {inner} ports as {}", outside.count())),
    }
}

/// The long form, as it is written; what is not is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Long {
    pub(crate) target: String,
    pub(crate) published: String,
    pub(crate) host_ip: String,
    pub(crate) protocol: String,
}

impl Long {
    /// The port that it means.
    pub(crate) fn publication(&self) -> Result<Publication, String> {
        let target = range(&self.target).filter(|target| target.start() == target.end());
        let target = target.ok_or_else(|| format!("`target: {}` is no port", self.target))?;
        let published = &self.published;
        let host = match published.as_str() {
            "" | "0" => None,
            text => Some(range(text).ok_or_else(|| format!("`published: {text}` is no port"))?),
        };
        let protocol = match self.protocol.as_str() {
            "" => "tcp".to_owned(),
            protocol => protocol.to_ascii_lowercase(),
        };
        let address = address_of(&self.host_ip, &format!("host_ip: {}", self.host_ip))?;
        Ok(Publication { address, host, target: *target.start(), protocol })
    }
}

/// An address, in brackets or not; `None` where there is none.
fn address_of(text: &str, whole: &str) -> Result<Option<IpAddr>, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match bare {
        "" => Ok(None),
        bare => match bare.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(format!("`{bare}` of `{whole}` is no address")),
        },
    }
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

    /// `ADDRESS HOST TARGET PROTOCOL` of each.
    fn written(all: &[Publication]) -> Vec<String> {
        let one = |one: &Publication| {
            let address = one.address.map(|address| address.to_string()).unwrap_or_default();
            format!("{address} {} {} {}", one.host_text(), one.target, one.protocol)
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn the_short_form() {
        for (text, expected) in [
            ("8000:80", &[" 8000 80 tcp"][..]),
            ("80", &["  80 tcp"]),
            ("3000-3001", &["  3000 tcp", "  3001 tcp"]),
            ("127.0.0.1:5432:5432", &["127.0.0.1 5432 5432 tcp"]),
            ("127.0.0.1::80", &["127.0.0.1  80 tcp"]),
            ("[::1]:6001:6001", &["::1 6001 6001 tcp"]),
            ("[::1]:80", &["::1  80 tcp"]),
            ("::1:6001:6001", &["::1 6001 6001 tcp"]),
            ("9090-9091:8080-8081", &[" 9090 8080 tcp", " 9091 8081 tcp"]),
            ("9090-9092:80", &[" 9090-9092 80 tcp"]),
            ("6060:6060/udp", &[" 6060 6060 udp"]),
            ("6060:6060/TCP", &[" 6060 6060 tcp"]),
            ("6060:6060/", &[" 6060 6060 tcp"]),
            ("22:22", &[" 22 22 tcp"]),
            (":80", &["  80 tcp"]),
            ("0:80", &["  80 tcp"]),
        ] {
            assert_eq!(written(&short(text).unwrap()), expected, "{text}");
        }
        for text in [
            "",
            "x",
            "x:80",
            "80:x",
            "65536:80",
            "3-1:80",
            "1-2:1-3",
            "80:",
            "+1:80",
            "-:80",
            "80:80/http",
            "300.0.0.1:80:80",
            "host:80:80",
        ] {
            assert!(short(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_long_form() {
        let long = |published: &str, protocol: &str| Long {
            target: "80".into(),
            published: published.into(),
            protocol: protocol.into(),
            ..Long::default()
        };
        for (form, expected) in [
            (long("8080", ""), " 8080 80 tcp"),
            (long("8080-8081", "tcp"), " 8080-8081 80 tcp"),
            (long("", "udp"), "  80 udp"),
            (Long { host_ip: "127.0.0.1".into(), ..long("1", "") }, "127.0.0.1 1 80 tcp"),
        ] {
            assert_eq!(written(&[form.publication().unwrap()]), [expected], "{form:?}");
        }
        for wrong in [
            long("x", "tcp"),
            Long { target: String::new(), ..long("1", "") },
            Long { target: "80-81".into(), ..long("1", "") },
            Long { host_ip: "here".into(), ..long("1", "") },
        ] {
            assert!(wrong.publication().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9:/\\[\\]a-z.-]{0,30}|[ -~é]{0,20}") {
            let _ = short(&text);
            let _ = Long { target: text.clone(), published: text, ..Long::default() }.publication();
        }
    }
}
