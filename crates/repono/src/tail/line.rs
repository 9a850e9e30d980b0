//! A record as a line for people.

use std::fmt::Write;

use repono_journal::read::{Change, Connection, Fact, Record};
use repono_journal::{ClosedBy, Manner, Phases, Reuse};

use super::asked::Asked;
use crate::printable::clean;

/// Digits of a connection's id that are shown: enough to search for.
const CONNECTION_DIGITS: usize = 8;
/// Phases that are shown: the longest ones.
const PHASES_SHOWN: usize = 3;
/// A phase that took less than this part of a request explains nothing.
const PHASE_PART: u64 = 10;
/// Nor does one below 0.1 ms, however short the request was.
const PHASE_NS_MIN: u64 = 100_000;
/// From here on a request is slow: the journal's own bound.
const SLOW_NS: u64 = repono_journal::RequestRecord::SLOW_NS;

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Colours,
    Plain,
}

/// What a colour says.
#[derive(Clone, Copy)]
enum Tone {
    Failed,
    Refused,
    Slow,
    Quiet,
}

impl Paint {
    fn dye(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Failed => 31,
            Tone::Refused => 33,
            Tone::Slow => 35,
            Tone::Quiet => 2,
        };
        match self {
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// The line of a record, with its line feed; empty for what has none.
pub(super) fn written(record: &Record<'_>, paint: Paint) -> String {
    let Some(at) = record.fact.ended() else { return String::new() };
    let who = record.origin.service.strip_prefix("repono-").unwrap_or(&record.origin.service);
    let told = match (&record.fact, Asked::of(record)) {
        (_, Some(asked)) => asked_line(&asked, paint),
        (Fact::Connection(connection), None) => connection_line(connection),
        (Fact::Change(change), None) => change_line(change),
        (Fact::Request(_) | Fact::Turn(_) | Fact::Audit(_) | Fact::Other, None) => return String::new(),
    };
    let who = format!("{} {who}/{}", at.utc(), clean(&record.origin.instance));
    format!("{} {told}\n", paint.dye(Tone::Quiet, &who))
}

fn asked_line(asked: &Asked<'_>, paint: Paint) -> String {
    let what = match asked.method {
        Some(method) => format!("{} {}", clean(method), clean(asked.path)),
        None if asked.path.is_empty() => "turn".to_owned(),
        None => clean(asked.path),
    };
    let mut line = format!("{what} {} {}", answer(asked, paint), duration(asked, paint));
    let phases = phases(&asked.phases_ns, asked.duration_ns);
    if !phases.is_empty() {
        push(&mut line, format_args!(" ({phases})"));
    }
    match asked.reuse {
        Reuse::New => line.push_str("  new"),
        Reuse::Reused { idle_before_ns, .. } => {
            push(&mut line, format_args!("  reused, idle {}", in_words(idle_before_ns)));
        }
    }
    if asked.attempt > 1 {
        push(&mut line, format_args!("  attempt {}", asked.attempt));
    }
    push(&mut line, format_args!("  {}", short(&asked.connection.to_string())));
    if let Some(actor) = asked.actor {
        push(&mut line, format_args!(" {}", clean(actor)));
    }
    line
}

/// The status, or why there is none.
fn answer(asked: &Asked<'_>, paint: Paint) -> String {
    let code = asked.code.map(clean);
    let text = match (asked.status, code) {
        (Some(status), Some(code)) => format!("{status} {code}"),
        (Some(status), None) => status.to_string(),
        (None, Some(code)) => code,
        (None, None) => "-".to_owned(),
    };
    let refused = asked.status.is_some_and(|status| status >= 400);
    match (asked.failed, refused) {
        (true, _) => paint.dye(Tone::Failed, &text),
        (false, true) => paint.dye(Tone::Refused, &text),
        (false, false) => text,
    }
}

fn duration(asked: &Asked<'_>, paint: Paint) -> String {
    let text = in_words(asked.duration_ns);
    if asked.duration_ns >= SLOW_NS { paint.dye(Tone::Slow, &text) } else { text }
}

/// The phases that took most of the time, the longest first.
fn phases(phases: &Phases, duration_ns: u64) -> String {
    let Phases { queue, dns, connect, tls, send, wait, authorize, store, receive } = *phases;
    let mut all = [
        ("queue", queue),
        ("dns", dns),
        ("connect", connect),
        ("tls", tls),
        ("send", send),
        ("wait", wait),
        ("authorize", authorize),
        ("store", store),
        ("receive", receive),
    ];
    all.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    let matters = |ns: u64| ns >= PHASE_NS_MIN && ns >= duration_ns / PHASE_PART;
    let told = all.iter().take(PHASES_SHOWN).filter(|(_, ns)| matters(*ns));
    told.map(|(name, ns)| format!("{name} {}", in_words(*ns))).collect::<Vec<_>>().join(", ")
}

fn connection_line(connection: &Connection<'_>) -> String {
    let mut line = format!(
        "connection ended by {}, {}, idle {}; {} requests in {}",
        connection.closed_by.map_or("?", ClosedBy::as_str),
        connection.manner.map_or("?", Manner::as_str),
        in_words(connection.idle_at_close_ns),
        connection.requests,
        in_words(connection.ended.mono_ns.saturating_sub(connection.opened.mono_ns)),
    );
    for word in [connection.end_code.as_deref(), connection.head.as_deref()].into_iter().flatten() {
        push(&mut line, format_args!("  {}", clean(word)));
    }
    push(&mut line, format_args!("  {}", short(&connection.id.to_string())));
    line
}

fn change_line(change: &Change<'_>) -> String {
    let Change { what, from, to, who, .. } = change;
    format!("change: {} from {} to {}, by {}", clean(what), clean(from), clean(to), clean(who))
}

/// A span in the unit that suits it, in three digits.
fn in_words(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let ns_float = ns as f64;
    match ns {
        0..1_000_000 => format!("{} µs", ns / 1_000),
        1_000_000..10_000_000 => format!("{:.1} ms", ns_float / 1e6),
        10_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        1_000_000_000..60_000_000_000 => format!("{:.1} s", ns_float / 1e9),
        _ => format!("{} s", ns / 1_000_000_000),
    }
}

fn short(id: &str) -> &str {
    id.get(..CONNECTION_DIGITS).unwrap_or(id)
}

fn push(line: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _infallible = line.write_fmt(more);
}

#[cfg(test)]
mod tests;
