//! Handshakes in memory: who gets a certificate, and who gets an alert.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, HandshakeKind, NamedGroup,
    ProtocolVersion, RootCertStore, ServerConnection, SupportedProtocolVersion,
};
use wharf_proxy::{Ca, Tls, upstream_client_config};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn authority() -> (tempfile::TempDir, Ca, CertificateDer<'static>) {
    let dir = tempfile::tempdir().unwrap();
    let ca = Ca::create(&dir.path().join("ca"), "anna@laptop", SystemTime::now()).unwrap();
    let certificate = ca.certificate().clone();
    (dir, ca, certificate)
}

fn client(
    root: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    builder.unwrap().with_root_certificates(roots).with_no_client_auth()
}

/// What a handshake came to: both ends, or what the client was told.
fn shake(
    tls: &Tls,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(client.clone(), name)?;
    let mut server = ServerConnection::new(tls.server_config())?;
    let mut bytes = Vec::new();
    while client.wants_write() || server.wants_write() {
        bytes.clear();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        let mut refused = false;
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            refused |= server.process_new_packets().is_err();
        }
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
        assert!(!refused, "the server gave up and the client heard nothing of it");
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

fn alerted(outcome: Result<(ClientConnection, ServerConnection), Error>) -> bool {
    matches!(outcome, Err(Error::AlertReceived(AlertDescription::AccessDenied)))
}

#[test]
fn registered_hosts_get_a_certificate_by_every_version() {
    let (_dir, ca, root) = authority();
    let tls = Tls::new(ca, |host| host == "shop.localhost");
    for (version, wanted) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let client = Arc::new(client(&root, &[version]));
        let (seen, _) = shake(&tls, &client, "shop.localhost").unwrap();
        assert_eq!(seen.protocol_version(), Some(wanted));
        assert_eq!(seen.peer_certificates().map(<[_]>::len), Some(2));
        assert_eq!(seen.peer_certificates().unwrap()[1], root);
        // Names have no case.
        assert!(shake(&tls, &client, "SHOP.localhost").is_ok());
    }
}

#[test]
fn everybody_else_gets_an_alert() {
    let (_dir, ca, root) = authority();
    // Also a host that is registered and that the authority may not sign.
    let tls = Tls::new(ca, |host| ["shop.localhost", "shop.test", "127.0.0.1"].contains(&host));
    let mut config = client(&root, rustls::ALL_VERSIONS);
    let named = Arc::new(config.clone());
    for name in
        ["other.localhost", "localhost", "x.shop.localhost", "shop.test", "127.0.0.1", "::1"]
    {
        assert!(alerted(shake(&tls, &named, name)), "{name}");
    }
    config.enable_sni = false;
    assert!(alerted(shake(&tls, &Arc::new(config), "shop.localhost")), "without a name");
    assert!(shake(&tls, &named, "shop.localhost").is_ok());
}

#[test]
fn the_better_protocol_that_both_speak_is_taken() {
    let (_dir, ca, root) = authority();
    let tls = Tls::new(ca, |_| true);
    let spoken = |offered: &[&[u8]]| {
        let mut config = client(&root, rustls::ALL_VERSIONS);
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let (seen, _) = shake(&tls, &Arc::new(config), "shop.localhost")?;
        Ok::<_, Error>(seen.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert_eq!(spoken(&[b"http/1.1", b"h2"]).unwrap().unwrap(), b"h2");
    assert_eq!(spoken(&[b"http/1.1"]).unwrap().unwrap(), b"http/1.1");
    assert_eq!(spoken(&[]).unwrap(), None);
    let none = spoken(&[b"spdy/3"]);
    assert!(matches!(none, Err(Error::AlertReceived(AlertDescription::NoApplicationProtocol))));
}

#[test]
fn a_session_ends_with_the_registration() {
    let (_dir, ca, root) = authority();
    let registered = Arc::new(AtomicBool::new(true));
    let asked = registered.clone();
    let tls = Tls::new(ca, move |_| asked.load(Ordering::SeqCst));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        registered.store(true, Ordering::SeqCst);
        let client = Arc::new(client(&root, &[version]));
        shake(&tls, &client, "shop.localhost").unwrap();
        let (again, _) = shake(&tls, &client, "shop.localhost").unwrap();
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed), "{version:?}");
        registered.store(false, Ordering::SeqCst);
        assert!(alerted(shake(&tls, &client, "shop.localhost")), "{version:?}");
    }
}

