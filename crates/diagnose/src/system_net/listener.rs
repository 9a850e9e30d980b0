//! Events as other listeners write them, as the lines that a text listener would have
//! written.
//!
//! *Source*: `XmlWriterTraceListener.cs` and `DelimitedListTraceListener.cs` of the
//! published reference source of .NET Framework 4.8.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::input::{E2E_EVENT, E2E_EVENT_END, Line};

/// Bytes of one delimited event that are kept until its quotes are closed.
const BYTES_MAX: usize = 256 << 10;

/// How a delimited event begins.
const DELIMITED: &str = "\"System.Net";

/// Columns of a delimited event: source, type, id, message, data, process, operations,
/// thread, time, ticks, call stack.
const MESSAGE: usize = 3;
const PROCESS: usize = 5;
const TIME: usize = 8;
const COLUMNS: usize = 11;

/// Reads what listeners write.
#[derive(Default)]
pub(super) struct Listener {
    /// A delimited event whose quotes are still open.
    open: String,
    /// How many it has so far.
    quotes: usize,
    /// The line in which it began.
    begun: u64,
}

/// What a line of a file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// A line of the text listener's.
    Line(&'a str),
    /// A whole event, as the text listener's lines.
    Event(String),
    /// The same, behind something that is none.
    EventBehind(String),
    /// A part of one.
    Part,
    /// None of these.
    Foreign,
}

impl Listener {
    /// Whether a line can only be of such a listener.
    pub(super) fn recognizes(line: &str) -> bool {
        line.starts_with(DELIMITED) || (line.starts_with(E2E_EVENT) && line.contains("\"System.Net"))
    }

    pub(super) fn take<'a>(&mut self, Line { place, text: line, .. }: Line<'a>) -> Written<'a> {
        if line.starts_with(E2E_EVENT) {
            return event_of_xml(line).map_or(Written::Foreign, Written::Event);
        }
        // What another program wrote between two events is read with the second.
        if let Some(event) = behind_another(line).filter(|_| self.open.is_empty()) {
            return event_of_xml(event).map_or(Written::Foreign, Written::EventBehind);
        }
        let begins = line.starts_with(DELIMITED);
        if self.open.is_empty() && !begins {
            return Written::Line(line);
        }
        if self.open.is_empty() {
            self.begun = place.line;
            self.quotes = 0;
        } else {
            self.open.push('\n');
        }
        if self.open.len() + line.len() > BYTES_MAX {
            self.open.clear();
            return Written::Foreign;
        }
        self.open.push_str(line);
        self.quotes += memchr::memchr_iter(b'"', line.as_bytes()).count();
        if self.quotes % 2 == 1 {
            return Written::Part;
        }
        let event = std::mem::take(&mut self.open);
        event_of_fields(&event).map_or(Written::Foreign, Written::Event)
    }

    /// The line of an event whose end is missing.
    pub(super) fn end(&mut self) -> Option<u64> {
        let open = std::mem::take(&mut self.open);
        (!open.is_empty()).then_some(self.begun)
    }
}

/// What an event says, wherever it stands in its record.
#[derive(Default)]
struct Parts<'a> {
    source: Cow<'a, str>,
    level: Cow<'a, str>,
    message: Cow<'a, str>,
    process: Cow<'a, str>,
    at: Cow<'a, str>,
}

impl Parts<'_> {
    fn lines(&self) -> Option<String> {
        let Self { source, level, message, process, at } = self;
        if !source.starts_with("System.Net") {
            return None;
        }
        let mut lines = [source, " ", level, ": 0 : ", message.trim_end(), "\n"].concat();
        for (name, value) in [("    ProcessId=", process), ("    DateTime=", at)] {
            if !value.is_empty() {
                lines.extend([name, value, "\n"]);
            }
        }
        Some(lines)
    }
}

fn event_of_fields(event: &str) -> Option<String> {
    let fields = fields(event);
    let field = |at: usize| fields.get(at).cloned().unwrap_or_default();
    let parts = Parts {
        source: field(0),
        level: field(1),
        message: field(MESSAGE),
        process: field(PROCESS),
        at: field(TIME),
    };
    parts.lines()
}

/// The fields of an event; the delimiter is what follows the first one.
fn fields(event: &str) -> Vec<Cow<'_, str>> {
    let mut fields = Vec::with_capacity(COLUMNS);
    let mut rest = event;
    let mut delimiter = None;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let end = delimiter.and_then(|mark: char| rest.find(mark)).unwrap_or(rest.len());
                let (field, after) = rest.split_at(end);
                (Cow::Borrowed(field), after)
            }
        };
        fields.push(field);
        let Some(mark) = after.chars().next() else { return fields };
        delimiter = delimiter.or(Some(mark));
        rest = after.get(mark.len_utf8()..).unwrap_or_default();
    }
}

