//! Every mode of remapping, end to end, on this very kernel.

use wharf_os::remap::{Mode, selftest};

#[test]
fn every_mode_works_here() {
    for mode in Mode::ALL {
        let begun = std::time::Instant::now();
        selftest::attempt(mode).unwrap_or_else(|refusal| panic!("{mode:?}: {refusal:?}"));
        println!("{mode:?} in {:?}", begun.elapsed());
    }
}
