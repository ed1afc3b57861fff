//! The local certificate authority: what it may sign is written into it, so that a key that is stolen
//! can pretend to be nobody but this machine's own loopback names.

mod folder;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use folder::FolderError;
use folder::{Folder, PRIVATE, PUBLIC};

/// The private key, which never leaves its folder.
const KEY: &str = "ca-key.pem";
/// The certificate.
const CERTIFICATE: &str = "ca.pem";
/// The system's roots and the certificate, for programs that take one file instead of the system's.
const BUNDLE: &str = "bundle.pem";
/// How the files begin that were made for servers of other tools.
const HANDED_OVER: &str = "handed-over-";

/// A year, and no more: what is forgotten ends by itself.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long before its end a new one is due.
const RENEWAL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Valid from a little before, for clocks that are behind: virtual machines, containers.
pub(crate) const BACKDATED: Duration = Duration::from_secs(60 * 60);
/// The most characters of a common name (X.520, `ub-common-name`).
const COMMON_NAME_MAX: usize = 64;

/// Why there is no authority.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Nobody has made one yet.
    #[error("there is no certificate in `{}`", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// Something is there, and nothing is ever overwritten.
    #[error("there is a key already in `{}`", dir.display())]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// A file or the folder cannot be trusted, or cannot be had.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Key or certificate cannot be made or read.
    #[error("`{}` cannot be used", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// What the reader of such files says.
        #[source]
        source: rcgen::Error,
    },
    /// Someone else's certificate lies beside the key, or someone else's key beside the certificate.
    #[error("key and certificate in `{}` do not belong together", dir.display())]
    Unfit {
        /// The folder.
        dir: PathBuf,
    },
    /// It is no authority with the constraints that wharf's has.
    #[error("the certificate in `{}` may sign more than names of this machine", dir.display())]
    Unconstrained {
        /// The folder.
        dir: PathBuf,
    },
    /// It was good for a year at most.
    #[error("the certificate in `{}` has expired", dir.display())]
    Expired {
        /// The folder.
        dir: PathBuf,
    },
}

/// What keeps a certificate from being handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandOverError {
    /// It cannot be made.
    #[error(transparent)]
    Leaf(#[from] crate::leaf::LeafError),
    /// It cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// A certificate authority with its key, in memory.
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// Where the parts lie. The files need not be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFiles {
    /// The private key.
    pub key: PathBuf,
    /// The certificate.
    pub certificate: PathBuf,
    /// The system's roots and the certificate.
    pub bundle: PathBuf,
}

impl CaFiles {
    /// The files in this folder.
    pub fn of(dir: &Path) -> CaFiles {
        CaFiles { key: dir.join(KEY), certificate: dir.join(CERTIFICATE), bundle: dir.join(BUNDLE) }
    }
}

impl Ca {
    /// Makes a new authority for `owner` (such as `anna@laptop`) and writes it into the folder, which
    /// is made with mode 0700 if it is missing. Valid from now on for a year.
    ///
    /// # Errors
    /// There is a key already, or the folder is open to others, another's, or a symbolic link.
    pub fn create(dir: &Path, owner: &str, now: SystemTime) -> Result<Ca, CaError> {
        let folder = Folder::make(dir)?;
        let files = CaFiles::of(dir);
        let unusable = |source| CaError::Unusable { file: files.certificate.clone(), source };
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(unusable)?;
        let params = params(owner, now);
        let certificate = params.self_signed(&key).map_err(unusable)?;
        match folder.create(KEY, PRIVATE, key.serialize_pem().as_bytes()) {
            Err(FolderError::Exists { .. }) => return Err(CaError::Exists { dir: dir.into() }),
            written => written?,
        }
        // Last, so that a certificate is never without its key.
        folder.replace(CERTIFICATE, PUBLIC, certificate.pem().as_bytes())?;
        Ca::load(dir, now)
    }

