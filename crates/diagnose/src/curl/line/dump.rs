//! Dumps of `--trace` and `--trace-ascii`: rows of bytes, put together to lines of heads.

use crate::event::Instant;

use super::Way;

/// Bytes of a head's line that are kept: no longer than a line of a log.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Characters of a row of `--trace-ascii`.
const ASCII_COLUMNS: usize = 64;

/// Columns of a row's hexadecimal part in `--trace`: sixteen bytes.
const HEX_COLUMNS: usize = 48;

/// What is dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Dumped {
    HeadOut,
    HeadIn,
    BodyOut,
    /// A reply's body, or records of TLS.
    Other,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Ascii,
    Hex,
}

/// The dump that goes on.
#[derive(Default)]
pub(in super::super) struct Dump {
    kind: Option<Dumped>,
    transfer: Option<u64>,
    at: Option<Instant>,
    line: String,
    form: Option<Form>,
    /// The offset at which a row would go on with the line before.
    next: usize,
}

/// Lines of a head that a row ended.
pub(in super::super) struct Row {
    pub(in super::super) way: Way,
    pub(in super::super) lines: Vec<String>,
}

impl Dumped {
    pub(super) fn of(line: &str) -> Option<Self> {
        let is_count = |rest: &str| rest.contains(" bytes (0x") && rest.ends_with(')');
        let (what, count) = line.split_once(", ")?;
        let kind = match what {
            "=> Send header" => Self::HeadOut,
            "<= Recv header" => Self::HeadIn,
            "=> Send data" => Self::BodyOut,
            "<= Recv data" | "=> Send SSL data" | "<= Recv SSL data" => Self::Other,
            _ => return None,
        };
        is_count(count).then_some(kind)
    }
}

impl Dump {
    pub(in super::super) fn begin(&mut self, kind: Dumped, transfer: Option<u64>, at: Option<Instant>) {
        *self = Self { kind: Some(kind), transfer, at, ..Self::default() };
    }

    pub(in super::super) fn end(&mut self) {
        self.kind = None;
    }

    pub(in super::super) const fn transfer(&self) -> Option<u64> {
        self.transfer
    }

    pub(in super::super) const fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Takes a line if it is a row: `0000: ` and what stands there.
    pub(in super::super) fn row(&mut self, line: &str) -> Option<Row> {
        let kind = self.kind?;
        let (offset, bytes) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
        if offset.len() < 4 || offset.len() > 8 {
            return None;
        }
        let offset = usize::from_str_radix(offset, 16).ok()?;
        let way = match kind {
            Dumped::HeadOut => Way::Out,
            Dumped::HeadIn => Way::In,
            Dumped::BodyOut => return Some(Row { way: Way::Out, lines: Vec::new() }),
            Dumped::Other => return Some(Row { way: Way::In, lines: Vec::new() }),
        };
        let form =
            *self.form.get_or_insert_with(|| if hex(bytes).is_some() { Form::Hex } else { Form::Ascii });
        let lines = match form {
            Form::Hex => self.hex(&hex(bytes)?),
            Form::Ascii => self.ascii(offset, bytes),
        };
        Some(Row { way, lines })
    }

    fn hex(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' => lines.push(std::mem::take(&mut self.line)),
                b'\r' => {}
                byte if self.line.len() < LINE_BYTES_MAX => self.line.push(char::from(*byte)),
                _ => {}
            }
        }
        lines
    }

    /// A row ends at the end of the head's line, or when it is full.
    fn ascii(&mut self, offset: usize, row: &str) -> Vec<String> {
        if offset != self.next {
            self.line.clear();
        }
        let room = LINE_BYTES_MAX.saturating_sub(self.line.len());
        self.line.extend(row.chars().take(room));
        let length = row.chars().count();
        self.next = offset.saturating_add(length);
        if length < ASCII_COLUMNS { vec![std::mem::take(&mut self.line)] } else { Vec::new() }
    }
}

/// The bytes of a row in hexadecimal.
fn hex(row: &str) -> Option<Vec<u8>> {
    let part = row.get(..HEX_COLUMNS).unwrap_or(row);
    let bytes: Option<Vec<_>> = part
        .split_ascii_whitespace()
        .map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| pair.len() == 2))
        .collect();
    bytes.filter(|bytes| !bytes.is_empty() && row.len() >= HEX_COLUMNS)
}
