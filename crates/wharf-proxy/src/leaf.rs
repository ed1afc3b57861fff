//! Certificates of single hosts, made when they are asked for and kept in memory only.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::ca::{BACKDATED, Ca};

/// Valid for two weeks: nobody sees it end, since it is made anew before.
const LIFETIME: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How long before its end it is made anew; a connection that begins now may last.
const RENEWAL: Duration = Duration::from_secs(24 * 60 * 60);
/// The most that are kept. A wildcard route has names without end, and whoever is on this machine may
/// ask for all of them.
pub(crate) const KEPT_MAX: usize = 256;

/// Why there is no certificate for a host.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// The authority may not sign it: no client would take it.
    #[error("`{host}` is not `localhost` or below it")]
    OutOfBounds {
        /// The host.
        host: String,
    },
    /// The authority has ended, or ends in a moment.
    #[error("the local CA has expired")]
    Expired,
    /// It cannot be made.
    #[error("no certificate can be made for `{host}`")]
    Mint {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// What was made is no key for TLS.
    #[error("no key can be made for `{host}`")]
    Key {
        /// The host.
        host: String,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
}

/// The certificates of hosts, by one authority.
pub struct Leaves {
    ca: Ca,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    leaves: HashMap<String, Leaf>,
    /// Counts the questions, so that the leaf that was asked for longest ago is known.
    questions: u64,
}

struct Leaf {
    key: Arc<CertifiedKey>,
    not_before: SystemTime,
    not_after: SystemTime,
    asked: u64,
}

impl Leaf {
    /// Also where the clock was put back: a certificate of the future is as bad as one of the past.
    fn is_good(&self, now: SystemTime) -> bool {
        now >= self.not_before && now + RENEWAL < self.not_after
    }
}

impl Leaves {
    /// No certificates yet.
    pub fn new(ca: Ca) -> Leaves {
        Leaves { ca, kept: Mutex::default() }
    }

    /// The chain and key for a host in lower case: the one that was made before, as long as it is good.
    ///
    /// # Errors
    /// The authority may not sign that name, or has expired.
    pub fn get(&self, host: &str, now: SystemTime) -> Result<Arc<CertifiedKey>, LeafError> {
        // A map that somebody panicked over is still a map.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.questions += 1;
        let asked = kept.questions;
        if let Some(leaf) = kept.leaves.get_mut(host).filter(|leaf| leaf.is_good(now)) {
            leaf.asked = asked;
            return Ok(leaf.key.clone());
        }
        let leaf = Leaf { asked, ..self.mint(host, now)? };
        let key = leaf.key.clone();
        kept.leaves.remove(host);
        kept.make_room();
        kept.leaves.insert(host.to_owned(), leaf);
        Ok(key)
    }

    fn mint(&self, host: &str, now: SystemTime) -> Result<Leaf, LeafError> {
        if !may_be_signed(host) {
            return Err(LeafError::OutOfBounds { host: host.to_owned() });
        }
        let (not_before, not_after) = validity(&self.ca, now)?;
        let key = sign(&self.ca, host, not_before, not_after)?;
        Ok(Leaf { key: Arc::new(key), not_before, not_after, asked: 0 })
    }
}

impl Kept {
    fn make_room(&mut self) {
        while self.leaves.len() >= KEPT_MAX {
            let oldest = self.leaves.iter().min_by_key(|(_, leaf)| leaf.asked);
            let Some(host) = oldest.map(|(host, _)| host.clone()) else {
                return;
            };
            self.leaves.remove(&host);
        }
    }
}

impl fmt::Debug for Leaves {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Leaves").field("ca", &self.ca).finish_non_exhaustive()
    }
}

/// A key of its own, and a certificate for this one name.
fn sign(
    ca: &Ca,
    host: &str,
    not_before: SystemTime,
    not_after: SystemTime,
) -> Result<CertifiedKey, LeafError> {
    let mint = |source| LeafError::Mint { host: host.to_owned(), source };
    let (certificate, key) = make(ca, &[host], not_before, not_after).map_err(mint)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&der)
        .map_err(|source| LeafError::Key { host: host.to_owned(), source })?;
    // With the authority, which some clients want to see, and which says in its name whose it is.
    Ok(CertifiedKey::new(vec![certificate.der().clone(), ca.certificate().clone()], key))
}

/// A chain and its key, for servers that read them from a file.
///
/// # Errors
/// The authority may not sign one of the names, or has expired.
pub(crate) fn pem(ca: &Ca, hosts: &[&str], now: SystemTime) -> Result<String, LeafError> {
    if let Some(odd) = hosts.iter().find(|host| !may_be_signed(host)) {
        return Err(LeafError::OutOfBounds { host: (*odd).to_owned() });
    }
    let (not_before, not_after) = validity(ca, now)?;
    let mint = |source| LeafError::Mint { host: hosts.join(" "), source };
    let (certificate, key) = make(ca, hosts, not_before, not_after).map_err(mint)?;
    Ok(format!("{}{}{}", certificate.pem(), ca.pem(), key.serialize_pem()))
}

