//! Lines of logs, as they come out of files of any encoding, and packets of captures,
//! which are taken for lines.

use std::io::{self, BufRead};

use crate::event::Place;
use capture::{Capture, Found};
pub(crate) use capture::{Frame, Packet};
use entries::Entries;

mod capture;
mod entries;
mod packed;

/// The longest line that is kept whole; of a longer one the beginning is.
const LINE_BYTES_MAX: usize = 64 << 10;

/// A line without its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    /// Where it stands.
    pub(crate) place: Place,
    /// What its number counts.
    pub(crate) unit: &'static str,
    /// What stands there; what is not UTF-8 is replaced.
    pub(crate) text: &'a str,
    /// What stands there in a capture, which has no text.
    pub(crate) frame: Option<Frame<'a>>,
}

/// How an event begins in the files of the XML listener, which have no lines: there an
/// event is taken for a line.
pub(crate) const E2E_EVENT: &str = "<E2ETraceEvent";

/// How it ends.
pub(crate) const E2E_EVENT_END: &str = "</E2ETraceEvent>";

/// How the bytes of a file are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    /// UTF-8 without lines: an event of the XML listener is one.
    Events,
    /// A HAR file: an entry is one.
    Entries,
    /// A capture: a packet is one.
    Packets,
    Utf16(Order),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// Reads a file line by line.
///
/// *Cost*: one line in memory.
pub(crate) struct Lines<'i> {
    input: Box<dyn BufRead + 'i>,
    encoding: Option<Encoding>,
    place: Place,
    entries: Entries,
    capture: Capture,
    bytes: Vec<u8>,
    text: String,
}

impl<'i> Lines<'i> {
    /// The lines of the input with this number, unpacked if it is packed.
    pub(crate) fn new(input: impl BufRead + 'i, file: usize) -> io::Result<Self> {
        let place = Place { file, line: 0 };
        let input = packed::unpacked(input)?;
        Ok(Self {
            input,
            encoding: None,
            place,
            entries: Entries::default(),
            capture: Capture::Over,
            bytes: Vec::new(),
            text: String::new(),
        })
    }

    /// Whether it is a capture, as far as it was read.
    pub(crate) const fn is_capture(&self) -> bool {
        matches!(self.encoding, Some(Encoding::Packets))
    }

