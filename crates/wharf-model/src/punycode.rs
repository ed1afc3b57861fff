//! Letters beyond ASCII as a label of the domain name system: RFC 3492, its section 6.3 by the parameters of its
//! section 5.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// The encoded form, without the prefix `xn--`; `None` where a number grows too large.
pub(crate) fn of(letters: &[char]) -> Option<String> {
    let mut out: String = letters.iter().filter(|letter| letter.is_ascii()).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (INITIAL_N, 0_u32, INITIAL_BIAS, basic);
    while let Some(next) = letters.iter().map(|c| u32::from(*c)).filter(|c| *c >= n).min() {
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for code in letters.iter().map(|letter| u32::from(*letter)) {
            if code < n {
                delta = delta.checked_add(1)?;
            }
            if code == n {
                push(&mut out, delta, bias);
                bias = adapted(delta, handled + 1, handled == basic);
                (delta, handled) = (0, handled + 1);
            }
        }
        (delta, n) = (delta.checked_add(1)?, n + 1);
    }
    Some(out)
}

/// One number, of variable length.
fn push(out: &mut String, number: u32, bias: u32) {
    let mut rest = number;
    for k in (BASE..).step_by(BASE as usize) {
        let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if rest < threshold {
            break;
        }
        out.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
        rest = (rest - threshold) / (BASE - threshold);
    }
    out.push(digit(rest));
}

fn adapted(delta: u32, handled: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / handled;
    let mut k = 0;
    while delta > ((BASE - T_MIN) * T_MAX) / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

/// `a` to `z`, then `0` to `9`.
fn digit(value: u32) -> char {
    char::from_digit((value + 10) % BASE, BASE).map_or('a', |digit| digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_the_rfc() {
        // Section 7.1: (B), (E), (I) and (L).
        for (text, encoded) in [
            ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
            ("למההםפשוטלאמדבריםעברית", "4dbcagdahymbxekheh6e0a7fei0b"),
            ("почемужеонинеговорятпорусски", "b1abfaaepdrnnbgefbadotcwatmq2g4l"),
            ("3年b組金八先生", "3b-ww4c5e180e575a65lsy2b"),
        ] {
            let letters: Vec<char> = text.chars().collect();
            assert_eq!(of(&letters).as_deref(), Some(encoded), "{text}");
        }
        assert_eq!(of(&[]).as_deref(), Some(""));
    }
}
