//! Tests of body framing: the attacks of the hardening table, and that the cut
//! of the stream never matters.

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::sample::Index;

use super::{BodyDecoder, Decoded};
use crate::{BodyKind, Limits, Reject};

/// Everything that a body comes to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    data: Vec<u8>,
    consumed: usize,
    end: Result<Whole, Reject>,
}

#[derive(Debug, PartialEq, Eq)]
enum Whole {
    Done,
    Unfinished,
}

/// Feeds `pieces` one after the other, each until nothing more is consumed.
fn run<'a>(kind: BodyKind, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = BodyDecoder::new(kind, &Limits::default());
    let mut data = Vec::new();
    let mut consumed = 0;
    for mut piece in pieces {
        loop {
            match decoder.decode(piece) {
                Ok(Decoded { consumed: 0, data: [] }) => break,
                Ok(decoded) => {
                    assert!(piece[..decoded.consumed].ends_with(decoded.data));
                    data.extend_from_slice(decoded.data);
                    consumed += decoded.consumed;
                    piece = &piece[decoded.consumed..];
                }
                Err(reject) => {
                    assert_eq!(decoder.decode(b"0\r\n\r\n"), Err(reject), "an error stays");
                    assert_eq!(decoder.remaining_hint(), None);
                    return Outcome { data, consumed: 0, end: Err(reject) };
                }
            }
        }
    }
    let whole = if decoder.is_done() { Whole::Done } else { Whole::Unfinished };
    Outcome { data, consumed, end: Ok(whole) }
}

fn chunked(wire: &[u8]) -> Outcome {
    run(BodyKind::Chunked, [wire])
}

#[test]
fn a_body_by_length_ends_at_its_length() {
    let outcome = run(BodyKind::Length(5), [&b"hel"[..], b"lo", b"GET"]);
    assert_eq!(outcome, Outcome { data: b"hello".to_vec(), consumed: 5, end: Ok(Whole::Done) });
    assert_eq!(run(BodyKind::Length(5), [&b"hel"[..]]).end, Ok(Whole::Unfinished));
    for kind in [BodyKind::None, BodyKind::Length(0)] {
        assert_eq!(run(kind, [&b"GET"[..]]), Outcome { data: vec![], consumed: 0, end: Ok(Whole::Done) });
    }
}

#[test]
fn the_hint_counts_down() {
    let mut decoder = BodyDecoder::new(BodyKind::Length(5), &Limits::default());
    assert_eq!(decoder.remaining_hint(), Some(5));
    assert_eq!(decoder.decode(b"abc").map(|d| d.consumed), Ok(3));
    assert_eq!(decoder.remaining_hint(), Some(2));
    assert_eq!(decoder.decode(b"de").map(|d| d.consumed), Ok(2));
    assert_eq!(decoder.remaining_hint(), Some(0));
    assert_eq!(BodyDecoder::new(BodyKind::Chunked, &Limits::default()).remaining_hint(), None);
}