    /// The next line; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let encoding = match self.encoding {
            Some(encoding) => encoding,
            None => {
                let found = self.recognize()?;
                *self.encoding.insert(found)
            }
        };
        self.bytes.clear();
        let any = match encoding {
            Encoding::Utf8 => self.take_utf8()?,
            Encoding::Events => self.take_event()?,
            Encoding::Entries => self.take_entry()?,
            Encoding::Packets => return self.take_packet(),
            Encoding::Utf16(order) => self.take_utf16(order)?,
        };
        if !any {
            return Ok(None);
        }
        self.place.line = self.place.line.saturating_add(1);
        let unit = match encoding {
            Encoding::Utf8 | Encoding::Utf16(_) => "line",
            Encoding::Events => "event",
            Encoding::Entries => "entry",
            Encoding::Packets => "packet",
        };
        Ok(Some(Line { place: self.place, unit, text: &self.text, frame: None }))
    }

    fn take_packet(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(found) = self.capture.next(&mut self.input, &mut self.bytes)? else { return Ok(None) };
        self.place.line = self.place.line.saturating_add(1);
        let frame = match found {
            Found::Packet { at, link, length } => {
                Frame::Packet(Packet { at, link, length, bytes: &self.bytes })
            }
            Found::Damaged => Frame::Damaged,
        };
        Ok(Some(Line { place: self.place, unit: "packet", text: "", frame: Some(frame) }))
    }

    /// By the mark at the beginning (RFC 3629 section 6, RFC 2781 section 3.2), or by
    /// the zeros of Latin letters in 16 bits.
    fn recognize(&mut self) -> io::Result<Encoding> {
        let start = self.input.fill_buf()?;
        if let Some(capture) = Capture::of(start) {
            self.capture = capture;
            return Ok(Encoding::Packets);
        }
        let (encoding, mark) = match start {
            [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16(Order::Little), 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16(Order::Big), 2),
            [a, 0, b, 0, ..] if *a != 0 && *b != 0 => (Encoding::Utf16(Order::Little), 0),
            [0, a, 0, b, ..] if *a != 0 && *b != 0 => (Encoding::Utf16(Order::Big), 0),
            _ => (Encoding::Utf8, 0),
        };
        self.input.consume(mark);
        let start = self.input.fill_buf()?;
        Ok(match encoding {
            Encoding::Utf8 if start.starts_with(E2E_EVENT.as_bytes()) => Encoding::Events,
            Encoding::Utf8 if entries::begins(start) => Encoding::Entries,
            other => other,
        })
    }

    fn take_entry(&mut self) -> io::Result<bool> {
        loop {
            let read = self.input.fill_buf()?;
            if read.is_empty() {
                // What is left has no end.
                self.decode();
                return Ok(!self.text.is_empty());
            }
            let end = self.entries.take(read, &mut self.bytes);
            let used = end.unwrap_or(read.len());
            self.input.consume(used);
            if end.is_some() {
                self.decode();
                return Ok(true);
            }
        }
    }

    fn take_event(&mut self) -> io::Result<bool> {
        // The last bytes, also of an event that is longer than what is kept.
        let mut tail = Vec::with_capacity(2 * E2E_EVENT_END.len());
        loop {
            let read = self.input.fill_buf()?;
            if read.is_empty() {
                break;
            }
            let end = memchr::memchr(b'>', read).map_or(read.len(), |at| at + 1);
            let piece = read.get(..end).unwrap_or_default();
            let room = LINE_BYTES_MAX.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            tail.extend_from_slice(
                piece.get(piece.len().saturating_sub(E2E_EVENT_END.len())..).unwrap_or_default(),
            );
            tail.drain(..tail.len().saturating_sub(E2E_EVENT_END.len()));
            self.input.consume(end);
            if tail == E2E_EVENT_END.as_bytes() {
                break;
            }
        }
        self.decode();
        let from = self.text.find(|c: char| !c.is_whitespace()).unwrap_or(self.text.len());
        self.text.drain(..from);
        Ok(!self.text.is_empty())
    }

    fn take_utf8(&mut self) -> io::Result<bool> {
        let mut any = false;
        loop {
            let read = self.input.fill_buf()?;
            if read.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', read);
            let piece = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
            let room = LINE_BYTES_MAX.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(piece.get(..piece.len().min(room)).unwrap_or_default());
            let used = piece.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        self.decode();
        Ok(any)
    }

    fn decode(&mut self) {
        self.text.clear();
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => self.text.push_str(text),
            Err(_) => self.text.push_str(&String::from_utf8_lossy(&self.bytes)),
        }
    }

    fn take_utf16(&mut self, order: Order) -> io::Result<bool> {
        let mut units = Vec::new();
        let mut any = false;
        while let Some(unit) = self.unit(order)? {
            any = true;
            if unit == u16::from(b'\n') {
                break;
            }
            if units.len() < LINE_BYTES_MAX {
                units.push(unit);
            }
        }
        if units.last() == Some(&u16::from(b'\r')) {
            units.pop();
        }
        self.text = String::from_utf16_lossy(&units);
        Ok(any)
    }

    fn unit(&mut self, order: Order) -> io::Result<Option<u16>> {
        let mut pair = [0; 2];
        for byte in &mut pair {
            let Some(read) = self.input.fill_buf()?.first().copied() else { return Ok(None) };
            *byte = read;
            self.input.consume(1);
        }
        Ok(Some(match order {
            Order::Little => u16::from_le_bytes(pair),
            Order::Big => u16::from_be_bytes(pair),
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{LINE_BYTES_MAX, Lines};

    fn lines(bytes: &[u8]) -> Vec<(u64, String)> {
        let mut lines = Lines::new(bytes, 0).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push((line.place.line, line.text.to_owned()));
        }
        all
    }

    #[test]
    fn every_encoding_gives_the_same_lines() {
        let text = "System.Net é\r\n\nlast";
        let units = || text.encode_utf16();
        let expected = [(1, "System.Net é".into()), (2, String::new()), (3, "last".into())];
        let mut forms = vec![text.as_bytes().to_vec(), [b"\xef\xbb\xbf", text.as_bytes()].concat()];
        forms.push(units().flat_map(u16::to_le_bytes).collect());
        forms.push(units().flat_map(u16::to_be_bytes).collect());
        forms.push([vec![0xff, 0xfe], units().flat_map(u16::to_le_bytes).collect()].concat());
        forms.push([vec![0xfe, 0xff], units().flat_map(u16::to_be_bytes).collect()].concat());
        for form in forms {
            assert_eq!(lines(&form), expected, "{form:?}");
        }
    }

    #[test]
    fn what_is_packed_gives_the_same_lines() {
        let text = "System.Net é\r\n\nlast\n".repeat(9_000);
        let expected = lines(text.as_bytes());
        let member = |text: &str| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let (first, second) = text.split_at(text.len() / 2);
        assert_eq!(lines(&[member(first), member(second)].concat()), expected, "gzip, two members");
        let frame = |text: &str| {
            ruzstd::encoding::compress_to_vec(text.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
        };
        assert_eq!(lines(&[frame(first), frame(second)].concat()), expected, "zstd, two frames");
    }

    #[test]
    fn a_line_without_end_does_not_fill_the_memory() {
        let long = [vec![b'a'; 3 * LINE_BYTES_MAX], b"\nb".to_vec()].concat();
        let read = lines(&long);
        assert_eq!(read.iter().map(|(_, line)| line.len()).collect::<Vec<_>>(), [LINE_BYTES_MAX, 1]);
        assert_eq!(lines(b"a\xff\n"), [(1, "a\u{fffd}".to_owned())]);
        assert!(lines(b"").is_empty());
    }
}
