//! Host and Origin: nothing makes their parsers panic, only registered names lead to a server, and only
//! registered and listed pages may call.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    wharf_proxy::fuzzing::authority(bytes);
    wharf_proxy::fuzzing::origin(bytes);
});