/// Gives every host the session of whichever was there last.
#[derive(Debug)]
struct Confused(ClientSessionMemoryCache);

impl Confused {
    fn only() -> ServerName<'static> {
        ServerName::try_from("any.localhost").unwrap()
    }
}

impl ClientSessionStore for Confused {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::only(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::only())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::only(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::only())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::only());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::only(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::only())
    }
}

/// A session is for one host: with it, neither another one nor none is reached.
#[test]
fn a_session_opens_no_other_host() {
    let (_dir, ca, root) = authority();
    let tls = Tls::new(ca, |host| ["shop.localhost", "other.localhost"].contains(&host));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = client(&root, &[version]);
        let store = Arc::new(Confused(ClientSessionMemoryCache::new(8)));
        config.resumption = Resumption::store(store);
        let config = Arc::new(config);
        shake(&tls, &config, "shop.localhost").unwrap();
        let (again, _) = shake(&tls, &config, "shop.localhost").unwrap();
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed), "the session is good");
        let (other, seen) = shake(&tls, &config, "other.localhost").unwrap();
        assert_eq!(other.handshake_kind(), Some(HandshakeKind::Full), "{version:?}");
        assert_eq!(seen.server_name(), Some("other.localhost"));
        shake(&tls, &config, "shop.localhost").unwrap();
        assert!(alerted(shake(&tls, &config, "unknown.localhost")), "{version:?}");
        let mut nameless = client(&root, &[version]);
        nameless.resumption = config.resumption.clone();
        nameless.enable_sni = false;
        assert!(alerted(shake(&tls, &Arc::new(nameless), "shop.localhost")), "{version:?}");
    }
}

#[test]
fn a_certificate_is_made_anew_by_the_clock_and_none_after_the_end_of_the_authority() {
    let (_dir, ca, _root) = authority();
    let clock = Arc::new(std::sync::Mutex::new(SystemTime::now()));
    let (end, read) = (ca.expires_at(), clock.clone());
    let tls = Tls::with_clock(ca, |_| true, move || *read.lock().unwrap());
    let client = upstream_client_config();
    let leaf = || {
        let (seen, _) = shake(&tls, &client, "shop.localhost")?;
        Ok::<_, Error>(seen.peer_certificates().map(|chain| chain[0].clone()))
    };
    let first = leaf().unwrap();
    *clock.lock().unwrap() += 20 * DAY;
    // A session that goes on has the certificate of its beginning.
    let client = upstream_client_config();
    let leaf_anew = || {
        let (seen, _) = shake(&tls, &client, "shop.localhost")?;
        Ok::<_, Error>(seen.peer_certificates().map(|chain| chain[0].clone()))
    };
    assert_ne!(leaf_anew().unwrap(), first);
    *clock.lock().unwrap() = end;
    assert!(matches!(leaf_anew(), Err(Error::AlertReceived(AlertDescription::AccessDenied))));
}

#[test]
fn an_upstream_may_have_any_certificate() {
    let (_dir, ca, root) = authority();
    let tls = Tls::new(ca, |_| true);
    // Its issuer is known to nobody, and the host is another one.
    let client = upstream_client_config();
    let (seen, _) = shake(&tls, &client, "anything.localhost").unwrap();
    assert_eq!(
        seen.alpn_protocol(),
        Some(&b"http/1.1"[..]),
        "more is not spoken to servers by TLS"
    );
    let strict = Arc::new(self::client(&root, rustls::ALL_VERSIONS));
    assert!(shake(&tls, &strict, "anything.localhost").is_ok());
    let (_dir, _, stranger) = authority();
    let strict = Arc::new(self::client(&stranger, rustls::ALL_VERSIONS));
    assert!(shake(&tls, &strict, "anything.localhost").is_err(), "others do look");
}
