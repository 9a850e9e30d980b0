//! Any bytes behind a record of ours are a journal: nothing panics, and every line is
//! accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

const RECORDS: &[u8] = include_bytes!("../../crates/diagnose/fixtures/journal.jsonl");

fuzz_target!(|bytes: &[u8]| {
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("journal", &[RECORDS, bytes].concat()[..]).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = (report::text(&diagnosis), report::json(&diagnosis));
});
