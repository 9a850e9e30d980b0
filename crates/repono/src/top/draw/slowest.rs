//! The slowest requests, a line each.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Block, Borders, Cell, Row, StatefulWidget, Table, TableState};

use super::super::facts::Slow;
use super::super::view::{Paint, SlowOrder, View};
use super::words::{ms, phases_bar, utc};
use super::{SLOW_MS, Tone};
use crate::printable::clean;

/// Columns of a request's bar.
const BAR_COLUMNS: usize = 12;

/// The table; the chosen one is in sight, however long the list.
pub(super) fn table(view: &View, area: Rect, buffer: &mut Buffer) {
    let width = area.width;
    let sorted = match view.slow_order {
        SlowOrder::Duration => "duration",
        SlowOrder::Ended => "time of the end",
        SlowOrder::Idle => "idle time before",
    };
    let slowest = view.slowest();
    let mut state = TableState::new().with_selected(view.place(&slowest));
    let rows = slowest.iter().map(|slow| row(view.paint, slow));
    let widths = [
        Constraint::Length(8),
        Constraint::Length(u16::try_from(BAR_COLUMNS).unwrap_or_default()),
        Constraint::Length(6),
        Constraint::Length(3),
        Constraint::Fill(1),
        Constraint::Length(if width < 100 { 20 } else { 24 }),
        Constraint::Length(if width < 100 { 0 } else { 10 }),
        Constraint::Length(if width < 100 { 0 } else { 8 }),
    ];
    let title = format!("slowest requests of the last hour, by {sorted}");
    let table = Table::new(rows, widths)
        .block(Block::new().borders(Borders::TOP).title(title))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .highlight_symbol("▸ ");
    StatefulWidget::render(table, area, buffer, &mut state);
}

fn row(paint: Paint, slow: &Slow) -> Row<'static> {
    let tone = if slow.duration_ms >= SLOW_MS { Tone::Warning } else { Tone::Strong };
    let mut before = slow.idle_before_ms.map_or("new".to_owned(), |idle| format!("idle {}", ms(idle)));
    if !slow.hidden.is_empty() {
        before.push_str(&format!(", {} hidden", slow.hidden.len()));
    }
    let status = match (slow.status, &slow.code) {
        (Some(status), _) => status.to_string(),
        (None, Some(_)) => "!".to_owned(),
        (None, None) => "–".to_owned(),
    };
    Row::new([
        Cell::from(ms(slow.duration_ms)).style(paint.of(tone)),
        Cell::from(phases_bar(&slow.phases_ms, slow.duration_ms, BAR_COLUMNS)),
        Cell::from(clean(slow.method.as_deref().unwrap_or_default())),
        Cell::from(status),
        Cell::from(clean(&slow.path)),
        Cell::from(before),
        Cell::from(clean(&slow.instance)),
        Cell::from(utc(slow.ended_ms)),
    ])
}
