//! Counts held against what was put in.

use std::borrow::Cow;

use repono_core::id::ConnectionId;
use repono_journal::read::{Change, Fact, Origin, Record, Request};
use repono_journal::{Phases, Reuse, Side, Stamp};

use super::{Board, KeptBoard, Point, Selection, Step, View, Wanted};

mod full;

pub(super) const SECOND: u64 = 1_000_000_000;
pub(super) const MS: u64 = 1_000_000;
/// A whole hour, so that it begins every kind of slot.
pub(super) const NOW: u64 = 1_440_000_000 / 3_600 * 3_600 * SECOND;

pub(super) fn record<'a>(instance: &'a str, fact: Fact<'a>) -> Record<'a> {
    Record {
        origin: Origin {
            service: Cow::Borrowed("repono-head"),
            instance: Cow::Borrowed(instance),
            boot: Cow::Borrowed("boot"),
            pid: 7,
            sequence: 1,
            dropped: 0,
        },
        fact,
    }
}

pub(super) fn request(side: Side, ended_ns: u64, duration_ns: u64) -> Request<'static> {
    let ended = Stamp { wall_ns: ended_ns, mono_ns: ended_ns };
    Request {
        side: Some(side),
        trans_id: None,
        trace: None,
        connection: ConnectionId::from_bytes([1; 12]),
        balancer_id: None,
        started: Stamp { wall_ns: ended_ns - duration_ns, mono_ns: ended_ns - duration_ns },
        ended,
        source: None,
        destination: None,
        method: Some(Cow::Borrowed("GET")),
        path: Cow::Borrowed("/v1/demo/files/x"),
        status: Some(200),
        bytes_in: 0,
        bytes_out: 0,
        phases_ns: Phases { wait: duration_ns, ..Phases::NONE },
        reuse: Reuse::New,
        attempts: 1,
        code: None,
        actor: None,
        application: None,
        user_agent: None,
        tls: None,
        one_in: 1,
    }
}

fn take(board: &mut Board, request: Request<'_>, now_ns: u64) {
    board.take(&record("head-1", Fact::Request(request)), now_ns);
}

fn points(board: &Board, view: View, step: Step) -> Vec<Point> {
    let points = board.latency(view).points(step, 0, u64::MAX, NOW / SECOND);
    points.into_iter().filter(|point| point.count > 0).collect()
}

/// Durations as they are: most short, some long, one very long.
fn durations() -> Vec<u64> {
    let mut state: u64 = 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..5_000)
        .map(|n| if n % 50 == 0 { next() % (12_000 * MS) } else { 150_000 + next() % (40 * MS) })
        .collect()
}

#[test]
fn percentiles_are_those_of_the_raw_durations_within_one_per_cent() {
    let mut board = Board::default();
    let mut raw = durations();
    for (n, duration) in raw.iter().enumerate() {
        let ended = NOW - 20 * SECOND + (n as u64 % 10) * 7;
        take(&mut board, request(Side::Head, ended, *duration), NOW);
    }
    raw.sort_unstable();
    for step in Step::ALL {
        let [point] = points(&board, View::Head, step)[..] else { panic!("one slot of {step:?}") };
        assert_eq!(point.count, 5_000);
        let [p50, p95, p99, max] = point.ms.unwrap();
        for (told, quantile) in [(p50, 0.5), (p95, 0.95), (p99, 0.99)] {
            let exact = raw[(quantile * 5_000_f64).ceil() as usize - 1] as f64 / 1e6;
            assert!((told - exact).abs() <= exact * 0.01 + 0.01, "{step:?} {quantile}: {told} for {exact}");
        }
        assert!((max - *raw.last().unwrap() as f64 / 1e6).abs() < 0.001, "the maximum is exact");
    }
    assert!(points(&board, View::Client, Step::Hour).is_empty());
}

#[test]
fn late_records_are_put_where_they_belong_and_those_of_wrong_clocks_are_not() {
    let mut board = Board::default();
    take(&mut board, request(Side::Client, NOW - SECOND, MS), NOW);
    take(&mut board, request(Side::Client, NOW - 61 * SECOND, MS), NOW);
    assert_eq!(board.lines().late, 0, "60 s");
    take(&mut board, request(Side::Client, NOW - 62 * SECOND, MS), NOW);
    take(&mut board, request(Side::Client, NOW + 61 * SECOND, MS), NOW);
    take(&mut board, request(Side::Client, NOW - 31 * 86_400 * SECOND, MS), NOW);
    let lines = board.lines();
    assert_eq!((lines.read, lines.late, lines.ahead), (5, 2, 1));
    let seconds: Vec<u64> = points(&board, View::Client, Step::Second).iter().map(|point| point.t).collect();
    let now = NOW / SECOND;
    assert_eq!(seconds, [now - 62, now - 61, now - 1]);
    // Another journal is read later: that is not late.
    board.take(&record("head-2", Fact::Request(request(Side::Head, NOW - 3_000 * SECOND, MS))), NOW);
    assert_eq!(board.lines().late, 2);
}

