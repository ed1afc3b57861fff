//! An importer: any bytes are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

// Each target has one of them read.
#[allow(dead_code)]
#[path = "../../crates/wharf-plan/tests/importers/mod.rs"]
mod importers;
mod scratch;

fuzz_target!(|bytes: &[u8]| {
    scratch::feed(importers::Importer::Turbo, bytes);
});
