//! A frame, drawn from the view alone.

mod details;
mod slowest;
mod words;

#[cfg(test)]
mod tests;

use std::time::Instant;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Sparkline, Table, Widget, Wrap};

use super::facts::{Change, Close, Head, Level};
use super::view::{Flow, HeadOrder, Mode, Paint, View};
use crate::printable::clean;
use words::{ago, ms, utc};

/// From here on a request is slow.
const SLOW_MS: f64 = 1_000.0;
/// Heads that have a line at most; the filter finds others.
const HEADS_SHOWN: usize = 12;
/// Lines of closes and of changes.
const BELOW_LINES: u16 = 5;

/// Every key, and what the letters of a bar mean.
const HELP: &str = "space  freeze, and go on\n\
                    h c    what heads saw, what clients saw\n\
                    s      sort slow requests: duration, time of the end, idle time before\n\
                    H      sort heads: name, p99, rate, connections\n\
                    /      filter heads and slow requests; Enter keeps it, Esc clears it\n\
                    ↑ ↓    choose a slow request; Enter shows all of it, Esc lets it go\n\
                    ?      this page\n\
                    q      end\n\
                    \n\
                    A bar shows what took the time: q queue, d dns, c connect, t tls, s send,\n\
                    a authorize, o store, w wait, r receive, . what no phase accounts for\n\
                    \n\
                    Any key goes back.";

/// What a colour says; a word or a sign says it too.
#[derive(Clone, Copy)]
enum Tone {
    Good,
    Warning,
    Bad,
    Quiet,
    Strong,
}

impl Paint {
    fn of(self, tone: Tone) -> Style {
        let style = Style::new();
        match (self, tone) {
            (Self::Plain, Tone::Strong) => style.add_modifier(Modifier::BOLD),
            (Self::Plain, Tone::Good | Tone::Warning | Tone::Bad | Tone::Quiet) => style,
            (Self::Colours, Tone::Good) => style.fg(Color::Green),
            (Self::Colours, Tone::Warning) => style.fg(Color::Yellow),
            (Self::Colours, Tone::Bad) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Self::Colours, Tone::Quiet) => style.add_modifier(Modifier::DIM),
            (Self::Colours, Tone::Strong) => style.add_modifier(Modifier::BOLD),
        }
    }
}

/// Draws all of it.
pub(super) fn frame(view: &View, now: Instant, area: Rect, buffer: &mut Buffer) {
    let heads = view.heads();
    let head_lines = u16::try_from(heads.len().min(HEADS_SHOWN)).unwrap_or_default() + 1;
    let parts = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Length(3),
        Constraint::Length(head_lines),
        Constraint::Min(3),
        Constraint::Length(BELOW_LINES),
        Constraint::Length(1),
    ]);
    let [title, verdict, numbers, lines, table, slowest, below, keys] = parts.areas(area);
    title_line(view, now).render(title, buffer);
    verdict_line(view).wrap(Wrap { trim: true }).render(verdict, buffer);
    rates(view, numbers, lines, buffer);
    head_table(view, &heads).render(table, buffer);
    slowest::table(view, slowest, buffer);
    let [closes, changes] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(below);
    close_table(view).render(closes, buffer);
    change_list(view).render(changes, buffer);
    key_line(view).render(keys, buffer);
    match view.mode {
        Mode::Help => over_all(Paragraph::new(HELP), " keys ", area, buffer),
        Mode::Details => {
            let lines = view.chosen.as_ref().map(|chosen| details::lines(view.paint, chosen));
            over_all(Paragraph::new(lines.unwrap_or_default()), " slow request ", area, buffer);
        }
        Mode::Browsing | Mode::Filtering => {}
    }
}

fn over_all(text: Paragraph<'static>, title: &'static str, area: Rect, buffer: &mut Buffer) {
    Clear.render(area, buffer);
    text.wrap(Wrap { trim: false }).block(Block::bordered().title(title)).render(area, buffer);
}

