//! A set of ports as bits: 8 KiB, and a look-up that a search over thousands of ports can afford.

use wharf_model::Port;

const WORDS: usize = (u16::MAX as usize + 1) / u64::BITS as usize;

/// A set of ports.
#[derive(Clone)]
pub(crate) struct PortSet(Box<[u64; WORDS]>);

impl PortSet {
    pub(crate) fn insert(&mut self, port: Port) {
        let (word, bit) = place(port);
        self.0[word] |= bit;
    }

    pub(crate) fn remove(&mut self, port: Port) {
        let (word, bit) = place(port);
        self.0[word] &= !bit;
    }

    pub(crate) fn contains(&self, port: Port) -> bool {
        let (word, bit) = place(port);
        self.0[word] & bit != 0
    }
}

impl Default for PortSet {
    fn default() -> PortSet {
        PortSet(Box::new([0; WORDS]))
    }
}

impl std::fmt::Debug for PortSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ports", self.0.iter().map(|word| word.count_ones()).sum::<u32>())
    }
}

fn place(port: Port) -> (usize, u64) {
    let number = usize::from(port.get());
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_has_a_bit_of_its_own() {
        let mut set = PortSet::default();
        for number in [1, 63, 64, 8000, 65535] {
            let port = Port::new(number).unwrap();
            assert!(!set.contains(port));
            set.insert(port);
            assert!(set.contains(port));
        }
        assert_eq!(format!("{set:?}"), "5 ports");
        set.remove(Port::new(64).unwrap());
        assert!(!set.contains(Port::new(64).unwrap()) && set.contains(Port::new(63).unwrap()));
    }
}
