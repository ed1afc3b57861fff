//! What is known of single ports: static tables that the build makes from `catalog/ports.toml`.

/// What is known of one port.
#[derive(Debug)]
pub struct PortFacts {
    /// The number.
    pub number: u16,
    /// The service's name at IANA; empty if there is none.
    pub iana_name: &'static str,
    /// `assigned`, `unassigned`, `reserved` or `dynamic range`.
    pub iana_status: &'static str,
    /// IANA's description; may be empty.
    pub iana_description: &'static str,
    /// The range that IANA's row covers, where it is more than one port.
    pub iana_range: &'static str,
    /// IANA's remark on unauthorized use; may be empty.
    pub iana_unauthorized_use: &'static str,
    /// Who takes it by convention: ids of the catalog, or a few words.
    pub dev_users: &'static [&'static str],
    /// nmap's name for it; may be empty.
    pub nmap_name: &'static str,
    /// Its position among the TCP ports of nmap-services by how often it was found open.
    pub nmap_rank: Option<u32>,
    /// That frequency, as nmap-services spells it; may be empty.
    pub nmap_frequency: &'static str,
    /// How many other ports share the frequency, so that the rank is only approximate.
    pub nmap_rank_tied_with: Option<u32>,
    /// Whether nmap-services has it at all.
    pub nmap_listed: bool,
    /// Whether `nmap -F` scans it.
    pub nmap_top100: bool,
    /// Whether nmap scans it by default.
    pub nmap_top1000: bool,
    /// What else is worth knowing; may be empty.
    pub notes: &'static str,
}

/// A statement about ports, with where it comes from.
#[derive(Debug)]
pub struct Statement {
    /// The ports that it is about; empty means ports in general.
    pub about: &'static [u16],
    /// The statement.
    pub text: &'static str,
    /// A key of [`source`].
    pub source: &'static str,
    /// The popular belief that it corrects.
    pub corrects: Option<&'static str>,
}

include!(concat!(env!("OUT_DIR"), "/ports.rs"));

/// What is known of a port, if it has an entry.
pub fn facts(port: u16) -> Option<&'static PortFacts> {
    PORTS.binary_search_by_key(&port, |facts| facts.number).ok().map(|index| &PORTS[index])
}

/// Every port with an entry, by number.
pub fn all() -> &'static [PortFacts] {
    PORTS
}

/// The statements about ports.
pub fn statements() -> &'static [Statement] {
    STATEMENTS
}

/// Where a statement comes from.
pub fn source(key: &str) -> Option<&'static str> {
    SOURCES.iter().find(|(name, _)| *name == key).map(|(_, text)| *text)
}
