//! Any bytes are a log of nginx's: nothing panics, and every line is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

/// A line by which the format is known.
const FIRST: &[u8] = b"192.0.2.7 - - [02/Mar/2026:10:10:09 +0000] \"GET / HTTP/1.1\" 499 0 \"-\" \"-\"\n";

fuzz_target!(|bytes: &[u8]| {
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("log", &[FIRST, bytes].concat()[..]).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = report::text(&diagnosis);
});