/// A field up to its closing quote, with doubled quotes made single, and what follows.
fn unquoted(quoted: &str) -> (Cow<'_, str>, &str) {
    let mut from = 0;
    while let Some(at) =
        memchr::memchr(b'"', quoted.as_bytes().get(from..).unwrap_or_default()).map(|at| at + from)
    {
        let after = quoted.get(at + 1..).unwrap_or_default();
        if after.starts_with('"') {
            from = at + 2;
            continue;
        }
        let field = quoted.get(..at).unwrap_or_default();
        let field = if from == 0 { Cow::Borrowed(field) } else { Cow::Owned(field.replace("\"\"", "\"")) };
        return (field, after);
    }
    (Cow::Borrowed(quoted), "")
}

/// An event that does not begin its line.
fn behind_another(line: &str) -> Option<&str> {
    line.ends_with(E2E_EVENT_END).then(|| line.get(line.find(E2E_EVENT)?..)).flatten()
}

fn event_of_xml(event: &str) -> Option<String> {
    let mut reader = Reader::from_str(event);
    let mut parts = Parts::default();
    let mut within_message = false;
    let mut message = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start) => match start.local_name().as_ref() {
                b"SubType" => parts.level = attribute(&start, "Name")?.into(),
                b"Source" => parts.source = attribute(&start, "Name")?.into(),
                b"TimeCreated" => parts.at = attribute(&start, "SystemTime")?.into(),
                b"Execution" => parts.process = attribute(&start, "ProcessID").unwrap_or_default().into(),
                b"ApplicationData" => within_message = true,
                _ => {}
            },
            Event::End(end) if end.local_name().as_ref() == b"ApplicationData" => within_message = false,
            Event::Text(text) if within_message => message.push_str(&text.decode().ok()?),
            Event::GeneralRef(reference) if within_message => {
                message.push_str(&resolved(&reference.decode().ok()?));
            }
            Event::CData(data) if within_message => message.push_str(&data.decode().ok()?),
            Event::Eof => break,
            _ => {}
        }
    }
    parts.message = message.into();
    parts.lines()
}

/// What a reference stands for; one that is unknown stands as it is.
fn resolved(name: &str) -> String {
    let known = match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => name.strip_prefix('#').and_then(|number| {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }),
    };
    known.map_or_else(|| format!("&{name};"), String::from)
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.try_get_attribute(name).ok()??;
    Some(String::from_utf8_lossy(&attribute.value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Line, Listener, Written};
    use crate::event::Place;

    fn line(text: &str) -> Line<'_> {
        Line { place: Place { file: 0, line: 7 }, unit: "line", text, frame: None }
    }

    #[test]
    fn a_delimited_event_may_span_lines_and_hold_quotes() {
        let mut listener = Listener::default();
        let first = r#""System.Net";Information;0;"[0011] ConnectStream#7 - Sending headers"#;
        assert_eq!(listener.take(line(first)), Written::Part);
        assert_eq!(listener.take(line("{")), Written::Part);
        assert_eq!(listener.take(line(r#"X: ""quoted"""#)), Written::Part);
        let last = r#"}.";;6624;"";"11";"2026-03-02T10:00:00.0000000Z";99;"""#;
        let Written::Event(event) = listener.take(line(last)) else { panic!("an event") };
        let expected = "System.Net Information: 0 : [0011] ConnectStream#7 - Sending headers\n{\nX: \"quoted\"\n}.\n    ProcessId=6624\n    DateTime=2026-03-02T10:00:00.0000000Z\n";
        assert_eq!(event, expected);
        assert_eq!(listener.end(), None);
        assert_eq!(listener.take(line(first)), Written::Part);
        assert_eq!(listener.end(), Some(7));
        assert_eq!(listener.take(line("anything else")), Written::Line("anything else"));
    }

    #[test]
    fn an_xml_event_is_read_and_those_of_others_are_foreign() {
        let event = |source: &str| {
            format!(
                r#"<E2ETraceEvent xmlns="a"><System xmlns="b"><EventID>0</EventID><SubType Name="Error">0</SubType><TimeCreated SystemTime="2026-03-02T10:00:00.0000000Z" /><Source Name="{source}" /><Execution ProcessName="app" ProcessID="6624" ThreadID="3" /></System><ApplicationData>[0011] A &lt;b&gt; &amp; &#8211;</ApplicationData></E2ETraceEvent>"#
            )
        };
        let ours = event("System.Net.Sockets");
        let mut listener = Listener::default();
        let expected = "System.Net.Sockets Error: 0 : [0011] A <b> & –\n    ProcessId=6624\n    DateTime=2026-03-02T10:00:00.0000000Z\n";
        assert_eq!(listener.take(line(&ours)), Written::Event(expected.into()));
        assert_eq!(listener.take(line(&event("System.ServiceModel"))), Written::Foreign);
        assert_eq!(listener.take(line("<E2ETraceEvent")), Written::Foreign);
    }
}
