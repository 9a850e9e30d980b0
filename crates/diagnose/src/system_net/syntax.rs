//! The lines of a System.Net trace, each a named production; printing what was
//! parsed restores the line to the byte.
//!
//! *Source*: `System/Net/Logging.cs` and `System.txt` of the published reference
//! source of .NET Framework 4.8, and `TraceListener.WriteFooter` for the lines after
//! an event. Words in quotes below are in the code and never localised; the others
//! come from resources, so that only their place is relied on.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;

mod certificate;
mod message;
mod scan;

pub(crate) use certificate::{Part, Section};
pub(crate) use message::{Message, Object, Target};

use scan::{is_blank, trim_end, trim_start};

/// The longest prefix that a shipper of logs, a viewer or an editor may have put
/// before an event: a time stamp, a host, a process.
const PREFIX_BYTES_MAX: usize = 120;

/// The severity of an event (`System.Diagnostics.TraceEventType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Critical,
    Error,
    Warning,
    Information,
    Verbose,
    Start,
    Stop,
    Suspend,
    Resume,
    Transfer,
}

const LEVELS: [(Level, &str); 10] = [
    (Level::Critical, "Critical"),
    (Level::Error, "Error"),
    (Level::Warning, "Warning"),
    (Level::Information, "Information"),
    (Level::Verbose, "Verbose"),
    (Level::Start, "Start"),
    (Level::Stop, "Stop"),
    (Level::Suspend, "Suspend"),
    (Level::Resume, "Resume"),
    (Level::Transfer, "Transfer"),
];

/// The first line of an event: `System.Net Level: 0 : [thread] message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// What others put before it.
    pub(crate) prefix: &'a str,
    /// `System.Net`, `System.Net.Sockets` …
    pub(crate) source: &'a str,
    pub(crate) level: Level,
    id: &'a str,
    /// The operating system's number of the thread.
    pub(crate) thread: &'a str,
    /// The rest, without blanks at the end.
    pub(crate) rest: &'a str,
    tail: &'a str,
}

impl<'a> Head<'a> {
    /// `None` for a line that begins no event.
    pub(crate) fn parse(line: &'a str) -> Option<Self> {
        const NAME: &str = "System.Net";
        static FINDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NAME));
        let window = line.get(..floor(line, PREFIX_BYTES_MAX))?;
        let at = FINDER.find(window.as_bytes())?;
        let (prefix, from_name) = line.split_at_checked(at)?;
        let source_end = from_name.find(' ')?;
        let (source, after) = from_name.split_at_checked(source_end)?;
        let more = source.strip_prefix(NAME)?;
        if !(more.is_empty() || more.starts_with('.')) {
            return None;
        }
        let after = after.strip_prefix(' ')?;
        let (level, after) = LEVELS
            .iter()
            .find_map(|(level, word)| Some((*level, after.strip_prefix(word)?.strip_prefix(": ")?)))?;
        let (id, after) = after.split_once(" : [")?;
        let (thread, after) = after.split_once(']')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(id) || !digits(thread) {
            return None;
        }
        let (rest, tail) = trim_end(after.strip_prefix(' ').unwrap_or(after));
        // An event without a word would not be restored.
        after.starts_with(' ').then_some(Self { prefix, source, level, id, thread, rest, tail })
    }
}

impl fmt::Display for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, source, level, id, thread, rest, tail } = self;
        let word = LEVELS.iter().find(|(l, _)| l == level).map_or("", |(_, word)| word);
        write!(f, "{prefix}{source} {word}: {id} : [{thread}] {rest}{tail}")
    }
}

/// What a listener writes after an event, where its `traceOutputOptions` ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Footer {
    ProcessId,
    LogicalOperationStack,
    ThreadId,
    DateTime,
    Timestamp,
    Callstack,
}

const FOOTERS: [(Footer, &str); 6] = [
    (Footer::ProcessId, "ProcessId="),
    (Footer::LogicalOperationStack, "LogicalOperationStack="),
    (Footer::ThreadId, "ThreadId="),
    (Footer::DateTime, "DateTime="),
    (Footer::Timestamp, "Timestamp="),
    (Footer::Callstack, "Callstack="),
];