    /// Reads the authority of this folder.
    ///
    /// # Errors
    /// None is there, or it cannot be trusted: its key is readable by others or another user's, it has
    /// expired, key and certificate do not fit, it may sign more than wharf's own.
    pub fn load(dir: &Path, now: SystemTime) -> Result<Ca, CaError> {
        let missing = || CaError::Missing { dir: dir.into() };
        let files = CaFiles::of(dir);
        let folder = Folder::open(dir)?.ok_or_else(missing)?;
        let pem = folder.read(CERTIFICATE, PUBLIC)?.ok_or_else(missing)?;
        let key = folder.read(KEY, PRIVATE)?.ok_or_else(missing)?;
        let unusable = |source| CaError::Unusable { file: files.certificate.clone(), source };
        let unreadable = || unusable(rcgen::Error::CouldNotParseCertificate);
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
        let key = KeyPair::from_pem(&key)
            .map_err(|source| CaError::Unusable { file: files.key.clone(), source })?;
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|_| unreadable())?;
        if parsed.public_key().subject_public_key.data != key.public_key_raw() {
            return Err(CaError::Unfit { dir: dir.into() });
        }
        if !is_constrained(&parsed) {
            return Err(CaError::Unconstrained { dir: dir.into() });
        }
        let not_before = moment(parsed.validity().not_before.timestamp());
        let not_after = moment(parsed.validity().not_after.timestamp());
        if now >= not_after {
            return Err(CaError::Expired { dir: dir.into() });
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(unusable)?;
        Ok(Ca { issuer, certificate, pem, not_before, not_after })
    }

    /// Deletes key, certificate and bundle; what else lies in the folder stays.
    ///
    /// # Errors
    /// The folder cannot be trusted, or a file cannot be deleted.
    pub fn delete(dir: &Path) -> Result<(), CaError> {
        let Some(folder) = Folder::open(dir)? else {
            return Ok(());
        };
        [KEY, CERTIFICATE, BUNDLE].into_iter().try_for_each(|name| folder.delete(name))?;
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        for name in names.filter(|name| name.starts_with(HANDED_OVER)) {
            folder.delete(&name)?;
        }
        Ok(())
    }

    /// Deletes the private key alone: nothing can be signed any more, and the certificate still tells
    /// what is to be taken out of the stores.
    ///
    /// # Errors
    /// The folder cannot be trusted, or the file cannot be deleted.
    pub fn delete_key(dir: &Path) -> Result<(), CaError> {
        let Some(folder) = Folder::open(dir)? else {
            return Ok(());
        };
        Ok(folder.delete(KEY)?)
    }

    /// Writes the system's roots and the certificate into one file beside it.
    ///
    /// # Errors
    /// The folder cannot be trusted, or is full.
    pub fn write_bundle(&self, dir: &Path, roots: &str) -> Result<(), CaError> {
        let folder = Folder::make(dir)?;
        let body = self.pem.trim();
        let separator = if roots.ends_with('\n') || roots.is_empty() { "" } else { "\n" };
        // The system's own may hold it since the last time.
        let text = match roots.contains(body) {
            true => roots.to_owned(),
            false => format!("{roots}{separator}{body}\n"),
        };
        Ok(folder.replace(BUNDLE, PUBLIC, text.as_bytes())?)
    }

    /// Writes a certificate for these hosts, the authority's and the key into one file of mode 0600 beside it, for
    /// a server of another tool's; gives the file. `label` has letters, digits and hyphens.
    ///
    /// # Errors
    /// The authority may not sign one of the names or has expired; the folder cannot be trusted, or is full.
    pub fn hand_over(
        &self,
        dir: &Path,
        label: &str,
        hosts: &[&str],
        now: SystemTime,
    ) -> Result<PathBuf, HandOverError> {
        let text = crate::leaf::pem(self, hosts, now)?;
        let name = format!("{HANDED_OVER}{label}.pem");
        Folder::make(dir)?.replace(&name, PRIVATE, text.as_bytes())?;
        Ok(dir.join(name))
    }

    /// The certificate as a file has it.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// When it ends.
    pub fn expires_at(&self) -> SystemTime {
        self.not_after
    }

    /// Whether a new one is due.
    pub fn expires_soon(&self, now: SystemTime) -> bool {
        now + RENEWAL > self.not_after
    }

    /// From when on it is valid.
    pub(crate) fn valid_from(&self) -> SystemTime {
        self.not_before
    }

    /// What signs.
    pub(crate) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// Without the key.
impl std::fmt::Debug for Ca {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ca").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

fn moment(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn params(owner: &str, now: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    let name: String =
        format!("wharf local CA {owner}").chars().filter(|c| !c.is_control()).collect();
    let name: String = name.chars().take(COMMON_NAME_MAX).collect();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::OrganizationName, "wharf");
    params.distinguished_name.push(DnType::CommonName, name);
    let from = now - BACKDATED;
    params.not_before = from.into();
    params.not_after = (from + LIFETIME).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Addresses have to be named as well: a kind of name without a constraint is not constrained.
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted(), excluded_subtrees: Vec::new() });
    params
}

