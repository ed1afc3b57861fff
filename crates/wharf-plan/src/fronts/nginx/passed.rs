//! The URL of a `proxy_pass`.

/// Where it leads, and the path that it puts in the place of the location's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pass<'a> {
    pub(super) tls: bool,
    /// An upstream's name, or a host with or without a port.
    pub(super) to: &'a str,
    pub(super) rest: Option<&'a str>,
}

/// Takes it apart.
pub(super) fn pass(url: &str) -> Result<Pass<'_>, &'static str> {
    if url.contains('$') {
        return Err("its variables are known to nginx alone");
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("grpc", url));
    let tls = match scheme {
        "http" | "grpc" => false,
        "https" | "grpcs" => true,
        _ => return Err("it is neither http nor https"),
    };
    if rest.starts_with("unix:") || url.starts_with("unix:") {
        return Err("it is a Unix socket, and wharf leads to ports");
    }
    let at = rest.find('/').unwrap_or(rest.len());
    let path = (at < rest.len()).then(|| &rest[at..]);
    Ok(Pass { tls, to: &rest[..at], rest: path })
}
