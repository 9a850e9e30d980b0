//! All that the monitor tells of one slow request.

use ratatui::text::{Line, Span};
use serde_json::Value;

use super::super::facts::Slow;
use super::super::view::Paint;
use super::Tone;
use super::words::{ms, phases_bar, utc};
use crate::printable::clean;

/// Columns of an attempt's bar.
const BAR_COLUMNS: usize = 40;

/// The request, its phases, and the attempts that the caller never saw.
pub(super) fn lines(paint: Paint, slow: &Slow) -> Vec<Line<'static>> {
    let method = clean(slow.method.as_deref().unwrap_or("?"));
    let mut lines =
        vec![Line::styled(format!("{method} {}", clean(&slow.path)), paint.of(Tone::Strong)), Line::raw("")];
    lines.extend(attempt(paint, slow));
    if let Some(request) = &slow.request {
        lines.push(field("request", clean(request)));
    }
    let hidden = slow.hidden();
    for (number, one) in hidden.iter().enumerate() {
        lines.push(Line::raw(""));
        let title = format!("hidden attempt {} of {}", number + 1, hidden.len());
        lines.push(Line::styled(title, paint.of(Tone::Warning)));
        lines.extend(attempt(paint, one));
    }
    lines.extend([
        Line::raw(""),
        Line::styled("↑ ↓ the others, any other key goes back", paint.of(Tone::Quiet)),
    ]);
    lines
}

fn attempt(paint: Paint, slow: &Slow) -> Vec<Line<'static>> {
    let outcome = match (slow.status, &slow.code) {
        (Some(status), Some(code)) => format!("{status}, {}", clean(code)),
        (Some(status), None) => status.to_string(),
        (None, Some(code)) => format!("no reply, {}", clean(code)),
        (None, None) => "no reply".to_owned(),
    };
    let before =
        slow.idle_before_ms.map_or("new".to_owned(), |idle| format!("reused, idle {} before", ms(idle)));
    let mut lines = vec![
        field("took", format!("{} to {} UTC", ms(slow.duration_ms), utc(slow.ended_ms))),
        field("outcome", format!("{outcome}, attempt {}", slow.attempt)),
        field("told by", format!("{}, {}", clean(&slow.side), clean(&slow.instance))),
        field("connection", format!("{}, {before}", clean(&slow.connection))),
        field("phases", phases_bar(&slow.phases_ms, slow.duration_ms, BAR_COLUMNS)),
    ];
    for (name, took) in &slow.phases_ms {
        let took = took.as_f64().map_or_else(|| clean(&Value::to_string(took)), ms);
        lines.push(Line::from(vec![
            Span::raw(" ".repeat(12)),
            Span::styled(format!("{:10}", clean(name)), paint.of(Tone::Quiet)),
            Span::raw(took),
        ]));
    }
    lines
}

fn field(name: &'static str, value: String) -> Line<'static> {
    Line::raw(format!("{name:12}{value}"))
}
