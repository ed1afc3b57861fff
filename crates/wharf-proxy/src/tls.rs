//! TLS towards clients: certificates for the hosts that are registered, and for nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::ca::Ca;
use crate::leaf::Leaves;

/// What both ends may speak, the better first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// What the proxy shows to clients that come by TLS.
#[derive(Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// With certificates of this authority, for the hosts that `knows` says yes to. Anybody else, one
    /// without a host name and one with an address in its place gets an alert, and no certificate.
    pub fn new(ca: Ca, knows: impl Fn(&str) -> bool + Send + Sync + 'static) -> Tls {
        Tls::with_clock(ca, knows, SystemTime::now)
    }

    /// The same with another clock.
    pub fn with_clock(
        ca: Ca,
        knows: impl Fn(&str) -> bool + Send + Sync + 'static,
        clock: impl Fn() -> SystemTime + Send + Sync + 'static,
    ) -> Tls {
        let resolver =
            Resolver { leaves: Leaves::new(ca), knows: Box::new(knows), clock: Box::new(clock) };
        // The provider is named here, so that none has to be set for the whole process.
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .expect("the provider has suites for every version that rustls knows");
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Tls { config: Arc::new(config) }
    }

    /// What an acceptor needs.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

struct Resolver {
    leaves: Leaves,
    knows: Box<dyn Fn(&str) -> bool + Send + Sync>,
    clock: Box<dyn Fn() -> SystemTime + Send + Sync>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Resolver").field("leaves", &self.leaves).finish_non_exhaustive()
    }
}

/// The host that a server name stands for, which names have in one form only.
pub(crate) fn host(name: &str) -> String {
    let mut host = name.to_ascii_lowercase();
    if host.ends_with('.') {
        host.pop();
    }
    host
}

impl ResolvesServerCert for Resolver {
    /// `None` ends the handshake with an alert.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An address is no host name (RFC 6066, section 3), and rustls gives none for it.
        let host = host(hello.server_name()?);
        if !(self.knows)(&host) {
            return None;
        }
        self.leaves.get(&host, (self.clock)()).ok()
    }
}
