//! Any bytes behind an event of one of the listeners are a trace: nothing panics, and
//! every line is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

/// An event as each listener writes it.
const EVENTS: [&str; 3] = [
    "System.Net Verbose: 0 : [0011] HttpWebRequest#1::HttpWebRequest(https://files.example/o#1)\n",
    "<E2ETraceEvent><System><SubType Name=\"Verbose\"/><Source Name=\"System.Net\"/></System><ApplicationData>[0011] a</ApplicationData></E2ETraceEvent>",
    "\"System.Net\";Verbose;0;\"[0011] a\";;7;\"\";\"9\";\"2026-03-02T10:00:00.0000000Z\";7;\"\"\n",
];

fuzz_target!(|bytes: &[u8]| {
    for event in EVENTS {
        let mut diagnoser = Diagnoser::new().unwrap();
        diagnoser.read("trace", &[event.as_bytes(), bytes].concat()[..]).unwrap();
        let diagnosis = diagnoser.finish();
        assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
        let _ = (report::text(&diagnosis), report::json(&diagnosis));
    }
});
