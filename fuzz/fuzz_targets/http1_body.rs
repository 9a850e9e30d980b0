//! The body: never panics, and the cut of the stream never matters.
//!
//! The first byte chooses the framing, the second the longest piece.

#![no_main]

use libfuzzer_sys::fuzz_target;
use repono_http1::{BodyDecoder, BodyKind, Limits, Reject};

#[derive(Debug, PartialEq)]
struct Outcome {
    data: Vec<u8>,
    end: Result<bool, Reject>,
}

fuzz_target!(|input: &[u8]| {
    let [framing, piece, wire @ ..] = input else { return };
    let kind = if *framing < 128 { BodyKind::Chunked } else { BodyKind::Length(u64::from(framing - 128)) };
    let whole = run(kind, wire, wire.len().max(1));
    assert_eq!(whole, run(kind, wire, usize::from(*piece).max(1)));
    assert_eq!(whole, run(kind, wire, 1));
});

fn run(kind: BodyKind, wire: &[u8], piece_bytes: usize) -> Outcome {
    let mut decoder = BodyDecoder::new(kind, &Limits::default());
    let mut data = Vec::new();
    for mut piece in wire.chunks(piece_bytes) {
        loop {
            match decoder.decode(piece) {
                Ok(decoded) => {
                    assert!(piece[..decoded.consumed].ends_with(decoded.data));
                    data.extend_from_slice(decoded.data);
                    piece = &piece[decoded.consumed..];
                    if decoded.consumed == 0 {
                        assert!(piece.is_empty() || decoder.is_done());
                        break;
                    }
                }
                Err(reject) => return Outcome { data, end: Err(reject) },
            }
        }
    }
    Outcome { data, end: Ok(decoder.is_done()) }
}
