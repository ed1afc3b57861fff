//! The head of a request, from a client's bytes to a server's: nothing makes it panic, and what goes on
//! is read by a strict model as the same request.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    wharf_proxy::fuzzing::request_head(bytes);
});
