//! TLS in front of the proxy, and clients that speak it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use wharf_proxy::{Ca, Tls};

use super::{Client, HOST};

/// The hosts that there are certificates for.
pub const HOSTS: [&str; 3] = [HOST, "api.shop.localhost", "other.localhost"];

/// What every front by TLS shows, and how a client knows that it is right.
#[derive(Debug)]
pub struct Shown {
    pub config: watch::Sender<Option<Arc<ServerConfig>>>,
    root: CertificateDer<'static>,
}

/// The same for all tests of a process: an authority is slow to make.
pub fn shown() -> &'static Shown {
    static SHOWN: OnceLock<Shown> = OnceLock::new();
    SHOWN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(&dir.path().join("ca"), "anna@laptop", SystemTime::now()).unwrap();
        let root = ca.certificate().clone();
        let tls = Tls::new(ca, |host| HOSTS.contains(&host));
        Shown { config: watch::Sender::new(Some(tls.server_config())), root }
    })
}

/// A client that offers these protocols in these versions.
pub fn client(offered: &[&[u8]], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(shown().root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let mut config = builder.unwrap().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
    config
}

/// A client of HTTP/1.1 by TLS. Its bytes go through a thread that puts them into TLS, so that it is
/// the same client as in the clear. An end that TLS was not told of arrives as a reset.
pub fn http1(port: u16) -> Client {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    far.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(relay(far, port));
    });
    Client::over(near)
}

async fn relay(client: TcpStream, port: u16) {
    let mut client = tokio::net::TcpStream::from_std(client).unwrap();
    let config = Arc::new(self::client(&[b"http/1.1"], rustls::ALL_VERSIONS));
    let server = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let mut server = TlsConnector::from(config).connect(name, server).await.unwrap();
    if tokio::io::copy_bidirectional(&mut client, &mut server).await.is_err() {
        let _ = rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO));
    }
}