#[test]
fn well_formed_chunks() {
    let wires: [&[u8]; 9] = [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"2\r\nhe\r\n3\r\nllo\r\n000\r\n\r\n",
        b"0000000000000005\r\nhello\r\n0\r\n\r\n",
        b"5;a\r\nhello\r\n0\r\n\r\n",
        b"5;a=b;c=\"d;\\\" \te\"\r\nhello\r\n0;last\r\n\r\n",
        b"5;a=\"\"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-auth-user: root\r\nb:\r\n\r\n",
        b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx: \xc3\xa9\t\r\n\r\n",
    ];
    for wire in wires {
        let all = Outcome { data: b"hello".to_vec(), consumed: wire.len(), end: Ok(Whole::Done) };
        assert_eq!(chunked(wire), all, "{}", wire.escape_ascii());
        let behind = [wire, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(chunked(&behind), all, "what follows is left alone");
    }
    let upper = [b"aB\r\n".as_slice(), &[b'x'; 0xab], b"\r\n0\r\n\r\n"].concat();
    assert_eq!(chunked(&upper).data.len(), 0xab);
}

#[test]
fn malformed_chunks() {
    let cases: [(&[u8], Reject); 41] = [
        (b"5\nhello\r\n0\r\n\r\n", Reject::ChunkSize),
        (b"\r\nhello", Reject::ChunkSize),
        (b";a\r\n", Reject::ChunkSize),
        (b"5 \r\nhello", Reject::ChunkSize),
        (b" 5\r\nhello", Reject::ChunkSize),
        (b"5\t\r\nhello", Reject::ChunkSize),
        (b"5 ;a\r\nhello", Reject::ChunkSize),
        (b"0x5\r\nhello", Reject::ChunkSize),
        (b"+5\r\nhello", Reject::ChunkSize),
        (b"-5\r\nhello", Reject::ChunkSize),
        (b"5_0\r\nhello", Reject::ChunkSize),
        (b"5\r\rhello", Reject::ChunkSize),
        (b"5,5\r\nhello", Reject::ChunkSize),
        (b"g\r\n", Reject::ChunkSize),
        (b"10000000000000000\r\n", Reject::ChunkSize),
        (b"00000000000000005\r\n", Reject::ChunkSize),
        (b"5\0\r\nhello", Reject::ChunkSize),
        (b"5;\nhello", Reject::ChunkExtension),
        (b"5;\r\nhello", Reject::ChunkExtension),
        (b"5;a\nhello", Reject::ChunkExtension),
        (b"5;a\x00\r\nhello", Reject::ChunkExtension),
        (b"5;a\r\rhello", Reject::ChunkSize),
        (b"5; a\r\nhello", Reject::ChunkExtension),
        (b"5;a =b\r\nhello", Reject::ChunkExtension),
        (b"5;a=\r\nhello", Reject::ChunkExtension),
        (b"5;a=b=c\r\nhello", Reject::ChunkExtension),
        (b"5;a=\"b\r\nhello", Reject::ChunkExtension),
        (b"5;a=\"b\\\r\nhello", Reject::ChunkExtension),
        (b"5;a=\"b\"c\r\nhello", Reject::ChunkExtension),
        (b"5;a=\"\xff\"\r\nhello", Reject::ChunkExtension),
        (b"5;;a\r\nhello", Reject::ChunkExtension),
        (b"5\r\nhello0\r\n\r\n", Reject::ChunkEnd),
        (b"5\r\nhello\n0\r\n\r\n", Reject::ChunkEnd),
        (b"5\r\nhello\rX", Reject::ChunkEnd),
        (b"4\r\nhello\r\n", Reject::ChunkEnd),
        (b"0\r\n\n", Reject::Trailer),
        (b"0\r\nx: y\n\r\n", Reject::Trailer),
        (b"0\r\n x: y\r\n\r\n", Reject::Trailer),
        (b"0\r\nx y\r\n\r\n", Reject::Trailer),
        (b"0\r\nx: \xff\r\n\r\n", Reject::Trailer),
        (b"0\r\n\rX", Reject::Trailer),
    ];
    for (wire, reject) in cases {
        assert_eq!(chunked(wire).end, Err(reject), "{}", wire.escape_ascii());
    }
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extended = |bytes: usize| format!("1;{}\r\nx\r\n", "e".repeat(bytes - 1));
    let end = "0\r\n\r\n";
    assert_eq!(chunked((extended(256) + end).as_bytes()).end, Ok(Whole::Done));
    assert_eq!(chunked((extended(257) + end).as_bytes()).end, Err(Reject::ChunkExtensionTooLong));
    assert_eq!(chunked((extended(256).repeat(16) + end).as_bytes()).end, Ok(Whole::Done));
    assert_eq!(
        chunked((extended(256).repeat(16) + &extended(2) + end).as_bytes()).end,
        Err(Reject::ChunkExtensionTooLong)
    );
    // The final CR counts, its LF ends the section.
    let trailer = |bytes: usize| format!("0\r\nx:{}\r\n\r\n", "y".repeat(bytes - 5));
    assert_eq!(chunked(trailer(4096).as_bytes()).end, Ok(Whole::Done));
    assert_eq!(chunked(trailer(4097).as_bytes()).end, Err(Reject::TrailerTooLong));
}

#[test]
fn a_stream_that_ends_early_is_never_done() {
    let wire = b"5;a=\"b\"\r\nhello\r\n0\r\nx: y\r\n\r\n";
    for end in 0..wire.len() {
        assert_eq!(chunked(&wire[..end]).end, Ok(Whole::Unfinished), "{end}");
    }
}

/// Cuts `wire` at the places that `cuts` points at.
fn cut<'a>(wire: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|c| c.index(wire.len() + 1)).collect();
    places.extend([0, wire.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect()
}

/// Bytes that a decoder is most likely to stumble over.
fn framing_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"0\r\n".to_vec()),
        Just(b"5\r\nhello\r\n".to_vec()),
        Just(b"1;a=\"b\\\"\"\r\nx\r\n".to_vec()),
        Just(b"x-auth-user: root\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b";".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Chunks that are not empty, and how each is written.
fn chunks() -> impl Strategy<Value = Vec<(Vec<u8>, &'static str)>> {
    let extension = prop_oneof![Just(""), Just(";a"), Just(";a=b"), Just(";q=\"\\\";\"")];
    proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..40), extension), 0..8)
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(chunks in chunks(), cuts in any::<Vec<Index>>()) {
        let mut wire = Vec::new();
        let mut data = Vec::new();
        for (chunk, extension) in &chunks {
            wire.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
            data.extend_from_slice(chunk);
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        let whole = Outcome { data, consumed: wire.len(), end: Ok(Whole::Done) };
        assert_eq!(run(BodyKind::Chunked, cut(&wire, &cuts)), whole);
    }

    #[test]
    fn the_cut_of_the_stream_does_not_matter(
        wire in framing_like(),
        length in prop_oneof![Just(BodyKind::Chunked), (0..80_u64).prop_map(BodyKind::Length)],
        cuts in any::<Vec<Index>>(),
    ) {
        assert_eq!(run(length, [&wire[..]]), run(length, cut(&wire, &cuts)));
    }

    #[test]
    fn arbitrary_bytes_never_panic(wire in any::<Vec<u8>>(), length in any::<u64>()) {
        chunked(&wire);
        run(BodyKind::Length(length), [&wire[..]]);
    }
}
