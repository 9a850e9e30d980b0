//! Debian's rsyslog with our configuration carries the journals of a running system into
//! look-alikes of Elasticsearch, under the strict mapping of `deploy/elk`.
//!
//! ```text
//! journals --> rsyslog --> door --> look-alike
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`journals`] | the system, its load, and what it has written |
//! | [`shipper`] | rsyslog, with `deploy/elk/rsyslog.conf` |
//! | [`door`] | the way to Elasticsearch: open, shut, or answering 429 |
//! | [`elastic`] | the look-alikes |
//! | [`kibana`] | the saved objects for Kibana, checked by their structure |

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod door;
mod elastic;
mod journals;
mod kibana;
mod shipper;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::door::{Door, State};
use crate::elastic::{Elastic, Kind};
use crate::journals::{Journals, Key};
use crate::shipper::Shipper;

/// One look-alike, and what carries the journals there.
struct Lane {
    elastic: Elastic,
    door: Door,
    shipper: Shipper,
}

impl Lane {
    fn start(journals: &Journals, kind: Kind) -> Option<Self> {
        let dir = journals.path(kind.name());
        let elastic = Elastic::start(kind, &dir)?;
        let door = Door::open(elastic.address);
        let shipper = Shipper::start(&dir, &journals.dir(), door.address)?;
        Some(Self { elastic, door, shipper })
    }
}

#[test]
fn every_record_arrives_once_whatever_is_away_meanwhile() {
    let mut journals = Journals::start();
    let mut lanes: Vec<Lane> = Kind::ALL.into_iter().filter_map(|k| Lane::start(&journals, k)).collect();
    if lanes.is_empty() {
        return;
    }
    journals.load();

    shipper_away(&journals, &mut lanes);
    elastic_away(&journals, &mut lanes);
    elastic_busy(&journals, &mut lanes);

    let records = journals.whole();
    for lane in &lanes {
        let name = lane.elastic.kind.name();
        lane.elastic.wait_for(records.len());
        let mut wanted: BTreeMap<&str, Vec<&Key>> = BTreeMap::new();
        for record in &records {
            wanted.entry(&record.dataset).or_default().push(&record.key);
        }
        assert_eq!(wanted.keys().copied().collect::<Vec<_>>(), elastic::DATASETS, "some of each");
        for (dataset, mut keys) in wanted {
            let mut there = lane.elastic.keys(dataset);
            keys.sort();
            there.sort();
            assert!(there.iter().eq(keys), "{name}, {dataset}: not each record once");
        }
        assert_eq!(lane.shipper.dead_letters(), Vec::<serde_json::Value>::new(), "{name}");
        assert!(!lane.shipper.has_refused_requests(), "{name}");
    }
    percentiles(&lanes, &records);
    planted(&journals, &lanes, records.len());
}

/// Killed, and while it is away the journals are rotated: what it had not yet read is in
/// files of other names then.
fn shipper_away(journals: &Journals, lanes: &mut [Lane]) {
    for lane in &mut *lanes {
        lane.shipper.kill();
    }
    journals.load();
    journals.rotate();
    journals.load();
    for lane in lanes {
        lane.shipper.restart();
    }
}

/// Nobody listens at Elasticsearch's address; the shipper is killed with a full queue too.
fn elastic_away(journals: &Journals, lanes: &mut [Lane]) {
    for lane in &mut *lanes {
        lane.door.set(State::Shut);
    }
    journals.load();
    journals.rotate();
    let last = journals.load();
    for lane in lanes {
        lane.shipper.wait_until_queued(&last);
        lane.shipper.kill();
        lane.shipper.restart();
        lane.door.set(State::Open);
    }
}

/// Elasticsearch takes no item for a while.
fn elastic_busy(journals: &Journals, lanes: &mut [Lane]) {
    for lane in &mut *lanes {
        lane.door.set(State::Busy);
    }
    journals.load();
    for lane in lanes {
        lane.door.wait_until_refused();
        lane.door.set(State::Open);
    }
}

/// p99 by side there is p99 by side of the lines themselves.
///
/// A t-digest of so few values errs by less than its neighbours at half a percent.
fn percentiles(lanes: &[Lane], records: &[journals::Record]) {
    let requests = records.iter().filter(|record| record.dataset == "repono.request");
    let mut sides: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for record in requests {
        sides.entry(&record.side).or_default().push(record.duration_ns);
    }
    // noida-db has no percentiles.
    for lane in lanes.iter().filter(|lane| lane.elastic.kind == Kind::Osmem) {
        for (side, durations) in &mut sides {
            durations.sort_by(f64::total_cmp);
            let at = |quantile: f64| {
                let rank = (quantile * durations.len() as f64) as usize;
                durations[rank.min(durations.len() - 1)]
            };
            let there = lane.elastic.p99(side);
            let (low, high) = (at(0.985 - 1.0 / durations.len() as f64), at(0.995));
            println!("{side}: p99 {there} of {}, by the lines {low} to {high}", durations.len());
            assert!((low..=high).contains(&there), "{side}: {there} is not within {low} and {high}");
        }
    }
}

/// What Elasticsearch refuses is kept with the reason, and stops nothing else.
fn planted(journals: &Journals, lanes: &[Lane], records: usize) {
    journals.plant();
    for lane in lanes {
        let mut kept = lane.shipper.wait_for_dead_letters(3);
        kept.sort_by_key(|letter| letter["error"]["type"].as_str().unwrap_or_default().to_owned());
        let name = lane.elastic.kind.name();
        assert_eq!(kept[0]["unreadable"], journals::UNREADABLE, "{name}");
        assert_eq!(kept[1]["record"]["source"]["ip"], "nowhere", "{name}: {kept:?}");
        assert_eq!(kept[2]["error"]["type"], "strict_dynamic_mapping_exception", "{name}");
        assert_eq!((&kept[1]["status"], &kept[2]["status"]), (&400.into(), &400.into()), "{name}");
        lane.elastic.wait_for(records + journals::PLANTED_GOOD);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn skipped(what: &str) {
    eprintln!("skipped: {what} is not here; `cargo xtask needs` installs it");
}
