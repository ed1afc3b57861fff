//! Samples of several contenders, and the table of them.

use std::fmt;

/// What was aimed at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim {
    /// The median is under this.
    Under(f64),
    /// What is added to the reference is under this, in the median of the pairs.
    Adds(f64),
    /// The reference is at least this many times better, in the median of the pairs.
    Times(f64),
    /// It is at most so many times the other, in the median of the pairs.
    AtMost(f64),
}

/// One contender's samples, in the order in which they were taken.
#[derive(Clone, Debug)]
pub(crate) struct Contender {
    name: String,
    samples: Vec<f64>,
    aim: Option<Aim>,
}

/// Contenders that were measured in alternation: the nth samples of all are one pair.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    /// Every other contender is compared with the first.
    contenders: Vec<Contender>,
    decimals: usize,
    /// Pairs whose ratio is told below the table: (larger, smaller), and what it is aimed to be.
    compared: Vec<(usize, usize, Option<Aim>)>,
}

impl Aim {
    fn verdict(self, middle: f64, added: f64, ratio: f64) -> String {
        let (what, met) = match self {
            Aim::Under(x) => (format!("< {x}"), middle < x),
            Aim::Adds(x) => (format!("adds < {x}"), added < x),
            Aim::Times(x) => (format!("≥ {x}×"), ratio >= x),
            Aim::AtMost(x) => (format!("≤ {x}×"), ratio <= x),
        };
        format!("{what}: {}", if met { "met" } else { "**missed**" })
    }
}

impl Contender {
    /// A contender without samples.
    pub(crate) fn new(name: impl Into<String>) -> Contender {
        Contender { name: name.into(), samples: Vec::new(), aim: None }
    }

    /// The same with an aim.
    pub(crate) fn aim(self, aim: Aim) -> Contender {
        Contender { aim: Some(aim), ..self }
    }

    /// Takes a sample.
    pub(crate) fn add(&mut self, sample: f64) {
        self.samples.push(sample);
    }
}

impl Table {
    /// A table; its title names the unit.
    pub(crate) fn new(title: &str, contenders: Vec<Contender>) -> Table {
        Table { title: title.to_owned(), contenders, decimals: 2, compared: Vec::new() }
    }

    /// The same with so many decimals.
    pub(crate) fn decimals(self, decimals: usize) -> Table {
        Table { decimals, ..self }
    }

    /// The same with a line below that says how many times `larger` is the size of `smaller`.
    pub(crate) fn compare(mut self, larger: usize, smaller: usize) -> Table {
        self.compared.push((larger, smaller, None));
        self
    }

    /// The same with an aim for that ratio.
    pub(crate) fn compare_for(mut self, larger: usize, smaller: usize, aim: Aim) -> Table {
        self.compared.push((larger, smaller, Some(aim)));
        self
    }

    /// Takes a sample of the contender with this number.
    pub(crate) fn add(&mut self, contender: usize, sample: f64) {
        self.contenders[contender].add(sample);
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, contender: &Contender) -> fmt::Result {
        let Contender { name, samples, aim } = contender;
        let reference = &self.contenders[0].samples;
        let d = self.decimals;
        let Some(middle) = median(samples) else {
            return writeln!(f, "| {name} | not installed | | | | | | |");
        };
        let least = samples.iter().copied().fold(f64::INFINITY, f64::min);
        let most = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let added = paired(samples, reference, |own, other| own - other);
        let ratio = paired(samples, reference, |own, other| own / other);
        write!(f, "| {name} | {} | {least:.d$} | {middle:.d$} | {most:.d$} ", samples.len())?;
        match std::ptr::eq(contender, &raw const self.contenders[0]) {
            true => write!(f, "| – | 1 ")?,
            false => write!(f, "| {added:+.d$} | {} ", Ratio(ratio))?,
        }
        match aim {
            None => writeln!(f, "| |"),
            Some(aim) => writeln!(f, "| {} |", aim.verdict(middle, added, ratio)),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "### {}\n", self.title)?;
        writeln!(f, "| | n | min | median | max | added | ratio | aim |")?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|--:|---|")?;
        for contender in &self.contenders {
            self.row(f, contender)?;
        }
        for (larger, smaller, aim) in &self.compared {
            let (larger, smaller) = (&self.contenders[*larger], &self.contenders[*smaller]);
            if !larger.samples.is_empty() && !smaller.samples.is_empty() {
                let ratio = paired(&larger.samples, &smaller.samples, |own, other| own / other);
                write!(f, "\n{} / {}: {}", larger.name, smaller.name, Ratio(ratio))?;
                match aim {
                    None => writeln!(f)?,
                    Some(aim) => writeln!(f, " ({})", aim.verdict(f64::NAN, f64::NAN, ratio))?,
                }
            }
        }
        Ok(())
    }
}

/// Three digits are all that a noisy machine can vouch for.
struct Ratio(f64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.abs() {
            large if large >= 100.0 => write!(f, "{:.0}×", self.0),
            middle if middle >= 10.0 => write!(f, "{:.1}×", self.0),
            _ => write!(f, "{:.2}×", self.0),
        }
    }
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The median over the pairs; not a number where there are none.
fn paired(own: &[f64], other: &[f64], of: impl Fn(f64, f64) -> f64) -> f64 {
    let pairs: Vec<f64> = own.iter().zip(other).map(|(own, other)| of(*own, *other)).collect();
    median(&pairs).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_pairs() {
        let mut table = Table::new(
            "t (ms)",
            vec![
                Contender::new("a").aim(Aim::Under(3.0)),
                Contender::new("b").aim(Aim::Times(5.0)),
                Contender::new("c"),
            ],
        )
        .compare(1, 0);
        // The medians are 2 and 20; one pair is 20 times apart, two are 4 times.
        for (a, b) in [(1.0, 20.0), (2.0, 8.0), (10.0, 40.0)] {
            table.add(0, a);
            table.add(1, b);
        }
        let text = table.to_string();
        assert!(text.contains("| a | 3 | 1.00 | 2.00 | 10.00 | – | 1 | < 3: met |"), "{text}");
        let b = "| b | 3 | 8.00 | 20.00 | 40.00 | +19.00 | 4.00× | ≥ 5×: **missed** |";
        assert!(text.contains(b), "{text}");
        assert!(text.contains("| c | not installed |"), "{text}");
        assert!(text.contains("\nb / a: 4.00×"), "{text}");
    }

    #[test]
    fn the_median_of_an_even_number_is_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
