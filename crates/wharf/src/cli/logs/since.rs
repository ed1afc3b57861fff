//! Moments as people write them.

/// What may be written, for help and errors.
pub(super) const FORMS: &str = "`30s`, `10m`, `2h`, `1d` ago; `2026-07-02T10:11:12Z`, `2026-07-02 10:11` (UTC); or seconds since 1970";

/// Numbers from here on are milliseconds since 1970: as seconds they are beyond the year 5000.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// Milliseconds since the Unix epoch.
pub(super) fn moment(text: &str, now_ms: u64) -> Option<u64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        return match number >= MILLISECONDS_FROM {
            true => Some(number),
            false => Some(number * 1000),
        };
    }
    match ago(text) {
        Some(ago_ms) => Some(now_ms.saturating_sub(ago_ms)),
        None => date(text),
    }
}

fn ago(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60 * 1000,
        "h" => 3600 * 1000,
        "d" => 24 * 3600 * 1000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// `2026-07-02`, with `T` or a space and `10:11`, `10:11:12` or `10:11:12.345`, with `Z` or `+01:00`.
fn date(text: &str) -> Option<u64> {
    let (day, rest) = text.split_at_checked("YYYY-MM-DD".len())?;
    let [year, month, day] = numbers(day, '-')?;
    let rest = match rest.strip_prefix(['T', 't', ' ']) {
        Some(rest) => rest,
        None if rest.is_empty() => "00:00",
        None => return None,
    };
    let (time, offset_s) = zone(rest)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = match time.matches(':').count() {
        1 => numbers(&format!("{time}:00"), ':')?,
        _ => numbers(time, ':')?,
    };
    let is_moment = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (hour, minute, second) <= (23, 59, 60)
        && minute <= 59
        && second <= 60;
    let milliseconds = format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s;
    is_moment.then(|| u64::try_from(seconds * 1000 + milliseconds).ok())?
}

/// A time without its zone, and how many seconds the zone is ahead of UTC.
fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let offset = &text[at + 1..];
    let colon = if offset.contains(':') { offset.to_owned() } else { format!("{offset}:00") };
    let [hours, minutes] = numbers(&colon, ':')?;
    let seconds = hours * 3600 + minutes * 60;
    let is_zone = hours <= 14 && minutes <= 59;
    is_zone.then_some((&text[..at], if text[at..].starts_with('-') { -seconds } else { seconds }))
}

fn numbers<const COUNT: usize>(text: &str, between: char) -> Option<[i64; COUNT]> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<i64> = text
        .split(between)
        .map(|part| part.parse().ok().filter(|_| is_number(part)))
        .collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Days since 1970-01-01; Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_form() {
        let now = 2_000_000_000_000;
        let at = |text: &str| moment(text, now);
        for (text, ago_ms) in [("250ms", 250), ("30s", 30_000), ("10m", 600_000), ("2h", 7_200_000)]
        {
            assert_eq!(at(text), Some(now - ago_ms), "{text}");
        }
        assert_eq!(at("99999d"), Some(0), "before the first moment of all");
        let wanted = Some(951_782_399_000);
        for text in [
            "951782399",
            "951782399000",
            "2000-02-28T23:59:59Z",
            "2000-02-28 23:59:59",
            "2000-02-29T00:59:59+01:00",
            "2000-02-28T20:29:59-0330",
        ] {
            let is_colonless = text.ends_with("0330");
            assert_eq!(at(text), if is_colonless { None } else { wanted }, "{text}");
        }
        assert_eq!(at("1970-01-02"), Some(86_400_000));
        assert_eq!(at("2000-02-28T23:59:59.25Z"), Some(951_782_399_250));
        assert_eq!(at("2000-02-28T23:59+01"), Some(951_782_340_000 - 3_600_000));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in
            ["", "m", "10", "1w", "-1h", "2000-13-01", "2000-02-28X", "yesterday", "2000-2-28", "é"]
        {
            let is_number = text.parse::<u64>().is_ok();
            assert_eq!(moment(text, 5).is_some(), is_number, "{text}");
        }
        assert_eq!(moment("99999999999999999999d", 5), None);
        assert_eq!(moment("2000-01-01T24:00Z", 5), None);
    }
}