fn permitted() -> Vec<GeneralSubtree> {
    vec![
        GeneralSubtree::DnsName("localhost".to_owned()),
        GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
        GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(
            std::net::Ipv6Addr::LOCALHOST.octets(),
            128,
        )),
    ]
}

/// Whether the certificate has exactly the constraints that [`params`] writes: one that was put into
/// the folder by hand and may sign anything would be installed as the user's own.
fn is_constrained(certificate: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::GeneralName;
    let Ok(Some(constraints)) = certificate.name_constraints() else {
        return false;
    };
    let [loopback_v4, loopback_v6] =
        [&[127, 0, 0, 0, 255, 0, 0, 0][..], &[[0; 15].as_slice(), &[1], &[0xff; 16]].concat()];
    let is_known = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => *name == "localhost",
        GeneralName::IPAddress(range) => *range == loopback_v4 || *range == loopback_v6,
        _ => false,
    };
    let subtrees = constraints.value.permitted_subtrees.as_deref().unwrap_or_default();
    let is_kind =
        |dns: bool| subtrees.iter().any(|tree| matches!(tree.base, GeneralName::DNSName(_)) == dns);
    constraints.critical
        && is_kind(true)
        && is_kind(false)
        && subtrees.iter().all(|tree| is_known(&tree.base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn now() -> SystemTime {
        SystemTime::now()
    }

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn made() -> (tempfile::TempDir, PathBuf, Ca) {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("share/wharf/ca");
        let ca = Ca::create(&place, "anna@laptop", now()).unwrap();
        (dir, place, ca)
    }

    #[test]
    fn it_is_written_for_this_user_alone_and_read_back() {
        let (_dir, place, ca) = made();
        let files = CaFiles::of(&place);
        assert_eq!((mode(&place), mode(&files.key)), (0o700, 0o600));
        assert_eq!(mode(&files.certificate), 0o644);
        let again = Ca::load(&place, now()).unwrap();
        assert_eq!(again.certificate(), ca.certificate());
        let left = ca.expires_at().duration_since(now()).unwrap();
        assert!(left <= LIFETIME && left > LIFETIME - DAY, "{left:?}");
        assert!(!format!("{ca:?}").contains("PRIVATE"));
    }

    #[test]
    fn the_certificate_says_what_it_may_sign() {
        let (_dir, _place, ca) = made();
        let (_, parsed) = X509Certificate::from_der(ca.certificate()).unwrap();
        let basic = parsed.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca);
        assert_eq!(basic.value.path_len_constraint, Some(0));
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.value.key_cert_sign() && usage.value.crl_sign());
        assert!(!usage.value.digital_signature() && !usage.value.key_agreement());
        let extended = parsed.extended_key_usage().unwrap().unwrap();
        assert!(extended.value.server_auth && !extended.value.any && !extended.value.client_auth);
        assert!(is_constrained(&parsed));
        assert!(parsed.subject().to_string().contains("anna@laptop"));
        let name = parsed.subject().iter_common_name().next().unwrap().as_str().unwrap().len();
        assert!(name <= COMMON_NAME_MAX);
    }

    #[test]
    fn nothing_is_overwritten() {
        let (_dir, place, ca) = made();
        let again = Ca::create(&place, "anna@laptop", now());
        assert!(matches!(again, Err(CaError::Exists { .. })));
        assert_eq!(Ca::load(&place, now()).unwrap().certificate(), ca.certificate());
    }

    #[test]
    fn links_in_place_of_folder_or_files_are_refused() {
        let (dir, place, _) = made();
        let link = dir.path().join("link");
        symlink(&place, &link).unwrap();
        for refused in [Ca::load(&link, now()), Ca::create(&link, "a", now())] {
            assert!(matches!(refused, Err(CaError::Folder(FolderError::NotFolder { .. }))));
        }
        let files = CaFiles::of(&place);
        let elsewhere = dir.path().join("key");
        std::fs::rename(&files.key, &elsewhere).unwrap();
        symlink(&elsewhere, &files.key).unwrap();
        let read = Ca::load(&place, now());
        assert!(matches!(read, Err(CaError::Folder(FolderError::NotFile { .. }))), "{read:?}");
        assert!(matches!(Ca::create(&place, "a", now()), Err(CaError::Exists { .. })));
        // A link that leads nowhere is not followed to make what it names.
        std::fs::remove_file(&elsewhere).unwrap();
        assert!(matches!(Ca::create(&place, "a", now()), Err(CaError::Exists { .. })));
        assert!(!elsewhere.exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_dir, place, _) = made();
        let key = CaFiles::of(&place).key;
        for bits in [0o644, 0o640, 0o660] {
            std::fs::set_permissions(&key, PermissionsExt::from_mode(bits)).unwrap();
            let refused = Ca::load(&place, now());
            let is_told = matches!(
                refused,
                Err(CaError::Folder(FolderError::Permissions { mode, .. })) if mode == bits
            );
            assert!(is_told, "{refused:?}");
        }
        std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::set_permissions(&place, PermissionsExt::from_mode(0o755)).unwrap();
        let refused = Ca::load(&place, now());
        assert!(matches!(refused, Err(CaError::Folder(FolderError::Permissions { .. }))));
    }

    #[test]
    fn another_users_key_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (_dir, place, _) = made();
        std::os::unix::fs::chown(CaFiles::of(&place).key, Some(65_534), None).unwrap();
        let refused = Ca::load(&place, now());
        let is_told =
            matches!(refused, Err(CaError::Folder(FolderError::Owner { owner: 65_534, .. })));
        assert!(is_told, "{refused:?}");
    }

    #[test]
    fn parts_of_two_authorities_do_not_fit() {
        let (_one, place, _) = made();
        let (_other, theirs, _) = made();
        let (mine, theirs) = (CaFiles::of(&place), CaFiles::of(&theirs));
        std::fs::copy(theirs.certificate, &mine.certificate).unwrap();
        assert!(matches!(Ca::load(&place, now()), Err(CaError::Unfit { .. })));
        std::fs::write(&mine.certificate, "nonsense").unwrap();
        assert!(matches!(Ca::load(&place, now()), Err(CaError::Unusable { .. })));
    }

    #[test]
    fn an_authority_that_may_sign_anything_is_not_taken_for_wharfs() {
        let wider = |change: fn(&mut CertificateParams)| {
            let (dir, place, _) = made();
            let files = CaFiles::of(&place);
            let key = KeyPair::from_pem(&std::fs::read_to_string(&files.key).unwrap()).unwrap();
            let mut params = params("a", now());
            change(&mut params);
            std::fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
            let loaded = Ca::load(&place, now());
            drop(dir);
            matches!(loaded, Err(CaError::Unconstrained { .. }))
        };
        assert!(wider(|params| params.name_constraints = None));
        assert!(wider(|params| {
            params.name_constraints.as_mut().unwrap().permitted_subtrees.truncate(1);
        }));
        assert!(wider(|params| {
            let more = GeneralSubtree::DnsName("example".to_owned());
            params.name_constraints.as_mut().unwrap().permitted_subtrees.push(more);
        }));
        assert!(!wider(|_| {}));
    }

    #[test]
    fn it_ends_and_says_so_before() {
        let (_dir, place, ca) = made();
        assert!(!ca.expires_soon(now()));
        assert!(!ca.expires_soon(ca.expires_at() - RENEWAL - DAY));
        assert!(ca.expires_soon(ca.expires_at() - RENEWAL + DAY));
        assert!(Ca::load(&place, ca.expires_at() - DAY).is_ok());
        assert!(matches!(Ca::load(&place, ca.expires_at()), Err(CaError::Expired { .. })));
    }

    #[test]
    fn it_is_deleted_and_what_else_is_there_stays() {
        let (_dir, place, ca) = made();
        ca.write_bundle(&place, "roots").unwrap();
        std::fs::write(place.join("note"), "").unwrap();
        Ca::delete_key(&place).unwrap();
        assert!(matches!(Ca::load(&place, now()), Err(CaError::Missing { .. })));
        Ca::delete(&place).unwrap();
        Ca::delete(&place).unwrap();
        let left: Vec<_> =
            std::fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["note"]);
        Ca::delete(&place.join("nothing")).unwrap();
    }

    #[test]
    fn the_bundle_holds_the_roots_and_the_certificate_once() {
        let (_dir, place, ca) = made();
        let bundle = CaFiles::of(&place).bundle;
        ca.write_bundle(&place, "# a root without an end of line").unwrap();
        let text = std::fs::read_to_string(&bundle).unwrap();
        assert!(text.starts_with("# a root without an end of line\n-----BEGIN CERTIFICATE-----"));
        assert_eq!(mode(&bundle), 0o644);
        ca.write_bundle(&place, &text).unwrap();
        assert_eq!(std::fs::read_to_string(&bundle).unwrap(), text);
    }
}
