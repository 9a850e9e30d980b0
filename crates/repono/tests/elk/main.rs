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
//! | [`page`] | response times there and on the monitor's page |
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
mod page;
mod shipper;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

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

/// For how many seconds the shippers stay away, for those who want to see it at length.
const AWAY: &str = "REPONO_TEST_AWAY_S";
/// While they stay away there is some load from time to time.
const LOAD_EVERY: Duration = Duration::from_secs(20);
/// How often the journals are rotated meanwhile; they keep eight files.
const ROTATIONS: u32 = 3;

#[test]
fn every_record_arrives_once_whatever_is_away_meanwhile() {
    let mut journals = Journals::start();
    let mut lanes: Vec<Lane> = Kind::ALL.into_iter().filter_map(|k| Lane::start(&journals, k)).collect();
    if lanes.is_empty() {
        return;
    }
    let away = env::var(AWAY).map_or(Duration::ZERO, |text| {
        Duration::from_secs(text.parse().unwrap_or_else(|error| panic!("{AWAY}={text}: {error}")))
    });
    journals.load();

    shippers_away(&journals, &mut lanes, [Signal::TERM, Signal::KILL], away);
    shippers_away(&journals, &mut lanes, [Signal::KILL, Signal::TERM], Duration::ZERO);
    elastic_away(&journals, &mut lanes);
    elastic_busy(&journals, &mut lanes);

    journals.crowd();
    journals.hold_still();
    page::same_p99(&journals, &lanes);
    journals.go_on();

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
    planted(&journals, &lanes, records.len());
}

/// Ended by these signals, and while they are away the journals are rotated more than once:
/// what they had not yet read is in files of other names then.
fn shippers_away(journals: &Journals, lanes: &mut [Lane], by: [Signal; 2], stay: Duration) {
    for (lane, signal) in lanes.iter_mut().zip(by) {
        lane.shipper.stop(signal);
    }
    let places: Vec<_> = lanes.iter().map(|lane| lane.shipper.places()).collect();
    for (lane, places) in lanes.iter().zip(&places) {
        let name = lane.elastic.kind.name();
        assert!(places.values().any(|place| place["curr_offs"].as_u64() > Some(0)), "{name}: {places:?}");
    }
    let (begun, before) = (Instant::now(), journals.records().len());
    for rotation in 1..=ROTATIONS {
        journals.load();
        journals.rotate();
        let until = stay / ROTATIONS * rotation;
        while let Some(rest) = until.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) {
            thread::sleep(rest.min(LOAD_EVERY));
            journals.load();
        }
    }
    journals.load();
    println!(
        "shippers away for {:?}: {} records, {ROTATIONS} rotations",
        begun.elapsed(),
        journals.records().len() - before
    );
    for (lane, places) in lanes.iter_mut().zip(places) {
        assert_eq!(lane.shipper.places(), places, "{}: it is still running", lane.elastic.kind.name());
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
        lane.shipper.stop(Signal::KILL);
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

fn missing(what: &str) {
    repono_testkit::needs::missing("every_record_arrives_once_whatever_is_away_meanwhile", what);
}
