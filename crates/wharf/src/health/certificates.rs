//! The local CA, and who trusts it.

use std::time::SystemTime;

use wharf_os::trust::{Presence, Store, StoreError};

use super::Finding;
use crate::authority::Authority;

const AREA: &str = "https";
/// From so few days on it is said that the CA ends.
const SOON_DAYS: u64 = 30;

pub(super) fn examine() -> Vec<Finding> {
    let authority = match Authority::of_user() {
        Ok(authority) => authority,
        Err(report) => {
            return vec![Finding::note(AREA, "was not looked at").why(report.what)];
        }
    };
    let now = SystemTime::now();
    match authority.expires_at(now) {
        Ok(None) => vec![
            Finding::good(AREA, "off; names are served over http").why("`wharf trust` turns it on"),
        ],
        Ok(Some(end)) => {
            let mut findings = vec![lasts(end, now)];
            findings.extend(stores(&authority));
            findings
        }
        Err(report) => {
            vec![Finding::of_report(AREA, &report).mended_by("wharf untrust && wharf trust")]
        }
    }
}

fn lasts(end: SystemTime, now: SystemTime) -> Finding {
    let days = end.duration_since(now).unwrap_or_default().as_secs() / (24 * 60 * 60);
    match days {
        0..SOON_DAYS => Finding::note(AREA, format!("the local CA ends in {days} days"))
            .mended_by("wharf trust"),
        days => Finding::good(AREA, format!("the local CA is good for {days} days")),
    }
}

fn stores(authority: &Authority) -> Vec<Finding> {
    let Ok(record) = authority.record() else { return Vec::new() };
    authority.stores(&record).iter().map(|store| store_of(authority, store)).collect()
}

fn store_of(authority: &Authority, store: &Store) -> Finding {
    let place = store.place.display();
    match authority.places.presence(store, &authority.anchor) {
        Ok(Presence::Whole) => Finding::good(AREA, format!("trusted by {place}")),
        Ok(Presence::Absent | Presence::Part) => {
            Finding::trouble(AREA, format!("not trusted by {place}")).mended_by("wharf trust")
        }
        Err(error @ StoreError::NoTool { .. }) => {
            Finding::note(AREA, format!("{place} cannot be looked into"))
                .why(error.to_string())
                .mended_by("wharf trust")
        }
        Err(error) => {
            Finding::note(AREA, format!("{place} cannot be looked into")).why(error.to_string())
        }
    }
}
