//! What tells a finding of today from one of yesterday.

use super::files::Files;
use super::finding::{Finding, Place};

/// A number that stays the same while lines above a finding come and go, and processes are started anew: of the
/// rule, the file and the line's text, or of the rule, the port and the program. `earlier` is how many findings
/// before this one have the same.
///
/// FNV-1a of 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): it has to be stable, not secret.
pub fn fingerprint(finding: &Finding, files: &Files, earlier: usize) -> String {
    let mut text = vec![finding.rule.id.to_owned()];
    match &finding.place {
        Place::File { path, line } => {
            text.push(path.to_string_lossy().into_owned());
            text.push(files.line(path, *line).unwrap_or_default().trim().to_owned());
        }
        Place::Listener { port, command, .. } => text.extend([port.to_string(), command.clone()]),
        Place::Port(port) => text.push(port.to_string()),
    }
    if earlier > 0 {
        text.push(earlier.to_string());
    }
    format!("{:016x}", hash(text.join("\u{0}").as_bytes()))
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
