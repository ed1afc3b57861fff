//! Times as people write them.

use std::time::Duration;

/// The longest that may be asked for.
pub(crate) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Seconds, or a number with `s`, `m`, `h` or `d`.
///
/// # Errors
/// A sentence that says what would be one.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'd')) => (&text[..at], 24 * 3600),
        _ => (text, 1),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(seconds) if (1..=LONGEST.as_secs()).contains(&seconds) => {
            Ok(Duration::from_secs(seconds))
        }
        _ => Err("use seconds, or a time such as `90s`, `15m` or `2h`, of a week at most".into()),
    }
}
