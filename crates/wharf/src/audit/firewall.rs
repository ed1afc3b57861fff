//! What is known of the firewall. Only root may read its rules, and whether they let a packet of some network
//! through is more than their text says: wharf says what is there, and judges nothing by it.

use std::fs;
use std::path::Path;

use wharf_os::user;

/// Where the kernel names the tables of the older kind that are loaded; root alone may read it.
const OLD_TABLES: [&str; 2] = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];

/// How the rules are seen by a person.
const SHOW: &str = "`sudo nft list ruleset` and `sudo iptables -S` show it";

/// What can be said of it, in a sentence.
pub(super) fn known() -> String {
    if user::current_uid() != 0 {
        return format!("whether a firewall keeps others out is not known: {SHOW}");
    }
    let mut tables: Vec<String> = OLD_TABLES
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    tables.sort();
    tables.dedup();
    let new = Path::new("/sys/module/nf_tables").exists();
    match (tables.is_empty(), new) {
        (true, false) => {
            "no firewall: neither nftables nor tables of iptables are loaded here".to_owned()
        }
        (true, true) => format!("nftables is loaded; whether its rules keep others out: {SHOW}"),
        (false, _) => format!(
            "iptables has the tables {}; whether their rules keep others out: {SHOW}",
            tables.join(", ")
        ),
    }
}
