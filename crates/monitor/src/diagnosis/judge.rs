//! Lines judged: by the rules of `repono-diagnose`, and slow heads of which no client
//! tells.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use repono_diagnose::diagnosis::{DiagnoseError, Diagnoser};
use repono_diagnose::finding::Basis;
use repono_diagnose::report;
use serde_json::{Map, Value, json};

use super::window::{Id, Kept, Kind, SLOW_NS};

/// The rule of a head that was slow, as no client tells.
pub(super) const SLOW_HEAD: &str = "slow-head";
/// Lines that are shown of one such head.
const EVIDENCE_MAX: usize = 5;

/// What was found in the window.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) rule: String,
    pub(super) variant: Option<String>,
    pub(super) hop: String,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) count: u64,
    pub(super) worst_ms: Option<u64>,
    /// The finding, as the report tells it.
    pub(super) told: Map<String, Value>,
}

/// Judges lines of one window.
///
/// *Errors*: those of rules that are not whole.
pub(super) fn judge(lines: &[Kept]) -> Result<Vec<Seen>, DiagnoseError> {
    let mut inputs: BTreeMap<&str, Vec<&Kept>> = BTreeMap::new();
    for kept in lines {
        inputs.entry(&kept.instance).or_default().push(kept);
    }
    let mut diagnoser = Diagnoser::new()?;
    for (name, input) in &mut inputs {
        input.sort_by_key(|kept| (kept.ended_ns, kept.sequence));
        let text = input.iter().map(|kept| &*kept.line).collect::<Vec<_>>().join(&b'\n');
        diagnoser.read(name, &text[..])?;
    }
    // Heads serve well later on connections on which something went wrong before.
    let attempts = lines.iter().filter(|kept| matches!(kept.kind, Kind::Attempt { .. }));
    let newest_ms = attempts.map(ended_ms).max().or_else(|| lines.iter().map(ended_ms).max());
    let mut diagnosis = diagnoser.finish();
    // What is healthy is not in the window: of shares nothing is known.
    diagnosis.findings.retain(|finding| finding.basis == Basis::Each);
    let report = report::json(&diagnosis);
    let findings = report["findings"].as_array().into_iter().flatten();
    let mut seen: Vec<Seen> =
        findings.filter_map(|finding| Seen::of(finding, &inputs, newest_ms.unwrap_or_default())).collect();
    seen.extend(slow_heads(lines));
    Ok(seen)
}

fn ended_ms(kept: &Kept) -> u64 {
    kept.ended_ns / 1_000_000
}

impl Seen {
    fn of(finding: &Value, inputs: &BTreeMap<&str, Vec<&Kept>>, newest_ms: u64) -> Option<Self> {
        let mut told = finding.as_object()?.clone();
        let text = |name: &str| finding[name].as_str().map(str::to_owned);
        let (mut times, mut ends) = (Vec::new(), Vec::new());
        for mark in told.get_mut("evidence").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(kept) = give_place(mark, inputs) {
                // A connection may end long after the request that it failed.
                let times =
                    if matches!(kept.kind, Kind::Other | Kind::Opening) { &mut ends } else { &mut times };
                times.push(ended_ms(kept));
            }
        }
        let times = if times.is_empty() { ends } else { times };
        let count = finding["impact"]["count"].as_u64()?;
        let shown_last_ms = times.iter().max().copied().unwrap_or(newest_ms);
        // The report shows the first ones alone: where there are more, the last is at
        // most as young as the youngest line.
        let last_ms = if count > EVIDENCE_MAX as u64 { newest_ms } else { shown_last_ms };
        // Its lines are of the window, which nobody has.
        told.remove("steps");
        Some(Self {
            rule: text("rule")?,
            variant: text("variant"),
            hop: text("hop")?,
            first_ms: times.iter().min().copied().unwrap_or(newest_ms),
            last_ms,
            count,
            worst_ms: finding["impact"]["worst_ms"].as_u64(),
            told,
        })
    }
}

/// Names a line by its record's number instead of its place in the window.
fn give_place<'a>(mark: &mut Value, inputs: &BTreeMap<&str, Vec<&'a Kept>>) -> Option<&'a Kept> {
    let line = usize::try_from(mark["line"].as_u64()?).ok()?;
    let kept = inputs.get(mark["file"].as_str()?)?.get(line.checked_sub(1)?)?;
    mark["line"] = kept.sequence.into();
    Some(kept)
}

/// Heads that took long for requests of which no client's record tells.
fn slow_heads(lines: &[Kept]) -> Vec<Seen> {
    let of_clients = lines.iter().filter(|kept| matches!(kept.kind, Kind::Attempt { .. }));
    let told: HashSet<Id> = of_clients.flat_map(|kept| kept.ids).flatten().collect();
    let mut slow: BTreeMap<Arc<str>, Vec<(&Kept, u64)>> = BTreeMap::new();
    for kept in lines {
        let is_told = kept.ids.iter().flatten().any(|id| told.contains(id));
        match kept.kind {
            Kind::Work { took_ns } if took_ns > SLOW_NS && !is_told => {
                slow.entry(Arc::clone(&kept.instance)).or_default().push((kept, took_ns / 1_000_000));
            }
            Kind::Work { .. } | Kind::Attempt { .. } | Kind::Opening | Kind::Other => {}
        }
    }
    slow.into_iter().filter_map(|(head, work)| slow_head(&head, &work)).collect()
}

fn slow_head(head: &str, work: &[(&Kept, u64)]) -> Option<Seen> {
    let count = work.len() as u64;
    let times = || work.iter().map(|(kept, _)| ended_ms(kept));
    let worst_ms = work.iter().map(|(_, took_ms)| *took_ms).max()?;
    let evidence = work.iter().take(EVIDENCE_MAX).map(|(kept, took_ms)| {
        let text = format!("{head} took {:.1} s for a request", seconds(*took_ms));
        json!({"file": head, "line": kept.sequence, "text": text})
    });
    let requests = if count == 1 { "request" } else { "requests" };
    let told = json!({
        "title": format!("{count} {requests} took over 1 s at {head}"),
        "explanation": "From the request's head to its reply, without the time in which bodies were passed \
                        on, it took long in the head. No client's journal tells of these requests.",
        "confidence": "certain",
        "impact": {"count": count, "added_ms": work.iter().map(|(_, took_ms)| took_ms).sum::<u64>(), "worst_ms": worst_ms},
        "evidence": evidence.collect::<Vec<_>>(),
        "remedies": [{"who": "server", "do": "look at the phases of its slow requests (/api/v1/slowest): store, authorize, wait"}],
        "ruled_out": ["the path between client and head: the head itself measured the time"],
    });
    Some(Seen {
        rule: SLOW_HEAD.to_owned(),
        variant: Some(head.to_owned()),
        hop: "head".to_owned(),
        first_ms: times().min()?,
        last_ms: times().max()?,
        count,
        worst_ms: Some(worst_ms),
        told: told.as_object().cloned()?,
    })
}

/// Milliseconds as seconds, to be shown.
#[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
