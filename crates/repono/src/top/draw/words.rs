//! Numbers and times for people.

use std::time::Duration;

use serde_json::{Map, Value};

/// The letter of each phase, in the order of a request's life.
const LETTERS: [(&str, char); 9] = [
    ("queue", 'q'),
    ("dns", 'd'),
    ("connect", 'c'),
    ("tls", 't'),
    ("send", 's'),
    ("authorize", 'a'),
    ("store", 'o'),
    ("wait", 'w'),
    ("receive", 'r'),
];

/// Three digits: `0.21 ms`, `8.4 ms`, `120 ms`, `10.3 s`, `6.0 min`.
pub(super) fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.2} ms"),
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1e3),
        ms => format!("{:.1} min", ms / 60e3),
    }
}

/// Whole seconds.
pub(super) fn ago(age: Duration) -> String {
    format!("{} s", age.as_secs())
}

/// The time of day of Unix milliseconds, UTC.
pub(super) fn utc(at_ms: u64) -> String {
    let second = at_ms / 1_000 % 86_400;
    format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// What took the time: letters of phases, as many as each one's share of the columns.
pub(super) fn phases_bar(phases_ms: &Map<String, Value>, duration_ms: f64, columns: usize) -> String {
    let mut bar = String::with_capacity(columns);
    let mut until = 0.0;
    for (name, letter) in LETTERS {
        until += phases_ms.get(name).and_then(Value::as_f64).unwrap_or_default().max(0.0);
        #[expect(clippy::cast_precision_loss, reason = "a terminal has some hundred columns")]
        let share = (until / duration_ms.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * columns as f64;
        while (bar.len() as f64) + 0.5 < share {
            bar.push(letter);
        }
    }
    bar.extend(std::iter::repeat_n('.', columns.saturating_sub(bar.len())));
    bar
}
