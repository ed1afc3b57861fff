//! A chunked body: nothing makes it panic, and it ends at the same byte in whatever pieces it comes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((piece, bytes)) = bytes.split_first() {
        wharf_proxy::fuzzing::chunks(bytes, usize::from(*piece));
    }
});
