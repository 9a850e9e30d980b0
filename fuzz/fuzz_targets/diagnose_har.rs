//! Any bytes are a HAR file: nothing panics, and every entry is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

/// A beginning by which the format is known.
const FIRST: &[u8] = b"{\"log\":{\"entries\":[{\"startedDateTime\":\"\",\"timings\":{}},";

fuzz_target!(|bytes: &[u8]| {
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("log", &[FIRST, bytes].concat()[..]).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = report::text(&diagnosis);
});
