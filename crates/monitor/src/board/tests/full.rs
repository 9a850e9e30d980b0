//! How long a full board is held for each answer:
//!
//!     cargo test -p repono-monitor --lib --config 'profile.dev.package.repono-monitor.opt-level=3' \
//!         full -- --ignored --nocapture

use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, Instant};

use repono_core::id::ConnectionId;
use repono_journal::read::{Fact, Request};
use repono_journal::{Phases, Reuse, Side};

use super::{Board, MS, NOW, SECOND, durations, record, request};
use crate::board::{Selection, Step, View, Wanted};
use crate::collector::SharedBoard;
use crate::metrics;

/// Addresses of clients that the samples are of.
const CLIENTS: usize = 600;

/// 30 days of hours, a day of minutes, 10 minutes of seconds, six hours of samples of
/// hundreds of clients, an hour of slow requests with attempts that were hidden.
fn full() -> Board {
    let (mut board, durations) = (Board::default(), durations());
    let mut fed = 0_usize;
    let mut feed = |board: &mut Board, ended_ns: u64| {
        for side in [Side::Client, Side::Head] {
            fed += 1;
            let head = ["head-1", "head-2", "head-3", "head-4"][fed % 4];
            let fact = Fact::Request(one(side, fed, ended_ns, durations[fed % durations.len()]));
            board.take(&record(head, fact), NOW);
        }
    };
    for hour in (0..720).rev() {
        (0..300).for_each(|n| feed(&mut board, NOW - hour * 3_600 * SECOND + n * MS));
    }
    for minute in (0..1_440).rev() {
        (0..400).for_each(|n| feed(&mut board, NOW - minute * 60 * SECOND + n * MS));
    }
    for second in (0..600).rev() {
        (0..100).for_each(|n| feed(&mut board, NOW - second * SECOND + n * MS));
    }
    board
}

fn one(side: Side, n: usize, ended_ns: u64, duration_ns: u64) -> Request<'static> {
    let client = n % CLIENTS;
    let [.., high, low] = client.to_be_bytes();
    let broken = side == Side::Client && n.is_multiple_of(20);
    Request {
        source: Some(([10, 0, high, low], 7).into()),
        method: Some(Cow::Borrowed(["GET", "HEAD", "PUT", "DELETE"][n % 4])),
        status: if broken { None } else { Some(u16::try_from(200 + n / 4 % 400).unwrap()) },
        code: broken.then_some(Cow::Borrowed("ConnectionBroken")),
        path: Cow::Owned(format!("/v1/demo/files/{n}/of-a-usual-length.bin")),
        phases_ns: Phases { connect: MS, tls: MS, wait: duration_ns, receive: MS, ..Phases::NONE },
        reuse: if n.is_multiple_of(3) {
            Reuse::New
        } else {
            Reuse::Reused { idle_before_ns: (n as u64 % 400) * SECOND, requests_before: 1 }
        },
        connection: ConnectionId::from_bytes([(n % 251) as u8; 12]),
        bytes_out: 1 << (n % 30),
        ..request(side, ended_ns, duration_ns)
    }
}

/// How long the board is held, which is the longest of several turns.
fn held<T>(what: &str, shared: &SharedBoard, mut turn: impl FnMut(&mut Board) -> T) -> T {
    let (longest, last) = longest(|| turn(&mut shared.lock()));
    println!("held for {what}: {:.3} ms", longest.as_secs_f64() * 1e3);
    assert!(longest < Duration::from_millis(10), "{what} holds up everybody: {longest:?}");
    last
}

fn whole(what: &str, turn: impl FnMut()) {
    println!("  the whole of {what}: {:.3} ms", longest(turn).0.as_secs_f64() * 1e3);
}

fn longest<T>(mut turn: impl FnMut() -> T) -> (Duration, T) {
    let mut timed = || {
        let begun = Instant::now();
        let result = turn();
        (begun.elapsed(), result)
    };
    let first = timed();
    (0..4).map(|_| timed()).fold(first, |longest, next| (longest.0.max(next.0), next.1))
}

#[test]
#[ignore = "it measures: optimise this crate for it"]
fn no_answer_holds_a_full_board_for_long() {
    let shared = SharedBoard::default();
    *shared.lock() = full();
    let now_s = NOW / SECOND;
    let slow = Selection { time_ns: 0..u64::MAX, duration_ns: SECOND..u64::MAX };
    let half = Selection { time_ns: NOW - 3 * 3_600 * SECOND..u64::MAX, duration_ns: 0..u64::MAX };
    for (what, view, selection) in [("slow", View::Head, slow), ("half", View::Client, half)] {
        let copy = held(&format!("compare, {what}"), &shared, |board| board.samples(view));
        whole("compare", || drop(black_box(copy.compare(&selection))));
    }
    for step in Step::ALL {
        let copy = held(&format!("latency, {step:?}"), &shared, |board| board.latency(View::Head).clone());
        whole("series", || drop(black_box(copy.points(step, 0, u64::MAX, now_s))));
        whole("heatmap", || drop(black_box(copy.rows(step, 0, u64::MAX, now_s))));
    }
    let copy = held("slowest", &shared, |board| board.slowest().clone());
    whole("slowest", || drop(black_box(copy.list(NOW, &Wanted::default()))));
    let copy = held("keep", &shared, |board| board.snapshot());
    whole("keep", || drop(black_box(copy.kept())));
    held("a record after it", &shared, |board| {
        board.take(&record("head-1", Fact::Request(request(Side::Head, NOW, MS))), NOW);
    });
    drop(copy);
    held("changes", &shared, |board| board.changes());
    held("traffic", &shared, |board| board.traffic("head-1", now_s));
    held("metrics", &shared, |board| metrics::families(None, Some(board), tokio::time::Instant::now()));
    held("a second", &shared, |board| {
        board.latency(View::Head).points(Step::Second, now_s - 1, now_s, now_s)
    });
}
