//! Response times as Elasticsearch and as our page tell them.
//!
//! Both are asked for the same slots of time of the same side, when both have counted the
//! same requests. They agree as far as either can tell:
//!
//! - the page gives the upper end of the range into which its histogram put the request:
//!   two significant digits are 128 ranges for each doubling, so it is at most a 128th
//!   above; durations are cut to 10 µs before, so it is at most that below;
//! - of `n` requests the page's p99 is the one at rank ⌈0.99 n⌉. Elasticsearch's t-digest
//!   puts p99 between its neighbours, so it is at most one rank off.

use std::collections::BTreeMap;
use std::time::Duration;

use repono_testkit::wait;
use serde_json::Value;

use crate::Lane;
use crate::elastic::Kind;
use crate::journals::{Journals, Record};

/// The page's histogram: two significant digits.
const RESOLUTION: f64 = 1.0 / 128.0;
/// And its unit.
const UNIT_NS: f64 = 10_000.0;
/// `noida-db` takes some hundred records a second.
const LIMIT: Duration = Duration::from_secs(120);
/// So that p99 is neither the slowest nor its neighbour.
const REQUESTS_MIN: usize = 300;

const SIDES: [&str; 2] = ["client", "head"];

/// A step of the page, in seconds, and as Elasticsearch names it.
const STEPS: [(&str, u64, &str); 2] = [("minute", 60, "1m"), ("hour", 3600, "1h")];

/// The requests of each slot, by its beginning in Unix seconds: how many, and p99 in ns.
pub(crate) type Slots = BTreeMap<u64, (u64, f64)>;

/// p99 asked there is p99 on our page. Nothing must write requests of these sides
/// meanwhile.
pub(crate) fn same_p99(journals: &Journals, lanes: &[Lane]) {
    for side in SIDES {
        for (step, seconds, interval) in STEPS {
            let lines = slots_of(&journals.records(), side, seconds);
            let page = wait::until("the page has counted every line", LIMIT, || {
                let page = on_the_page(journals, side, step);
                (counts(&page) == lengths(&lines)).then_some(page)
            })
            .unwrap_or_else(|error| panic!("{error}: {:?}", on_the_page(journals, side, step)));
            assert!(lines.values().any(|slot| step == "minute" || slot.len() >= REQUESTS_MIN), "{lines:?}");
            for lane in lanes {
                let there = wait::until("the index has every line", LIMIT, || {
                    let there = there(lane, side, seconds, interval);
                    (counts(&there) == lengths(&lines)).then_some(there)
                });
                let there = there.unwrap_or_else(|error| panic!("{}: {error}", lane.elastic.kind.name()));
                for (slot, durations) in &lines {
                    let what = format!("{}, {side}, {step} {slot}", lane.elastic.kind.name());
                    compare(&what, lane.elastic.kind, durations, there[slot].1, page[slot].1);
                }
            }
        }
    }
}

fn compare(what: &str, kind: Kind, durations: &[f64], there: f64, page: f64) {
    let rank = rank(durations.len());
    let (before, exact) = (durations[rank.saturating_sub(1)], durations[rank]);
    let after = durations[(rank + 1).min(durations.len() - 1)];
    let neighbours = match kind {
        // Its documents themselves: the very rank.
        Kind::Noida => 0.0,
        Kind::Osmem => (exact - before).max(after - exact),
    };
    let tolerance = exact * RESOLUTION + UNIT_NS + neighbours;
    println!(
        "{what}: p99 of {} is {there} there, {page} on the page, {exact} by the lines; {tolerance} may lie between",
        durations.len()
    );
    assert!((there - page).abs() <= tolerance, "{what}: {there} there, {page} on the page, {tolerance}");
    let (low, high) = (exact - UNIT_NS, exact * (1.0 + RESOLUTION));
    assert!((low..=high).contains(&page), "{what}: {page} on the page is not within {low} and {high}");
}

/// Where p99 stands among so many, from 0.
fn rank(count: usize) -> usize {
    (count * 99).div_ceil(100) - 1
}

/// What the page is drawn from.
fn on_the_page(journals: &Journals, side: &str, step: &str) -> Slots {
    let series = journals.monitored(&format!("/api/v1/series?step={step}&side={side}"));
    let column = |name: &str| series[name].as_array().expect("a column").iter();
    let rows = column("t").zip(column("count")).zip(column("p99"));
    let filled = rows.filter(|((_, count), _)| **count != 0);
    let number = |value: &Value| value.as_u64().expect("a number");
    filled.map(|((t, n), p99)| (number(t), (number(n), p99.as_f64().expect("ms") * 1e6))).collect()
}

/// By the aggregation of `docs/elk.md`, or, where there is none, by the documents.
fn there(lane: &Lane, side: &str, seconds: u64, interval: &str) -> Slots {
    match lane.elastic.kind {
        Kind::Osmem => lane.elastic.p99s(side, interval),
        Kind::Noida => {
            let slots = slots_of(&lane.elastic.requests(), side, seconds);
            let p99 = |(t, slot): (u64, Vec<f64>)| (t, (slot.len() as u64, slot[rank(slot.len())]));
            slots.into_iter().map(p99).collect()
        }
    }
}

/// The durations of each slot, in order.
fn slots_of(records: &[Record], side: &str, seconds: u64) -> BTreeMap<u64, Vec<f64>> {
    let mut slots: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.dataset == "repono.request" && record.side == side) {
        let ended_s = record.ended_ns / 1_000_000_000;
        slots.entry(ended_s - ended_s % seconds).or_default().push(record.duration_ns);
    }
    slots.values_mut().for_each(|slot| slot.sort_by(f64::total_cmp));
    slots
}

fn counts(slots: &Slots) -> BTreeMap<u64, u64> {
    slots.iter().map(|(t, (count, _))| (*t, *count)).collect()
}

fn lengths(slots: &BTreeMap<u64, Vec<f64>>) -> BTreeMap<u64, u64> {
    slots.iter().map(|(t, slot)| (*t, slot.len() as u64)).collect()
}
