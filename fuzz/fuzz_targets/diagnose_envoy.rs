//! Any bytes are a log of Envoy's: nothing panics, and every line is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

/// A line by which the format is known.
const FIRST: &[u8] =
    b"[2026-03-02T10:10:00.000Z] \"GET / HTTP/1.1\" 503 UC 0 95 9300 - \"-\" \"-\" \"-\" \"-\" \"-\"\n";

fuzz_target!(|bytes: &[u8]| {
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("log", &[FIRST, bytes].concat()[..]).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = report::text(&diagnosis);
});
