//! Any bytes are a line of a journal, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_journal::read;

fuzz_target!(|line: &[u8]| {
    if let Ok(record) = read::record(line) {
        let _ended = record.fact.ended();
    }
});
