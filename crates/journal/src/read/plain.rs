//! Requests in the form in which this version writes them, read by place.
//!
//! A monitor reads ten thousand of these lines a second, of 1.2 KiB each, and a reader
//! that takes fields in any order spends 5 µs on one. This one knows the order, and takes
//! a line only if it is as [`crate::encode::request`] writes it, byte for byte. Any other
//! is left to the reader that knows all forms: of another version, with an escape in a
//! text, or damaged.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use repono_core::id::ConnectionId;
use repono_core::trace::{Span, SpanId, TraceId};

use crate::connection::TlsVersion;
use crate::request::{Phases, Reuse, Side};
use crate::stamp::Stamp;

use super::request::{Request, Session};
use super::{Fact, Origin, Record};

/// What is left of a line.
struct Line<'a>(&'a str);

/// The record of a request, if the line is one of this form.
///
/// *Cost*: some 0.5 µs.
pub(super) fn request(line: &[u8]) -> Option<Record<'_>> {
    // One look at all bytes, so that a text ends at the next quotation mark.
    let plain = line.iter().fold(true, |plain, byte| plain & (*byte >= b' ') & (*byte != b'\\'));
    let mut line = Line(std::str::from_utf8(line).ok().filter(|_| plain)?);
    let mut origin = line.origin()?;
    origin.sequence = line.event()?;
    let trace = line.trace()?;
    line.word(r#","http":{"request":{"#)?;
    let method = line.optional(r#""method":""#, |line| line.text_then(","))?;
    let trans_id = line.optional(r#""id":""#, |line| line.text_then(","))?;
    let bytes_in = line.number_after(r#""body":{"bytes":"#)?;
    line.word(r#"}},"response":{"#)?;
    let status = line.optional(r#""status_code":"#, |line| {
        let status = line.number()?.try_into().ok()?;
        line.word(",").map(|()| status)
    })?;
    let bytes_out = line.number_after(r#""body":{"bytes":"#)?;
    line.word(r#"}}},"url":{"path":""#)?;
    let path = line.text_then("}")?;
    let source = line.optional(r#","source":{"ip":""#, Line::address)?;
    let destination = line.optional(r#","destination":{"ip":""#, Line::address)?;
    let tls = line.optional(r#","tls":{"version":""#, Line::session)?;
    let actor = line.optional(r#","user":{"name":""#, |line| line.text_then("}"))?;
    let user_agent = line.optional(r#","user_agent":{"original":""#, |line| line.text_then("}"))?;
    let code = line.optional(r#","error":{"code":""#, |line| line.text_then("}"))?;
    line.word(r#","repono":{"side":""#)?;
    let side = Side::of_word(line.raw()?);
    line.word(r#","connection":{"id":""#)?;
    let connection = line.connection()?;
    let balancer_id = line.optional(r#","balancer_id":""#, Line::connection)?;
    let reuse = line.reuse()?;
    let attempts = line.number_after(r#"},"attempts":"#)?.try_into().ok()?;
    let parent = line.optional(r#","span":{"parent_id":""#, |line| line.text_then("}"))?;
    let application = line.optional(r#","application":""#, |line| line.text_then(""))?;
    let phases_ns = line.phases()?;
    let wall_ns = line.number_after(r#"},"wall_ns":"#)?;
    let started = Stamp { wall_ns, mono_ns: line.number_after(r#","mono_ns":{"start":"#)? };
    let ended = started.at_mono(line.number_after(r#","end":"#)?);
    let one_in = line.number_after(r#"},"sample":{"one_in":"#)?;
    line.word("}")?;
    origin.dropped = line.dropped()?;
    if line.0 != "}}" {
        return None;
    }
    let fact = Fact::Request(Request {
        side,
        trans_id,
        trace: trace.and_then(|(trace, id)| span(trace, id, parent.as_deref())),
        connection,
        balancer_id,
        started,
        ended,
        source,
        destination,
        method,
        path,
        status,
        bytes_in,
        bytes_out,
        phases_ns,
        reuse,
        attempts,
        code,
        actor,
        application,
        user_agent,
        tls,
        one_in,
    });
    Some(Record { origin, fact })
}

/// What is no id is passed over, as by the other reader.
fn span(trace: &str, id: &str, parent: Option<&str>) -> Option<Span> {
    Some(Span {
        trace: TraceId::parse(trace.as_bytes())?,
        id: SpanId::parse(id.as_bytes())?,
        parent: parent.and_then(|parent| SpanId::parse(parent.as_bytes())),
    })
}

impl<'a> Line<'a> {
    /// These characters are next.
    fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word)?;
        Some(())
    }

    /// What `read` makes of the rest, if these characters are next; of other characters
    /// nothing is taken.
    fn optional<T>(&mut self, word: &str, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.word(word) {
            Some(()) => read(self).map(Some),
            None => Some(None),
        }
    }

    /// A text to its end, and what follows it.
    fn text_then(&mut self, word: &str) -> Option<Cow<'a, str>> {
        let text = self.raw()?;
        self.word(word).map(|()| Cow::Borrowed(text))
    }

    fn raw(&mut self) -> Option<&'a str> {
        let (text, rest) = self.0.split_once('"')?;
        self.0 = rest;
        Some(text)
    }

    fn number_after(&mut self, word: &str) -> Option<u64> {
        self.word(word)?;
        self.number()
    }

    fn number(&mut self) -> Option<u64> {
        let (mut number, mut digits) = (0_u64, 0);
        for byte in self.0.bytes().take_while(u8::is_ascii_digit) {
            number = number.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
            digits += 1;
        }
        let (written, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        // In JSON no number but 0 begins with 0.
        let is_number = digits == 1 || !(written.is_empty() || written.starts_with('0'));
        is_number.then_some(number)
    }

    fn origin(&mut self) -> Option<Origin<'a>> {
        self.word(r#"{"@timestamp":""#)?;
        self.raw()?;
        self.word(r#","ecs":{"version":""#)?;
        self.raw()?;
        self.word(r#"},"service":{"name":""#)?;
        let service = self.text_then(r#","node":{"name":""#)?;
        let instance = self.text_then(r#"}},"host":{"boot":{"id":""#)?;
        let boot = self.text_then("}}")?;
        let pid = self.number_after(r#","process":{"pid":"#)?.try_into().ok()?;
        self.word("}")?;
        Some(Origin { service, instance, boot, pid, sequence: 0, dropped: 0 })
    }

    /// The sequence.
    fn event(&mut self) -> Option<u64> {
        self.word(concat!(
            r#","event":{"kind":"event","category":["web"],"type":["access"],"#,
            r#""dataset":"repono.request","module":"repono","action":"request","outcome":""#
        ))?;
        self.raw()?;
        self.word(r#","start":""#)?;
        self.raw()?;
        self.word(r#","end":""#)?;
        self.raw()?;
        self.number_after(r#","duration":"#)?;
        let sequence = self.number_after(r#","sequence":"#)?;
        self.optional(r#","id":""#, Self::raw)?;
        self.word("}").map(|()| sequence)
    }

    fn trace(&mut self) -> Option<Option<(&'a str, &'a str)>> {
        self.optional(r#","trace":{"id":""#, |line| {
            let trace = line.raw()?;
            line.word(r#"},"span":{"id":""#)?;
            let id = line.raw()?;
            line.word("}").map(|()| (trace, id))
        })
    }

    fn address(&mut self) -> Option<SocketAddr> {
        let ip: IpAddr = self.raw()?.parse().ok()?;
        let port = self.number_after(r#","port":"#)?.try_into().ok()?;
        self.word("}").map(|()| SocketAddr::new(ip, port))
    }

    fn session(&mut self) -> Option<Session<'a>> {
        let version = TlsVersion::of_word(self.raw()?);
        self.word(r#","version_protocol":"tls","cipher":""#)?;
        let cipher = self.text_then(r#","established":true,"resumed":"#)?;
        let resumed = self.truth()?;
        self.word("}").map(|()| Session { version, cipher, resumed })
    }

    fn truth(&mut self) -> Option<bool> {
        let is_true = self.word("true").is_some();
        if !is_true {
            self.word("false")?;
        }
        Some(is_true)
    }

    fn connection(&mut self) -> Option<ConnectionId> {
        ConnectionId::parse(self.raw()?.as_bytes())
    }

    fn reuse(&mut self) -> Option<Reuse> {
        self.word(r#","reused":"#)?;
        if !self.truth()? {
            return Some(Reuse::New);
        }
        let idle_before_ns = self.number_after(r#","idle_before_ns":"#)?;
        let requests_before = self.number_after(r#","requests_before":"#)?.try_into().ok()?;
        Some(Reuse::Reused { idle_before_ns, requests_before })
    }

    fn phases(&mut self) -> Option<Phases> {
        Some(Phases {
            queue: self.number_after(r#","phase_ns":{"queue":"#)?,
            dns: self.number_after(r#","dns":"#)?,
            connect: self.number_after(r#","connect":"#)?,
            tls: self.number_after(r#","tls":"#)?,
            send: self.number_after(r#","send":"#)?,
            wait: self.number_after(r#","wait":"#)?,
            authorize: self.number_after(r#","authorize":"#)?,
            store: self.number_after(r#","store":"#)?,
            receive: self.number_after(r#","receive":"#)?,
        })
    }

    /// Records that the journal had lost, of which it tells when there are some.
    fn dropped(&mut self) -> Option<u64> {
        let dropped = self.optional(r#","journal":{"dropped":"#, |line| {
            let dropped = line.number()?;
            line.number_after(r#","sampled_out":"#)?;
            line.word("}").map(|()| dropped)
        })?;
        Some(dropped.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::request;
    use crate::encode;
    use crate::encode::tests::{COUNTS, full_request, lines, origin};
    use crate::request::{Outcome, RequestRecord, Reuse};

    fn written(record: &RequestRecord) -> Vec<u8> {
        let mut out = Vec::new();
        encode::request(&mut out, &origin(), COUNTS, record, 3);
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    fn some_requests() -> [RequestRecord; 4] {
        let full = full_request();
        let bare = RequestRecord::unconnected(full.side, full.connection, full.started);
        let new = RequestRecord { reuse: Reuse::New, outcome: Outcome::Complete, ..full };
        let untraced = RequestRecord { trace: None, user_agent: Default::default(), ..full };
        [full, bare, new, untraced]
    }

    fn same(line: &[u8]) {
        let Some(read) = request(line) else { return };
        let by_all = super::super::in_any_form(line).map(|record| format!("{record:?}"));
        assert_eq!(format!("{read:?}"), by_all.expect("a line that is taken here is one"));
    }

    #[test]
    fn every_request_that_is_written_is_taken_and_no_other_record() {
        for record in some_requests() {
            let line = written(&record);
            assert!(request(&line).is_some(), "{}", String::from_utf8_lossy(&line));
            same(&line);
        }
        let taken = lines().split(|byte| *byte == b'\n').filter(|line| request(line).is_some()).count();
        assert_eq!(taken, 1);
    }

    proptest! {
        /// What it takes, the other reader takes, and reads the same.
        #[test]
        fn a_line_that_was_changed_is_read_as_by_the_other_reader(
            which in 0_usize..4,
            at in any::<proptest::sample::Index>(),
            length in 0_usize..4,
            put in "[ -~]{0,3}|[0-9]{0,20}|\\PC",
        ) {
            let mut line = written(&some_requests()[which]);
            let at = at.index(line.len());
            let end = (at + length).min(line.len());
            line.splice(at..end, put.bytes());
            same(&line);
        }
    }
}
