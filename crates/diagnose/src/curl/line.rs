//! The lines that curl writes.

use crate::event::Instant;

mod dump;

pub(super) use dump::{Dump, Dumped};

/// Columns of the progress meter, which curl writes to the same stream without a line
/// end: `%3s %5s  %3s %5s  %3s %5s  %5s  %5s %8s %8s %8s %5s`.
const METER_COLUMNS: usize = 78;

/// Where the columns of its times stand.
const METER_TIMES: [usize; 3] = [46, 55, 64];

/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;

/// How curl begins to tell of a transfer. Other programs make lists with `*` too.
const OPENINGS: [&str; 14] = [
    "Trying ",
    "About to connect() to ",
    "Rebuilt URL to: ",
    "processing: ",
    "Host ",
    "Hostname ",
    "Connected to ",
    "Established connection to ",
    "Could not resolve ",
    "Re-using existing ",
    "Reusing existing ",
    "Uses proxy env variable ",
    "Added ",
    "Found bundle for host",
];

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Out,
    In,
}

/// The numbers of `--trace-ids`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) transfer: u64,
    /// `x` until it has one.
    pub(super) connection: Option<u64>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written<'a> {
    /// Curl's own words.
    Info(&'a str),
    /// A line of a request's head.
    Sent(&'a str),
    /// A line of a reply's head.
    Received(&'a str),
    /// Bytes of a body, or of TLS.
    Body(Way),
    /// What the rows of a dump are, which follow.
    Dumped(Dumped),
    /// Curl's last words, with its exit code.
    Error(u16),
}

/// A time of day, in nanoseconds. The log has no date: its clock starts at midnight
/// before its first line, and goes on over the next.
#[derive(Default)]
pub(super) struct Clock {
    days: i128,
    last: i128,
}

impl Clock {
    pub(super) fn at(&mut self, time_of_day: i128) -> Instant {
        // Lines of several transfers may be a little out of order: half a day is not.
        if time_of_day + DAY / 2 < self.last {
            self.days += 1;
        }
        self.last = time_of_day;
        Instant(self.days * DAY + time_of_day)
    }
}

/// Whether curl alone begins a log so.
pub(super) fn is_of_curl(line: &str) -> bool {
    match parse(unmetered(line)) {
        Some((_, _, Written::Info(info))) => {
            line.contains("== Info:") || OPENINGS.iter().any(|opening| info.trim_start().starts_with(opening))
        }
        Some((_, _, Written::Dumped(_) | Written::Error(_))) => true,
        Some((_, _, Written::Sent(head))) => head.contains(" HTTP/"),
        Some((_, _, Written::Received(_) | Written::Body(_))) | None => false,
    }
}

/// The line without the progress meters before it.
pub(super) fn unmetered(line: &str) -> &str {
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches('\r');
        let is_meter = rest.get(..METER_COLUMNS).is_some_and(|meter| {
            METER_TIMES.iter().all(|at| {
                let time = meter.get(*at - 1..*at + 7).unwrap_or_default();
                time.contains(':') || time.trim_start().ends_with(['d', 'h'])
            }) && meter.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" .:-".contains(&byte))
        });
        match rest.get(METER_COLUMNS..) {
            Some(after) if is_meter => rest = after,
            Some(_) | None => return rest.trim_end_matches('\r'),
        }
    }
}

pub(super) fn is_heading_of_meter(line: &str) -> bool {
    line.trim_start().starts_with("% Total    % Received") || line.trim_start().starts_with("Dload  Upload")
}

/// Time, numbers and what the line says.
pub(super) fn parse(line: &str) -> Option<(Option<i128>, Option<Ids>, Written<'_>)> {
    let (stamp, rest) = match time_of_day(line) {
        Some((stamp, rest)) => (Some(stamp), rest),
        None => (None, line),
    };
    let (ids, rest) = match ids(rest) {
        Some((ids, rest)) => (Some(ids), rest),
        None => (None, rest),
    };
    Some((stamp, ids, written(rest)?))
}

