//! When the path is probed, and what of it is told, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::Path as FilePath;
use std::time::Duration;

use repono_probe::conversation::Manner;
use tokio::time::{Instant, sleep, timeout};

use super::measured::Measured;
use super::measured::tests::measured;
use super::{Path, ProbeError, Running};
use crate::collector::SharedBoard;
use crate::config::PathProbe;

/// What one measurement takes.
const TAKES: Duration = Duration::from_secs(360);
const HOUR: Duration = Duration::from_secs(3_600);
const BEGUN_MS: u64 = 1_796_000_000_000;

fn path(every_s: u64, dir: Option<&FilePath>, board: Option<SharedBoard>) -> Path {
    let target = "https://store.example/".to_owned();
    Path::open(PathProbe { target, ca: None, every_s, idle_max_s: 360 }, dir, board).unwrap()
}

/// Runs for so long; what is measured comes one after the other, and the last one again
/// and again. Gives when each was begun, in seconds.
async fn run(path: &Path, found: &[Option<Measured>], span: Duration) -> Vec<u64> {
    let begun = Instant::now();
    let rest = RefCell::new(found.iter().cloned().collect::<VecDeque<_>>());
    let times = RefCell::new(Vec::new());
    let latest = Cell::new(BEGUN_MS);
    let now_ms = || {
        latest.set(BEGUN_MS + begun.elapsed().as_millis() as u64);
        latest.get()
    };
    let measure = || {
        times.borrow_mut().push(begun.elapsed().as_secs());
        let next = if rest.borrow().len() > 1 {
            rest.borrow_mut().pop_front()
        } else {
            rest.borrow()[0].clone().into()
        };
        async {
            sleep(TAKES).await;
            let probed_ms = now_ms();
            next.flatten().map(|found| Measured { probed_ms, ..found }).ok_or(ProbeError::NoConnection)
        }
    };
    assert!(timeout(span, path.run(measure, now_ms)).await.is_err(), "it goes on");
    times.into_inner()
}

fn fin(limit: f64) -> Option<Measured> {
    Some(measured(Some((limit, Manner::Fin))))
}

#[tokio::test(start_paused = true)]
async fn it_is_probed_every_hour_and_not_at_the_start() {
    let path = path(3_600, None, None);
    assert_eq!(path.told().next_ms, None);
    let times = run(&path, &[fin(60.0)], 2 * HOUR + 3 * TAKES).await;
    assert_eq!(times, [3_600, 7_560], "an hour after the last one had ended");
    let told = path.told();
    assert_eq!((told.limit_s, told.manner, told.running), (Some(60.0), Some("fin"), false));
    assert_eq!((told.changed, told.failed), (None, None));
    assert_eq!(told.next_ms, Some(BEGUN_MS + 1_000 * (7_560 + 360 + 3_600)));
}

#[tokio::test(start_paused = true)]
async fn it_is_probed_when_it_is_asked_for_and_once_at_a_time() {
    let path = path(0, None, None);
    assert!(run(&path, &[fin(60.0)], 24 * HOUR).await.is_empty(), "off");
    assert_eq!(path.ask(), Ok(()));
    assert_eq!(path.ask(), Err(Running));
    assert!(path.told().running);
    assert_eq!(run(&path, &[fin(60.0)], 24 * HOUR).await, [0]);
    assert!(!path.told().running);
    assert_eq!(path.ask(), Ok(()), "again");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_when_two_probes_agree_on_it() {
    let board = SharedBoard::default();
    let path = path(3_600, None, Some(board.clone()));
    let times =
        run(&path, &[fin(300.0), Some(measured(Some((12.0, Manner::Silent))))], 2 * HOUR + 4 * TAKES).await;
    assert_eq!(times, [3_600, 7_560, 7_920], "at once again");
    let told = path.told();
    let changed = "The idle limit of the path has changed: 300 s, then fin before, 12 s, then silent since.";
    assert_eq!((told.changed.as_deref(), told.limit_s), (Some(changed), Some(12.0)));
    assert_eq!(told.changed_ms, Some(BEGUN_MS + 1_000 * (7_920 + 360)));
    let changes = serde_json::to_value(board.lock().changes()).unwrap();
    let expected = serde_json::json!([{
        "at_ms": told.changed_ms, "who": "monitor", "what": "path.idle",
        "from": "300 s, then fin", "to": "12 s, then silent",
    }]);
    assert_eq!(changes, expected);
}

#[tokio::test(start_paused = true)]
async fn what_one_probe_alone_found_is_no_change() {
    let board = SharedBoard::default();
    let path = path(3_600, None, Some(board.clone()));
    let times = run(&path, &[fin(300.0), fin(40.0), fin(300.0)], 4 * HOUR).await;
    assert_eq!(times.len(), 4, "{times:?}");
    let told = path.told();
    assert_eq!((told.changed, told.limit_s), (None, Some(300.0)), "a head was restarted meanwhile");
    assert!(board.lock().changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_measures_nothing_says_so_and_changes_nothing() {
    let path = path(3_600, None, None);
    let span = 2 * HOUR + 3 * TAKES;
    run(&path, &[fin(60.0), None], span).await;
    let told = path.told();
    assert_eq!((told.limit_s, told.changed), (Some(60.0), None));
    assert!(told.failed.is_some_and(|why| why.contains("no connection")));
    run(&path, &[fin(60.0)], HOUR + 2 * TAKES).await;
    assert_eq!(path.told().failed, None);
}

#[tokio::test(start_paused = true)]
async fn what_was_found_outlives_the_monitor() {
    let dir = tempfile::tempdir().unwrap();
    let first = path(3_600, Some(dir.path()), None);
    run(&first, &[fin(60.0), fin(200.0)], 2 * HOUR + 4 * TAKES).await;
    let again = path(3_600, Some(dir.path()), None);
    let (before, after) = (first.told(), again.told());
    assert_eq!((after.limit_s, &after.changed), (Some(200.0), &before.changed));
    assert_eq!(after.probed_ms, before.probed_ms);
    // `run` begins anew at the same wall clock: the last probe was not an hour ago.
    let other =
        PathProbe { target: "https://other.example/".to_owned(), ca: None, every_s: 0, idle_max_s: 360 };
    let told = Path::open(other, Some(dir.path()), None).unwrap().told();
    assert_eq!((told.limit_s, told.changed), (None, None), "another path");
    for damaged in ["", "{", r#"{"version":9,"last":null,"changed":null}"#] {
        std::fs::write(dir.path().join("path.json"), damaged).unwrap();
        assert_eq!(path(0, Some(dir.path()), None).told().probed_ms, None, "{damaged}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_overdue_waits_until_the_start_is_over() {
    let dir = tempfile::tempdir().unwrap();
    run(&path(3_600, Some(dir.path()), None), &[fin(60.0)], HOUR + 2 * TAKES).await;
    let text = std::fs::read_to_string(dir.path().join("path.json")).unwrap();
    let probed = format!("\"probed_ms\":{}", BEGUN_MS + 1_000 * 3_960);
    assert!(text.contains(&probed), "{text}");
    let long_ago = text.replace(&probed, &format!("\"probed_ms\":{}", BEGUN_MS - 1_000 * 9_000));
    std::fs::write(dir.path().join("path.json"), long_ago).unwrap();
    let times = run(&path(3_600, Some(dir.path()), None), &[fin(60.0)], HOUR).await;
    assert_eq!(times, [60]);
}