#[test]
fn sampled_requests_stand_for_those_that_were_left_out() {
    let mut board = Board::default();
    let sampled = Request { one_in: 40, status: Some(503), ..request(Side::Head, NOW - SECOND, MS) };
    take(&mut board, sampled, NOW);
    let [point] = points(&board, View::Head, Step::Minute)[..] else { panic!("one") };
    assert_eq!((point.count, point.failed, point.reused), (40, 40, 0));
    let durations = board.totals().durations.values().next().unwrap();
    assert_eq!((durations.count, durations.buckets[0]), (40, 40));
}

#[test]
fn a_slow_request_shows_the_attempt_that_nobody_saw() {
    let mut board = Board::default();
    let first = Request {
        status: None,
        code: Some(Cow::Borrowed("ConnectionBroken")),
        reuse: Reuse::Reused { idle_before_ns: 361 * SECOND, requests_before: 3 },
        ..request(Side::Client, NOW - 6 * SECOND, 4 * SECOND)
    };
    let second =
        Request { attempts: 2, started: first.started, ..request(Side::Client, NOW - 5 * SECOND, MS) };
    let other = request(Side::Client, NOW - 2 * SECOND, 2 * SECOND);
    let of_head = request(Side::Head, NOW - 5 * SECOND, 3 * SECOND);
    for request in [first, second, other, of_head] {
        take(&mut board, request, NOW);
    }
    let slowest = board.slowest().list(NOW, &Wanted::default());
    let seconds: Vec<u64> = slowest.iter().map(|slow| slow.last.duration_ns / SECOND).collect();
    assert_eq!(seconds, [5, 3, 2]);
    let hidden = &slowest[0].hidden;
    assert_eq!((hidden.len(), slowest[0].last.number), (1, 2));
    assert_eq!(
        (hidden[0].code.as_deref(), hidden[0].idle_before_ns),
        (Some("ConnectionBroken"), Some(361 * SECOND))
    );
    assert!(slowest[1].hidden.is_empty() && slowest[2].hidden.is_empty());
    assert_eq!(board.totals().resent, 1);
    assert!(board.slowest().list(NOW + 3_600 * SECOND, &Wanted::default()).is_empty(), "of the last hour");
}

#[test]
fn of_slow_requests_and_changes_so_many_are_kept() {
    let mut board = Board::default();
    for n in 0..5_000 {
        take(&mut board, request(Side::Head, NOW - 59 * 60 * SECOND + n, (n % 777 + 1) * MS), NOW);
        let change = Change {
            at: Stamp { wall_ns: NOW - n * MS, mono_ns: 0 },
            who: Cow::Borrowed("uid 0"),
            what: Cow::Borrowed("w"),
            from: Cow::Borrowed("a"),
            to: Cow::Borrowed("b"),
        };
        board.take(&record("balancer", Fact::Change(change)), NOW);
    }
    let slowest = board.slowest().list(NOW, &Wanted::default());
    assert_eq!((slowest.len(), slowest[0].last.duration_ns), (50, 777 * MS));
    let changes = board.changes();
    assert_eq!((changes.len(), changes[0].at_ms), (1_000, NOW / MS));
}

#[test]
fn no_time_is_told_twice() {
    let mut board = Board::default();
    let phases_ns = Phases { wait: 900 * MS, authorize: 100 * MS, store: 300 * MS, ..Phases::NONE };
    take(&mut board, Request { phases_ns, ..request(Side::Head, NOW, SECOND) }, NOW);
    let told = board.slowest().list(NOW, &Wanted::default()).remove(0).last.phases_ns.clone();
    let expected = [("authorize", 100), ("store", 300), ("wait", 500)];
    assert_eq!(told, expected.map(|(name, ms)| (name.to_owned(), ms * MS)));
}

#[test]
fn no_credential_is_shown_though_a_journal_should_hold_one() {
    let mut board = Board::default();
    let path = "/demo/x%3Ftoken=PREA_canary/y?token=PREA_canary#RT1.canary";
    take(&mut board, Request { path: Cow::Borrowed(path), ..request(Side::Head, NOW, 2 * SECOND) }, NOW);
    let shown = format!("{:?}", board.slowest().list(NOW, &Wanted::default()));
    let kept = serde_json::to_string(&board.snapshot().kept()).unwrap();
    assert!(shown.contains("/demo/x%3Ftoken=PREA_") && !shown.contains("canary"), "{shown}");
    assert!(!kept.contains("canary"), "{kept}");
}