fn written(line: &str) -> Option<Written<'_>> {
    if let Some(info) = line.strip_prefix("== Info: ").or_else(|| line.strip_prefix("* ")) {
        return Some(Written::Info(info));
    }
    if let Some(kind) = Dumped::of(line) {
        return Some(Written::Dumped(kind));
    }
    if let Some(rest) = line.strip_prefix("curl: (") {
        let (code, _) = rest.split_once(") ").or_else(|| rest.split_once(')'))?;
        return code.parse().ok().map(Written::Error);
    }
    let is_count = |rest: &str| rest.starts_with(" [") && rest.ends_with(']') && rest.contains(" bytes ");
    match line.split_at_checked(1)? {
        (">", rest) => head(rest).map(Written::Sent),
        ("<", rest) => head(rest).map(Written::Received),
        ("{", rest) if is_count(rest) => Some(Written::Body(Way::In)),
        ("}", rest) if is_count(rest) => Some(Written::Body(Way::Out)),
        _ => None,
    }
}

/// After its sign stands a blank; an editor may have cut it off the empty line.
fn head(rest: &str) -> Option<&str> {
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// `HH:MM:SS.uuuuuu ` as nanoseconds.
fn time_of_day(line: &str) -> Option<(i128, &str)> {
    let (time, rest) = line.split_once(' ')?;
    let mut parts = time.splitn(3, ':');
    let mut whole = |below: i128| parts.next()?.parse().ok().filter(|part| (0..below).contains(part));
    let (hours, minutes): (i128, i128) = (whole(24)?, whole(60)?);
    let (seconds, micros) = parts.next()?.split_once('.')?;
    if micros.len() != 6 {
        return None;
    }
    let seconds: u8 = seconds.parse().ok()?;
    let micros: u32 = micros.parse().ok()?;
    let whole = (hours * 60 + minutes) * 60 + i128::from(seconds);
    Some(((whole * 1_000_000 + i128::from(micros)) * 1_000, rest))
}

/// `[transfer-connection] `.
fn ids(line: &str) -> Option<(Ids, &str)> {
    let (numbers, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (transfer, connection) = numbers.split_once('-')?;
    let connection = match connection {
        "x" => None,
        number => Some(number.parse().ok()?),
    };
    Some((Ids { transfer: transfer.parse().ok()?, connection }, rest))
}

#[cfg(test)]
mod tests {
    use super::{Clock, DAY, Written, is_of_curl, parse, unmetered};

    #[test]
    fn a_meter_before_a_line_is_none_of_it() {
        let meter = "\r  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0";
        assert_eq!(
            unmetered(&format!("{meter}{meter}20:03:41.776632 *   Trying")),
            "20:03:41.776632 *   Trying"
        );
        let late = "\r100     6  100     6    0     0   5226      0  0:00:01  0:00:01 --:--:--  6000";
        assert_eq!(unmetered(late), "");
        assert_eq!(unmetered("* Connected to a"), "* Connected to a");
    }

    #[test]
    fn a_day_ends() {
        let mut clock = Clock::default();
        let mut at = |line| clock.at(parse(line).unwrap().0.unwrap()).0;
        let (before, back, after) =
            (at("23:59:59.999999 * a"), at("23:59:59.999998 * a"), at("00:00:00.000001 [0-x] * a"));
        assert_eq!((before - back, after - before), (1_000, 2_000));
        assert!(after > DAY);
    }

    #[test]
    fn curl_is_known_by_its_first_words_and_lists_of_others_are_not() {
        for known in
            ["*   Trying 127.0.0.1:80...", "20:03:41.776632 == Info: a", "[0-x] * Host a:80 was resolved."]
        {
            assert!(is_of_curl(known), "{known}");
        }
        for other in ["* milk", "* Trying", "> quoted", "{ [2 bytes data]", "", "é", "25:03:41.776632 * a"] {
            assert!(!is_of_curl(other), "{other}");
        }
        assert_eq!(parse("curl: (52) Empty reply").unwrap().2, Written::Error(52));
    }
}
