//! Any bytes are a capture, of either kind, or the packets of one: nothing panics, and every
//! packet is accounted for.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_diagnose::diagnosis::Diagnoser;
use repono_diagnose::report;

/// The header of a classic file of raw IP packets.
const CLASSIC: &[u8] = &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0];

/// A section, and an interface of raw IP packets.
const BLOCKS: &[u8] = &[
    10, 13, 13, 10, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0,
    0, 1, 0, 0, 0, 20, 0, 0, 0, 101, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0,
];

/// An IPv4 header up to its addresses, of TCP.
const IP: &[u8] = &[0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0];

fuzz_target!(|bytes: &[u8]| {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let capture = match first % 3 {
        0 => [CLASSIC, rest].concat(),
        1 => [BLOCKS, rest].concat(),
        // Records whose headers are well: a length, and what a connection would send.
        _ => {
            let mut capture = CLASSIC.to_vec();
            for (at, piece) in rest.split(|byte| *byte == 0xff).enumerate() {
                let length = (IP.len() + 8 + piece.len()) as u32;
                let ends = if at % 2 == 0 { [1, 1, 1, 1, 2, 2, 2, 2] } else { [2, 2, 2, 2, 1, 1, 1, 1] };
                for number in [at as u32, 0, length, length] {
                    capture.extend(number.to_le_bytes());
                }
                capture.extend([IP, &ends, piece].concat());
            }
            capture
        }
    };
    let mut diagnoser = Diagnoser::new().unwrap();
    diagnoser.read("capture", &capture[..]).unwrap();
    let diagnosis = diagnoser.finish();
    assert!(diagnosis.inputs.iter().all(|input| input.unclassified <= input.lines));
    let _ = report::text(&diagnosis);
});
