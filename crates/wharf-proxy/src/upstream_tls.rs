//! TLS towards dev servers that speak nothing else.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

/// A client that takes any certificate.
///
/// It is right for upstreams, and for nothing else. A dev server signs its certificate itself, so there is
/// nobody to ask whether it is the right one. Who answers is known in another and a better way: before the
/// first byte is sent, the kernel has said that the listener on that port of this machine's loopback is
/// held by this very instance, or by this user. The bytes never leave the machine. A connection to any
/// other place, or to a listener whose owner was not looked at, must not be made with this.
pub fn upstream_client_config() -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .expect("the provider has suites for every version that rustls knows");
    let verifier = Arc::new(OwnListener { provider });
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    // HTTP/2 over TLS is not spoken to servers: one that was offered it would choose it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// Whoever holds the listener is the right one: see [`upstream_client_config`].
#[derive(Debug)]
struct OwnListener {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnListener {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// That the server has the key to its certificate says nothing where any certificate will do; and the
    /// check refuses the old forms (version 1) that some tools still make.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// As for TLS 1.2.
    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