#[test]
fn what_was_kept_is_gone_on_with() {
    let mut board = Board::default();
    for (n, duration) in durations().into_iter().enumerate() {
        let side = if n % 2 == 0 { Side::Client } else { Side::Head };
        take(&mut board, request(side, NOW - n as u64 * SECOND, duration), NOW);
    }
    let text = serde_json::to_string(&board.snapshot().kept()).unwrap();
    let resumed = Board::resumed(serde_json::from_str::<KeptBoard>(&text).unwrap());
    for view in [View::Client, View::Head] {
        for step in [Step::Minute, Step::Hour] {
            assert_eq!(points(&resumed, view, step), points(&board, view, step), "{view:?} {step:?}");
        }
    }
    assert_eq!(
        format!("{:?}", resumed.slowest().list(NOW, &Wanted::default())),
        format!("{:?}", board.slowest().list(NOW, &Wanted::default()))
    );
    assert_eq!(serde_json::to_string(&resumed.snapshot().kept()).unwrap(), text);
}

/// Memory of this process that is in use.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
fn a_month_of_10_000_requests_a_second_fits_into_memory() {
    // What else goes on in this process takes memory too: so it is measured in one of its own.
    const ALONE: &str = "REPONO_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let name = "board::tests::a_month_of_10_000_requests_a_second_fits_into_memory";
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{output:?}");
        return println!("{told}");
    }
    let before = resident_bytes();
    let mut board = Board::default();
    let durations = durations();
    let mut fed = 0;
    let mut feed = |board: &mut Board, ended_ns: u64, stands_for: u64| {
        for side in [Side::Client, Side::Head] {
            let duration = durations[fed % durations.len()];
            fed += 1;
            let method = Some(Cow::Borrowed("GET"));
            // Values take their place once; how often they come takes none.
            let request = Request { one_in: stands_for, method, ..request(side, ended_ns, duration) };
            take(board, request, NOW);
        }
    };
    for hour in (0..720).rev() {
        (0..60).for_each(|n| feed(&mut board, NOW - hour * 3_600 * SECOND + n * MS, 600_000));
    }
    for minute in (0..1_440).rev() {
        (0..40).for_each(|n| feed(&mut board, NOW - minute * 60 * SECOND + n * MS, 15_000));
    }
    for second in (0..600).rev() {
        (0..100).for_each(|n| feed(&mut board, NOW - second * SECOND + n * MS, 100));
    }
    let slots: usize = [View::Client, View::Head]
        .iter()
        .flat_map(|view| Step::ALL.map(|step| points(&board, *view, step).len()))
        .sum();
    assert_eq!(slots, 2 * (600 + 1_440 + 720));
    let bytes = resident_bytes().saturating_sub(before);
    let kept = serde_json::to_vec(&board.snapshot().kept()).unwrap().len();
    println!("{fed} records, {slots} slots: {bytes} bytes in memory, {kept} on disk");
    assert!(bytes < 100 << 20, "{bytes}");
    assert!(kept < 40 << 20, "{kept}");
}

#[test]
fn a_copy_is_of_its_moment_though_counting_goes_on() {
    let mut board = Board::default();
    let feed = |board: &mut Board, times: u64| {
        (0..times).for_each(|n| take(board, request(Side::Head, NOW, (n + 1) * SECOND), NOW));
    };
    feed(&mut board, 100);
    let told = |board: &Board| {
        let (latency, samples) = (board.latency(View::Head).clone(), board.samples(View::Head));
        let (slowest, kept) = (board.slowest().clone(), board.snapshot());
        move || {
            let selection = Selection { time_ns: 0..u64::MAX, duration_ns: 50 * SECOND..u64::MAX };
            let [point] = latency.points(Step::Hour, 0, u64::MAX, NOW / SECOND)[719..] else { panic!("one") };
            (
                point.count,
                serde_json::to_value(samples.compare(&selection)).unwrap()["selected"].as_u64().unwrap(),
                slowest.list(NOW, &Wanted::default())[0].last.duration_ns / SECOND,
                serde_json::to_string(&kept.kept()).unwrap().len(),
            )
        }
    };
    let (before, copy) = (told(&board)(), told(&board));
    assert_eq!((before.0, before.1, before.2), (100, 51, 100));
    feed(&mut board, 200);
    assert_eq!(copy(), before);
    let after = told(&board)();
    assert!(after.0 == 300 && after.1 > before.1 && after.2 == 200 && after.3 > before.3, "{after:?}");
}