/// A line after the first of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// `    DateTime=…`
    Footer { indent: &'a str, footer: Footer, value: &'a str, tail: &'a str },
    /// `{`: the fields of a head follow.
    Open(&'a str),
    /// `Name: value`
    Field { name: &'a str, value: &'a str },
    /// `}.`, in some languages with another full stop.
    Close(&'a str),
    /// An empty line: after a request line, before a head's end, in a certificate.
    Blank(&'a str),
    /// A line of `Remote certificate: […`.
    Certificate { part: Part, line: &'a str },
    /// A frame of a call stack, in the language of the machine.
    Frame(&'a str),
    /// The rest of a message that was wrapped.
    Wrapped(&'a str),
    /// `...`: somebody left something out.
    Elided(&'a str),
    /// None of these: not of this trace.
    Foreign(&'a str),
}

/// What the lines so far let one expect of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    /// An event whose message is whole.
    Message,
    /// A message with an open parenthesis.
    Parenthesis,
    /// `Remote certificate:` and its like, in this section of it.
    Certificate(Section),
    /// An exception, or a call stack of a footer.
    Stack,
    /// Between `{` and `}.`.
    Fields,
    /// The footers have begun.
    Footers,
}

impl Within {
    /// After the first line of an event.
    pub(crate) fn after(head: &Head<'_>, message: &Message<'_>) -> Self {
        if let Some(section) = message.certificate() {
            return Self::Certificate(section);
        }
        match message {
            Message::Exception { .. } => Self::Stack,
            Message::Call { .. } | Message::Security { .. } if scan::is_open(head.rest) => Self::Parenthesis,
            _ => Self::Message,
        }
    }

    /// The next line, and what may follow it.
    pub(crate) fn next<'a>(self, line: &'a str) -> (Line<'a>, Self) {
        let (indent, text) = trim_start(line);
        let (text, tail) = trim_end(text);
        if self == Self::Fields {
            return match text {
                "" => (Line::Blank(line), self),
                close if close.starts_with('}') && close.chars().count() <= 2 => {
                    (Line::Close(line), Self::Message)
                }
                _ => (field(line).unwrap_or(Line::Foreign(line)), self),
            };
        }
        if let Some((footer, name)) = FOOTERS.iter().find(|(_, name)| text.starts_with(name)) {
            let value = text.get(name.len()..).unwrap_or_default();
            let next = if *footer == Footer::Callstack { Self::Stack } else { Self::Footers };
            return (Line::Footer { indent, footer: *footer, value, tail }, next);
        }
        match text {
            "" => return (Line::Blank(line), self),
            "{" => return (Line::Open(line), Self::Fields),
            "..." | "…" => return (Line::Elided(line), Self::Message),
            _ => {}
        }
        match self {
            Self::Parenthesis if !scan::is_argument(text) => (Line::Foreign(line), self),
            Self::Parenthesis if scan::is_open_after(text) => (Line::Wrapped(line), self),
            Self::Parenthesis => (Line::Wrapped(line), Self::Message),
            Self::Certificate(section) => match section.next(text) {
                Some((part, section)) => (Line::Certificate { part, line }, Self::Certificate(section)),
                None => (Line::Foreign(line), self),
            },
            Self::Stack if scan::is_frame(indent, text) => (Line::Frame(line), self),
            Self::Message | Self::Stack | Self::Footers | Self::Fields => (Line::Foreign(line), self),
        }
    }
}

/// A field of a head (RFC 9110 section 5.1: its name is a token).
fn field(line: &str) -> Option<Line<'_>> {
    let (name, value) = line.split_once(':')?;
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!name.is_empty() && name.bytes().all(token)).then_some(Line::Field { name, value })
}

/// The greatest boundary of a character that is not beyond `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0)
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Footer { indent, footer, value, tail } => {
                let name = FOOTERS.iter().find(|(known, _)| known == footer).map_or("", |(_, name)| name);
                write!(f, "{indent}{name}{value}{tail}")
            }
            Self::Field { name, value } => write!(f, "{name}:{value}"),
            Self::Open(line)
            | Self::Close(line)
            | Self::Blank(line)
            | Self::Certificate { line, .. }
            | Self::Frame(line)
            | Self::Wrapped(line)
            | Self::Elided(line)
            | Self::Foreign(line) => f.write_str(line),
        }
    }
}

/// Whether nothing is written in it.
pub(crate) fn is_empty(line: &str) -> bool {
    is_blank(line)
}