fn may_be_signed(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// From when to when a leaf that is made now is good.
fn validity(ca: &Ca, now: SystemTime) -> Result<(SystemTime, SystemTime), LeafError> {
    let not_before = (now - BACKDATED).max(ca.valid_from());
    let not_after = (not_before + LIFETIME).min(ca.expires_at());
    if now >= not_after { Err(LeafError::Expired) } else { Ok((not_before, not_after)) }
}

fn make(
    ca: &Ca,
    hosts: &[&str],
    not_before: SystemTime,
    not_after: SystemTime,
) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // The host is in the names alone: a common name has room for 64 characters, and nobody reads it.
    params.distinguished_name.push(DnType::OrganizationName, "wharf, for this machine only");
    for host in hosts {
        params.subject_alt_names.push(SanType::DnsName((*host).try_into()?));
    }
    params.not_before = not_before.into();
    params.not_after = not_after.into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.signed_by(&key, ca.issuer())?;
    Ok((certificate, key))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use x509_parser::extensions::GeneralName;
    use x509_parser::prelude::{FromDer, X509Certificate};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// An authority in a folder of its own, and that folder.
    pub(crate) fn authority(now: SystemTime) -> (tempfile::TempDir, Ca) {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(&dir.path().join("ca"), "anna@laptop", now).unwrap();
        (dir, ca)
    }

    fn leaves() -> (SystemTime, Leaves) {
        let now = SystemTime::now();
        (now, Leaves::new(authority(now).1))
    }

    #[test]
    fn a_leaf_is_for_one_host_and_for_less_than_thirty_days() {
        let (now, leaves) = leaves();
        let key = leaves.get("api.shop.localhost", now).unwrap();
        assert_eq!(key.cert.len(), 2);
        let (_, leaf) = X509Certificate::from_der(&key.cert[0]).unwrap();
        let names = leaf.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::DNSName("api.shop.localhost")]);
        let seconds = |time: x509_parser::time::ASN1Time| time.timestamp();
        let validity = leaf.validity();
        let length = seconds(validity.not_after) - seconds(validity.not_before);
        assert!(length <= 30 * 24 * 60 * 60, "{length}");
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        assert!(seconds(validity.not_before) < now && now < seconds(validity.not_after));
        assert!(leaf.basic_constraints().unwrap().is_none_or(|basic| !basic.value.ca));
        let (_, ca) = X509Certificate::from_der(&key.cert[1]).unwrap();
        assert_eq!(leaf.issuer(), ca.subject());
        key.keys_match().unwrap();
    }

    #[test]
    fn the_same_leaf_is_given_until_it_is_due_and_after_the_clock_was_put_back() {
        let (now, leaves) = leaves();
        let get = |at| leaves.get("shop.localhost", at).unwrap();
        let first = get(now);
        assert!(Arc::ptr_eq(&first, &get(now + 12 * DAY)));
        let second = get(now + 14 * DAY);
        assert!(!Arc::ptr_eq(&first, &second));
        assert!(Arc::ptr_eq(&second, &get(now + 15 * DAY)));
        assert!(!Arc::ptr_eq(&second, &get(now)), "it is not valid yet");
        let serial = |key: &CertifiedKey| {
            X509Certificate::from_der(&key.cert[0]).unwrap().1.raw_serial().to_vec()
        };
        assert_ne!(serial(&first), serial(&second), "browsers refuse a serial number twice");
    }

    #[test]
    fn no_leaf_outlives_its_authority() {
        let (now, leaves) = leaves();
        let end = leaves.ca.expires_at();
        let key = leaves.get("shop.localhost", end - 2 * DAY).unwrap();
        let (_, leaf) = X509Certificate::from_der(&key.cert[0]).unwrap();
        let end_seconds = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64;
        assert_eq!(leaf.validity().not_after.timestamp(), end_seconds);
        assert!(matches!(leaves.get("shop.localhost", end), Err(LeafError::Expired)));
        assert!(leaves.get("shop.localhost", now).is_ok());
    }

    #[test]
    fn what_the_authority_may_not_sign_is_not_tried() {
        let (now, leaves) = leaves();
        for host in ["example.com", "shop.test", "notlocalhost", "127.0.0.1", ""] {
            let refused = leaves.get(host, now);
            assert!(matches!(refused, Err(LeafError::OutOfBounds { .. })), "{host}");
        }
        assert!(leaves.get("localhost", now).is_ok());
    }

    #[test]
    fn no_more_than_a_few_are_kept_and_the_used_ones_stay() {
        let (now, leaves) = leaves();
        let used = leaves.get("used.localhost", now).unwrap();
        for number in 0..2 * KEPT_MAX {
            leaves.get(&format!("n{number}.localhost"), now).unwrap();
            leaves.get("used.localhost", now).unwrap();
        }
        assert_eq!(leaves.kept.lock().unwrap().leaves.len(), KEPT_MAX);
        assert!(Arc::ptr_eq(&used, &leaves.get("used.localhost", now).unwrap()));
    }
}
