//! Any text as `yubin.toml`: read, checked, shown and read again. The module is the server's own, taken in by its path.
#![no_main]

#[allow(dead_code)]
#[path = "../../crates/server/src/config/mod.rs"]
mod config;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(read) = config::Config::parse(text).inspect_err(|error| {
        let _ = error.to_string();
    }) else {
        return;
    };
    if read.check().is_ok() {
        let shown = read.show();
        let again = config::Config::parse(&shown).expect("reads what it shows");
        assert_eq!(again, read);
    }
});
