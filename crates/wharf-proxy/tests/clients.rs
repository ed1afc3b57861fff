//! What the clients that people use say: OpenSSL, curl, Node and Python take what the authority may sign,
//! and refuse what it may not, even though its own key has signed it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use wharf_proxy::{Ca, CaFiles, Tls};

/// How long a client may leave the server waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// A host that is served.
const HOST: &str = "api.shop.localhost";

struct Authority {
    dir: tempfile::TempDir,
    files: CaFiles,
}

fn authority() -> (Authority, Ca) {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("ca");
    let ca = Ca::create(&place, "anna@laptop", SystemTime::now()).unwrap();
    // Another authority in place of the system's roots.
    let other = Ca::create(&dir.path().join("other"), "system", SystemTime::now()).unwrap();
    ca.write_bundle(&place, other.pem()).unwrap();
    (Authority { files: CaFiles::of(&place), dir }, ca)
}

impl Authority {
    /// A certificate that wharf itself never makes: whatever name, by the authority's own key.
    fn misuse(&self, names: &[&str]) -> (PathBuf, Arc<ServerConfig>) {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let key = KeyPair::from_pem(&read(&self.files.key)).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&read(&self.files.certificate), key).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        // From a minute ago: `time()`, by which OpenSSL judges, is some milliseconds behind our clock.
        params.not_before = (SystemTime::now() - Duration::from_secs(60)).into();
        params.not_after = (SystemTime::now() + Duration::from_secs(86_400)).into();
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let file = self.dir.path().join("misused.pem");
        std::fs::write(&file, certificate.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let chain = vec![certificate.der().clone()];
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        (file, Arc::new(config))
    }
}

/// Answers every request with "yes", as long as the test runs. The port is held all the time.
fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            // A client that goes away in the middle has said what it thinks.
            std::thread::spawn(move || stream.and_then(|stream| answer(stream, config)));
        }
    });
    port
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let stream = stream.get_mut();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// Whether it succeeded, and all that it said.
fn run(
    program: &str,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    envs: &[(&str, &Path)],
) -> (bool, String) {
    let mut command = Command::new(program);
    // What the machine says of certificates must not decide.
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
        command.env_remove(name);
    }
    for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    command.args(args).envs(envs.iter().copied()).stdin(Stdio::null());
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `script/parts system` installs it"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

const NODE: &str = "\
const [port, host] = process.argv.slice(1);
const options = { host: '127.0.0.1', port, servername: host, path: '/', headers: { host } };
require('https').get(options, answer => answer.pipe(process.stdout))
  .on('error', error => { console.error(error.code, error.message); process.exit(1) });";

const PYTHON: &str = "\
import socket, ssl, sys
port, host = int(sys.argv[1]), sys.argv[2]
with socket.create_connection(('127.0.0.1', port)) as plain:
    with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as stream:
        stream.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
        while piece := stream.recv(4096): print(piece.decode(), end='')";

/// What each client says of a host on this port: its name, whether it is content, its words.
fn ask_all(port: u16, host: &str, files: &CaFiles) -> Vec<(&'static str, bool, String)> {
    let address = format!("127.0.0.1:{port}");
    let (ca, bundle) = (&files.certificate, &files.bundle);
    let ca_text = ca.to_str().unwrap();
    let openssl = ["s_client", "-connect", &address, "-servername", host, "-verify_hostname", host];
    let openssl =
        [&openssl[..], &["-verify_return_error", "-x509_strict", "-CAfile", ca_text]].concat();
    let resolve = format!("{host}:{port}:127.0.0.1");
    let url = format!("https://{host}:{port}/");
    let curl = ["-sS", "--http1.1", "--cacert", ca_text, "--resolve", &resolve, &url];
    let port = port.to_string();
    let answers = [
        ("openssl", run("openssl", openssl, &[])),
        ("curl", run("curl", curl, &[])),
        ("node", run("node", ["-e", NODE, &port, host], &[("NODE_EXTRA_CA_CERTS", ca)])),
        ("python3", run("python3", ["-c", PYTHON, &port, host], &[("SSL_CERT_FILE", bundle)])),
    ];
    answers.map(|(name, (content, said))| (name, content, said)).into()
}

#[test]
fn every_client_takes_the_leaf_of_a_registered_host() {
    let (authority, ca) = authority();
    let tls = Tls::new(ca, |host| host == HOST);
    let port = serve(tls.server_config());
    for (client, content, said) in ask_all(port, HOST, &authority.files) {
        assert!(content, "{client}: {said}");
        let sign = if client == "openssl" { "Verify return code: 0 (ok)" } else { "yes" };
        assert!(said.contains(sign), "{client}: {said}");
    }
}

#[test]
fn every_client_says_no_to_a_host_that_is_not_registered() {
    let (authority, ca) = authority();
    let tls = Tls::new(ca, |host| host == HOST);
    let port = serve(tls.server_config());
    for (client, content, said) in ask_all(port, "other.localhost", &authority.files) {
        assert!(!content && !said.contains("yes"), "{client}: {said}");
        assert!(said.contains("alert") || said.contains("ALERT"), "{client}: {said}");
    }
}

#[test]
fn every_client_refuses_what_the_authority_may_not_sign() {
    let (authority, _ca) = authority();
    for host in ["evil.example", "shop.localhost.evil.example", "notlocalhost"] {
        let (_, config) = authority.misuse(&[host]);
        let port = serve(config);
        for (client, content, said) in ask_all(port, host, &authority.files) {
            assert!(!content, "{client} took {host}: {said}");
            let told = said.to_lowercase();
            let told = told.contains("permitted subtree") || told.contains("certificate verify");
            assert!(told || client == "curl" && said.contains("certificate"), "{client}: {said}");
        }
    }
    // The same certificate is good for a name within bounds: nothing else was wrong with it.
    let (_, config) = authority.misuse(&[HOST]);
    let port = serve(config);
    for (client, content, said) in ask_all(port, HOST, &authority.files) {
        assert!(content, "{client}: {said}");
    }
}

#[test]
fn openssl_verifies_names_and_addresses_by_the_constraints() {
    let (authority, _ca) = authority();
    let ca = authority.files.certificate.to_str().unwrap();
    let verify = |names: &[&str]| {
        let (file, _) = authority.misuse(names);
        run("openssl", ["verify", "-x509_strict", "-CAfile", ca, file.to_str().unwrap()], &[])
    };
    for good in [&["shop.localhost"][..], &["localhost", "127.0.0.1", "127.9.9.9", "::1"]] {
        let (content, said) = verify(good);
        assert!(content, "{good:?}: {said}");
    }
    for bad in [&["evil.example"][..], &["8.8.8.8"], &["::2"], &["shop.localhost", "evil.example"]]
    {
        let (content, said) = verify(bad);
        assert!(!content && said.contains("permitted subtree violation"), "{bad:?}: {said}");
    }
    let (content, text) = run("openssl", ["x509", "-noout", "-text", "-in", ca], &[]);
    assert!(content, "{text}");
    for line in [
        "X509v3 Name Constraints: critical",
        "DNS:localhost",
        "IP:127.0.0.0/255.0.0.0",
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "TLS Web Server Authentication",
        "anna@laptop",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
