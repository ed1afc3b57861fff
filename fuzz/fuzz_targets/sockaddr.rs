//! The parser of addresses that lie in a program's memory: no bytes make it panic, and what it takes for
//! an address is the same address when it is written and parsed again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_os::remap::{encode, parse, parse_bind};

fuzz_target!(|bytes: &[u8]| {
    if let Some(address) = parse(bytes) {
        assert_eq!(parse(&encode(address)), Some(address));
        assert_eq!(parse_bind(bytes), Some(address));
    }
    if let Some(address) = parse_bind(bytes) {
        assert_eq!(parse_bind(&encode(address)), Some(address));
    }
});
