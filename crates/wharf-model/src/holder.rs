//! Who is in the way: the holder of a port that was wanted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::key::ServiceKey;

/// What is known of whoever holds a port. Every part may be unknown: a process of another user is
/// not visible, a port can be redirected by the firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The wharf service whose port it is, running or not.
    pub key: Option<ServiceKey>,
    /// The process, where it may be seen.
    pub pid: Option<u32>,
    /// Its short name (`comm`).
    pub command: Option<String>,
    /// Its working directory.
    pub folder: Option<String>,
    /// The name of the user, or the number where it has none.
    pub user: Option<String>,
    /// Seconds since it started.
    pub age_s: Option<u64>,
    /// What else is known, such as "answers, but no socket of this network namespace listens".
    pub note: Option<String>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = Vec::new();
        if let Some(pid) = self.pid {
            facts.push(format!("pid {pid}"));
        }
        if let Some(folder) = &self.folder {
            facts.push(folder.clone());
        }
        if let Some(user) = &self.user {
            facts.push(format!("user {user}"));
        }
        if let Some(age) = self.age_s {
            facts.push(format!("up {}", Age(age)));
        }
        match (&self.key, &self.command) {
            (Some(key), _) => write!(f, "{key}")?,
            (None, Some(command)) => write!(f, "`{command}`")?,
            (None, None) if facts.is_empty() && self.note.is_none() => {
                return f.write_str("a process that may not be seen");
            }
            (None, None) if self.note.is_some() => {}
            (None, None) => f.write_str("a process that may not be seen")?,
        }
        if let Some(note) = &self.note {
            let gap = if self.key.is_some() || self.command.is_some() { ", " } else { "" };
            write!(f, "{gap}{note}")?;
        }
        if !facts.is_empty() {
            write!(f, " ({})", facts.join(", "))?;
        }
        Ok(())
    }
}

/// A number of seconds in the largest unit that fits, for people: `42 s`, `5 min`, `2 h`, `3 d`.
#[derive(Clone, Copy, Debug)]
pub struct Age(pub u64);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s @ 0..=119 => write!(f, "{s} s"),
            s @ 120..=7199 => write!(f, "{} min", s / 60),
            s @ 7200..=172_799 => write!(f, "{} h", s / 3600),
            s => write!(f, "{} d", s / 86_400),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_says_what_is_known_and_no_more() {
        let mut holder = Holder {
            pid: Some(41822),
            command: Some("node".into()),
            folder: Some("~/code/shop".into()),
            age_s: Some(7300),
            ..Holder::default()
        };
        assert_eq!(holder.to_string(), "`node` (pid 41822, ~/code/shop, up 2 h)");
        holder = Holder { user: Some("anna".into()), ..Holder::default() };
        assert_eq!(holder.to_string(), "a process that may not be seen (user anna)");
        assert_eq!(Holder::default().to_string(), "a process that may not be seen");
        holder = Holder { note: Some("a firewall redirect".into()), ..Holder::default() };
        assert_eq!(holder.to_string(), "a firewall redirect");
    }
}
