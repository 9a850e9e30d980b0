//! Lines of nginx's error log.

use std::sync::LazyLock;

use memchr::memmem::{self, Finder};

use crate::event::Instant;
use crate::moment;
use crate::proxy::{Access, By, Ending, Phase, method_of, without_version};

/// What went wrong, by nginx's words; the first that fits decides.
const WORDS: [(&str, By); 10] = [
    ("client prematurely closed connection", By::FrontClosed),
    ("client timed out", By::FrontSilent),
    ("SSL_do_handshake() failed", By::FrontMalformed),
    ("client sent invalid", By::FrontMalformed),
    ("upstream prematurely closed connection", By::BackClosed),
    ("upstream timed out", By::BackSilent),
    ("upstream sent ", By::BackMalformed),
    ("no live upstreams", By::BackAbsent),
    ("worker_connections are not enough", By::Exhausted),
    ("limiting requests", By::Refused),
];

/// Calls that fail, whose words name no side: what nginx did at that time does.
const CALLS: [&str; 6] = [
    "recv() failed",
    "connect() failed",
    "send() failed",
    "writev() failed",
    "SSL_read() failed",
    "sendfile() failed",
];

/// What nginx was doing.
const DOING: [(&str, Phase); 9] = [
    ("while connecting to upstream", Phase::Connect),
    ("while SSL handshaking to upstream", Phase::Connect),
    ("while sending request to upstream", Phase::Head),
    ("while reading response header from upstream", Phase::Head),
    ("while reading upstream", Phase::Data),
    ("while sending to client", Phase::Data),
    ("while proxying", Phase::Data),
    ("while reading client request", Phase::Request),
    ("while SSL handshaking", Phase::Request),
];

/// `2026/03/02 10:10:09`.
const DATE_BYTES: usize = 19;

/// A line of the error log.
pub(super) struct Error<'a> {
    at: Instant,
    words: &'a str,
}

/// `http://198.51.100.4:80` of `http://198.51.100.4:80/o/b`.
fn authority(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| from + at);
    url.get(..end).unwrap_or(url)
}

impl<'a> Error<'a> {
    /// `2026/03/02 10:10:09 [error] 7#7: *5 words`; the time is of the machine's own
    /// zone, which the log does not name.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (date, rest) = line.split_at_checked(DATE_BYTES)?;
        let at = moment::error_log(date)?.assume_utc().into();
        let (_level, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
        let (process, words) = rest.split_once(": ")?;
        let (pid, tid) = process.split_once('#')?;
        let _numbers: (u64, u64) = (pid.parse().ok()?, tid.parse().ok()?);
        Some(Self { at, words })
    }

    /// Nothing for what is about no request, and for what went as it should.
    pub(super) fn access(&self) -> Option<Access<'a>> {
        let ending = self.ending()?;
        let request = self.field(", request: \"").unwrap_or_default();
        let name = without_version(request);
        Some(Access {
            name: if name.is_empty() { "a connection" } else { name },
            method: method_of(name),
            to: self.field(", upstream: \"").map_or("-", authority),
            begun: Some(self.at),
            ended: Some(self.at),
            ending: Some(ending),
            ..Access::default()
        })
    }

    fn ending(&self) -> Option<Ending> {
        static WORDS_AT: LazyLock<Vec<Finder<'static>>> =
            LazyLock::new(|| finders(WORDS.map(|(words, _)| words)));
        static DOING_AT: LazyLock<Vec<Finder<'static>>> =
            LazyLock::new(|| finders(DOING.map(|(words, _)| words)));
        static CALLS_AT: LazyLock<Vec<Finder<'static>>> = LazyLock::new(|| finders(CALLS));
        let has = |finder: &Finder<'_>| finder.find(self.words.as_bytes()).is_some();
        let first = |finders: &[Finder<'_>]| finders.iter().position(has);
        let doing = first(&DOING_AT).and_then(|at| DOING.get(at));
        let phase = doing.map_or(Phase::Untold, |(_, phase)| *phase);
        let is_upstream = doing.is_some_and(|(words, _)| words.contains("upstream"));
        if let Some((_, by)) = first(&WORDS_AT).and_then(|at| WORDS.get(at)) {
            let by = if is_upstream && *by == By::FrontMalformed { By::BackMalformed } else { *by };
            return Some(Ending { by, phase });
        }
        let by = if is_upstream { By::BackClosed } else { By::FrontClosed };
        first(&CALLS_AT).map(|_| Ending { by, phase })
    }

    /// What stands behind `, name: "`, as far as the next quote.
    fn field(&self, beginning: &str) -> Option<&'a str> {
        let at = memmem::find(self.words.as_bytes(), beginning.as_bytes())?;
        let rest = self.words.get(at + beginning.len()..)?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// Looks for each of these. What looks is made once: making it takes longer than looking.
fn finders<const N: usize>(words: [&'static str; N]) -> Vec<Finder<'static>> {
    words.into_iter().map(Finder::new).collect()
}
