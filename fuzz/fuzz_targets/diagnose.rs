//! Any bytes are a log: nothing panics, and every line is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

fuzz_target!(|bytes: &[u8]| {
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("log", bytes).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = (
        report::text(&diagnosis),
        report::markdown(&diagnosis),
        report::html(&diagnosis),
        report::json(&diagnosis),
    );
});