/// The same as text, without what a terminal needs.
pub(super) fn plain(view: &View, now: Instant, columns: u16, lines: u16) -> String {
    let area = Rect::new(0, 0, columns, lines);
    let mut buffer = Buffer::empty(area);
    frame(view, now, area, &mut buffer);
    let mut text = String::new();
    for y in 0..lines {
        let cells = (0..columns).filter_map(|x| buffer.cell((x, y)));
        let line: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    // Lines that nothing stands in are of no use in a pipe.
    let mut kept = String::new();
    let mut was_empty = true;
    for line in text.lines() {
        if !(line.is_empty() && was_empty) {
            kept.push_str(line);
            kept.push('\n');
        }
        was_empty = line.is_empty();
    }
    kept
}

fn title_line(view: &View, now: Instant) -> Line<'static> {
    let age = view.told.map(|told| now.saturating_duration_since(told));
    let (state, tone) = match (view.flow, age, &view.trouble) {
        (_, None, None) => ("asking …".to_owned(), Tone::Quiet),
        (_, None, Some(_)) => ("no answer".to_owned(), Tone::Bad),
        (Flow::Frozen, Some(age), _) => (format!("frozen, {} old", ago(age)), Tone::Warning),
        (Flow::Live, Some(age), Some(_)) => (format!("no answer, {} old", ago(age)), Tone::Bad),
        (Flow::Live, Some(_), None) => ("live".to_owned(), Tone::Good),
    };
    let filter = if view.filter.is_empty() { String::new() } else { format!("  filter: {}", view.filter) };
    Line::from(vec![
        Span::styled("repono top", view.paint.of(Tone::Strong)),
        Span::raw(format!("  {}  ", clean(&view.monitor))),
        Span::styled(state, view.paint.of(tone)),
        Span::raw(format!("  as {}s saw it{}", view.side.as_str(), clean(&filter))),
    ])
}

/// What is wrong with the monitor stands before what it said.
fn verdict_line(view: &View) -> Paragraph<'static> {
    if let Some(trouble) = &view.trouble {
        return Paragraph::new(clean(trouble)).style(view.paint.of(Tone::Bad));
    }
    let Some(verdict) = view.facts.as_deref().and_then(|facts| facts.verdict()) else {
        return Paragraph::new("");
    };
    let (word, tone) = match verdict.level {
        Level::Good => ("good", Tone::Good),
        Level::Warning => ("warning", Tone::Warning),
        Level::Bad => ("bad", Tone::Bad),
        Level::Unknown => ("unknown", Tone::Quiet),
    };
    Paragraph::new(format!("{word}: {}", clean(&verdict.sentence))).style(view.paint.of(tone))
}

/// Counts of the last minute, percentiles of its last second that had requests, the
/// slowest of three minutes; and two lines of those.
fn rates(view: &View, numbers: Rect, lines: Rect, buffer: &mut Buffer) {
    let series = view.facts.as_deref().map(|facts| facts.series(view.side)).unwrap_or_default();
    let total = |column: &[u64]| column.iter().rev().take(60).sum::<u64>();
    let (count, failed, reused) = (total(&series.count), total(&series.failed), total(&series.reused));
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let share = |part: u64| if count == 0 { 0.0 } else { 100.0 * part as f64 / count as f64 };
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let rate = count as f64 / 60.0;
    let last = |column: &[Option<f64>]| column.iter().rev().flatten().next().copied().map_or("–".into(), ms);
    let worst = series.max.iter().flatten().copied().reduce(f64::max);
    let text = format!(
        "{rate:.1}/s  failed {failed} ({:.2} %)  reused {:.0} %  p50 {}  p95 {}  p99 {}  max {}",
        share(failed),
        share(reused),
        last(&series.p50),
        last(&series.p95),
        last(&series.p99),
        worst.map_or("–".into(), ms),
    );
    let slow = worst.is_some_and(|worst| worst >= SLOW_MS);
    let tone = if slow { Tone::Warning } else { Tone::Strong };
    Line::styled(text, view.paint.of(tone)).render(numbers, buffer);

    let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).spacing(2).areas(lines);
    let recent = |width: u16, column: Vec<u64>| {
        let skipped = column.len().saturating_sub(usize::from(width));
        column.into_iter().skip(skipped).collect::<Vec<_>>()
    };
    let requests = recent(left.width, series.count);
    Sparkline::default().block(titled("requests")).data(requests).render(left, buffer);
    // On a scale of logarithms: a second is seen beside a millisecond, and not alone.
    let p99 = series.p99.iter().map(|ms| ms.map_or(0, logarithm)).collect();
    let p99 = recent(right.width, p99);
    Sparkline::default().block(titled("p99 (log)")).data(p99).render(right, buffer);
}

fn titled(title: &'static str) -> Block<'static> {
    Block::new().borders(Borders::TOP).title(title)
}

/// Of tenths of a millisecond, in hundredths.
fn logarithm(ms: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to some hundreds, by the clamp"
    )]
    let hundredths = ((ms * 10.0).max(1.0).log10() * 100.0).clamp(1.0, 10_000.0) as u64;
    hundredths
}

fn head_table(view: &View, heads: &[Head]) -> Table<'static> {
    let mark = |order: HeadOrder, name: &str| {
        Cell::from(if view.head_order == order { format!("{name}▾") } else { name.to_owned() })
    };
    let header = Row::new([
        mark(HeadOrder::Name, "head"),
        Cell::from("state"),
        Cell::from("weight"),
        mark(HeadOrder::Connections, "conns"),
        Cell::from("in flight"),
        mark(HeadOrder::Rate, "per s"),
        Cell::from("failed"),
        mark(HeadOrder::P99, "p99"),
        Cell::from("remarks"),
    ]);
    let rows = heads.iter().take(HEADS_SHOWN).map(|head| head_row(view.paint, head));
    let widths = [
        Constraint::Min(8),
        Constraint::Length(10),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(8),
        Constraint::Fill(1),
    ];
    Table::new(rows, widths).header(header.style(view.paint.of(Tone::Quiet)))
}

fn head_row(paint: Paint, head: &Head) -> Row<'static> {
    let (sign, tone) = match head.state.as_str() {
        "ready" => ("●", Tone::Good),
        "suspect" | "draining" => ("▲", Tone::Warning),
        _ => ("✕", Tone::Bad),
    };
    let traffic = |told: fn(&super::facts::Traffic) -> String| head.traffic.as_ref().map_or("–".into(), told);
    let mut remarks = Vec::new();
    if head.only {
        remarks.push("takes every new connection".to_owned());
    }
    // A head that does not tell what is in flight may stand still.
    if let (None, Some(waiting @ 1..)) = (head.in_flight, head.waiting) {
        remarks.push(format!("{waiting} wait"));
    }
    if let Some(failing) = &head.failing {
        remarks.push(format!("last check failed at {}", clean(failing)));
    }
    Row::new([
        Cell::from(clean(&head.name)),
        Cell::from(format!("{sign} {}", clean(&head.state))).style(paint.of(tone)),
        Cell::from(head.weight.to_string()),
        Cell::from(head.connections.to_string()),
        Cell::from(head.in_flight.map_or("–".into(), |number| number.to_string())),
        Cell::from(traffic(|traffic| format!("{:.1}", traffic.rate))),
        Cell::from(traffic(|traffic| traffic.failed.to_string())),
        Cell::from(traffic(|traffic| traffic.p99_ms.map_or("–".into(), ms))),
        Cell::from(remarks.join(", ")),
    ])
}

fn close_table(view: &View) -> Table<'static> {
    let mut closes = view.facts.as_deref().map(|facts| facts.closes()).unwrap_or_default();
    closes.sort_by_key(|close| std::cmp::Reverse(close.count));
    let row = |Close { side, by, how, count }: Close| {
        Row::new([count.to_string(), format!("{}: {} by {}", clean(&side), clean(&how), clean(&by))])
    };
    let widths = [Constraint::Length(9), Constraint::Fill(1)];
    Table::new(closes.into_iter().map(row), widths).block(titled("closes"))
}

fn change_list(view: &View) -> Paragraph<'static> {
    let changes = view.facts.as_deref().map(|facts| facts.changes()).unwrap_or_default();
    let line = |Change { at_ms, who, what, from, to }: Change| {
        let [who, what, from, to] = [who, what, from, to].map(|word| clean(&word));
        Line::raw(format!("{} {what}: {from} → {to}, by {who}", utc(at_ms)))
    };
    Paragraph::new(changes.into_iter().map(line).collect::<Vec<_>>()).block(titled("changes"))
}

fn key_line(view: &View) -> Line<'static> {
    let text = match view.mode {
        Mode::Filtering => format!("filter: {}▏  Enter keeps it, Esc clears it", clean(&view.filter)),
        Mode::Details => "↑ ↓ the others  any other key goes back".to_owned(),
        Mode::Browsing | Mode::Help => {
            "space freeze  h/c side  s/H sort  / filter  ↑↓ Enter details  ? keys  q end".to_owned()
        }
    };
    Line::styled(text, view.paint.of(Tone::Quiet))
}
