//! Planted causes are found, and none is found where there is none.

use std::borrow::Cow;

use repono_journal::read::Request;
use repono_journal::{Reuse, Side};
use serde_json::{Value, json};

use super::super::View;
use super::super::tests::{MS, NOW, SECOND, record, request};
use super::{FAILED_MAX, OTHERS_MAX, SLOW_MAX, Samples, Selection};

fn all_time(duration_ns: std::ops::Range<u64>) -> Selection {
    Selection { time_ns: 0..u64::MAX, duration_ns }
}

fn slow() -> Selection {
    all_time(SECOND..u64::MAX)
}

/// 2,000 requests, every 40th of them slow; `plant` sees each with its number and speed.
fn told(selection: &Selection, plant: impl Fn(u64, bool, &mut Request<'static>)) -> Value {
    let mut samples = Samples::default();
    for n in 0..2_000 {
        let is_slow = n % 40 == 0;
        let duration = if is_slow { 10 * SECOND } else { 5 * MS };
        let mut one = request(Side::Head, NOW - n * 10 * MS, duration);
        one.source = Some(([10, 0, 0, u8::try_from(n % 7).unwrap()], 7).into());
        plant(n, is_slow, &mut one);
        let origin =
            record(if n % 3 == 0 { "head-1" } else { "head-2" }, repono_journal::read::Fact::Other).origin;
        samples.take(View::Head, &origin, &one, NOW);
    }
    serde_json::to_value(samples.of(View::Head).compare(selection)).unwrap()
}

fn idle(s: u64) -> Reuse {
    Reuse::Reused { idle_before_ns: s * SECOND, requests_before: 1 }
}

#[test]
fn a_planted_idle_time_is_named_with_the_longest_bound() {
    let told = told(&slow(), |n, is_slow, one| {
        one.reuse = if is_slow || n % 100 == 1 { idle(100) } else { idle(1) };
    });
    assert_eq!((&told["selected"], &told["rest"]), (&json!(50), &json!(1_950)));
    let sentence = told["sentence"].as_str().unwrap();
    let begin = "100 % of the selected were on a reused connection that had been idle for more than 64 s; ";
    assert!(sentence.starts_with(begin), "{sentence}");
    let first = &told["dimensions"][0];
    assert_eq!((&first["dimension"], &first["value"]), (&json!("idle"), &json!("reused, idle > 64 s")));
    assert!(first["rest"].as_f64().is_some_and(|rest| rest < 0.06), "{first}");
}

#[test]
fn planted_methods_sizes_clients_and_new_connections_are_named() {
    let sentence = |plant: fn(u64, bool, &mut Request<'static>)| {
        told(&slow(), plant)["sentence"].as_str().unwrap().to_owned()
    };
    let put = sentence(|_, is_slow, one| {
        one.method = Some(Cow::Borrowed(if is_slow { "PUT" } else { "GET" }));
    });
    assert_eq!(put, "100 % of the selected were PUT requests; 0 % of the rest were.");
    let large = sentence(|_, is_slow, one| one.bytes_out = if is_slow { 5 << 20 } else { 900 });
    assert_eq!(large, "100 % of the selected were of more than 4 MiB; 0 % of the rest were.");
    let client = sentence(|_, is_slow, one| {
        if is_slow {
            one.source = Some(([10, 9, 9, 9], 1).into());
        }
    });
    assert_eq!(client, "100 % of the selected were from the client 10.9.9.9; 0 % of the rest were.");
    let new = sentence(|_, is_slow, one| one.reuse = if is_slow { Reuse::New } else { idle(0) });
    assert_eq!(new, "100 % of the selected were on a new connection; 0 % of the rest were.");
}

#[test]
fn without_a_cause_none_is_named() {
    let alike = told(&slow(), |n, _, one| {
        one.reuse = if n / 40 % 2 == 0 { idle(100) } else { Reuse::New };
    });
    assert_eq!(alike["sentence"], "Nothing that is known of a request tells the selected from the rest.");
    let few = told(&all_time(20 * SECOND..u64::MAX), |_, _, _| {});
    assert_eq!(few["sentence"], "Only 0 requests are selected: too few to tell a cause.");
    let all = told(&all_time(0..u64::MAX), |_, _, _| {});
    assert_eq!((&all["selected"], &all["rest"]), (&json!(2_000), &json!(0)));
    assert_eq!(all["sentence"], "Only 0 requests are not selected: too few to compare with.");
}

#[test]
fn a_box_of_all_durations_is_compared_with_other_times() {
    let late = Selection { time_ns: NOW - 5 * SECOND..u64::MAX, duration_ns: 0..u64::MAX };
    let told = told(&late, |n, _, one| one.status = Some(if n <= 500 { 503 } else { 200 }));
    assert_eq!(told["sentence"], "100 % of the selected were answered with 503; 0 % of the rest were.");
}

#[test]
fn a_minute_is_bounded_and_its_weights_are_those_of_all() {
    let mut samples = Samples::default();
    let origin = record("head-1", repono_journal::read::Fact::Other).origin;
    for n in 0..50_000_u64 {
        let mut one = request(Side::Head, NOW, MS + n);
        one.reuse = if n % 4 == 0 { idle(10) } else { Reuse::New };
        samples.take(View::Head, &origin, &one, NOW);
    }
    let minute = samples.head.minutes.values().next().unwrap();
    assert_eq!((minute.slow.len(), minute.others.len()), (SLOW_MAX, OTHERS_MAX));
    let reused = minute.others.iter().filter(|sample| sample.idle_ns.is_some()).count();
    assert!((OTHERS_MAX / 8..OTHERS_MAX / 2).contains(&reused), "{reused} of a quarter");
    let stands_for: u64 = minute.weighted().map(|(_, thousandths)| thousandths).sum();
    assert!((49_999_000..=50_000_000).contains(&stands_for), "{stands_for}");
    // Six hours later nothing is left.
    samples.take(
        View::Head,
        &origin,
        &request(Side::Head, NOW + 6 * 3_600 * SECOND, MS),
        NOW + 6 * 3_600 * SECOND,
    );
    assert_eq!(samples.head.minutes.len(), 1);
}

#[test]
fn what_failed_is_what_a_request_says_of_itself() {
    let mut samples = Samples::default();
    let origin = record("head-1", repono_journal::read::Fact::Other).origin;
    // Broken in the middle of a reply, refused, and at fault: each slow enough at first, and
    // then pushed out by slower ones.
    let torn = |one| Request { status: Some(200), code: Some("ClientDisconnect".into()), ..one };
    let refused = |one| Request { status: Some(404), code: Some("NoSuchKey".into()), ..one };
    let faulty = |one| Request { status: Some(503), code: Some("SlowDown".into()), ..one };
    for n in 0..SLOW_MAX as u64 {
        let one = request(Side::Head, NOW, MS + n);
        let one = match n {
            0 => torn(one),
            1 => refused(one),
            2 => faulty(one),
            _ => one,
        };
        samples.take(View::Head, &origin, &one, NOW);
    }
    for n in 0..SLOW_MAX as u64 {
        samples.take(View::Head, &origin, &request(Side::Head, NOW, 2 * MS + n), NOW);
    }
    let minute = samples.head.minutes.values().next().unwrap();
    let failed: Vec<_> = minute.failed.iter().map(|sample| sample.status).collect();
    assert_eq!(failed, [Some(200), Some(503)]);
    assert!(minute.failed.iter().all(|sample| sample.failed) && minute.failed.len() <= FAILED_MAX);
    assert!(minute.others.iter().all(|sample| !sample.failed));
}

#[test]
fn a_client_is_found_among_any_number_of_others() {
    let mut samples = Samples::default();
    let origin = record("head-1", repono_journal::read::Fact::Other).origin;
    let mut take = |n: u64, client: [u8; 4], duration: u64| {
        let mut one = request(Side::Head, NOW - (400 - n) * SECOND, duration);
        one.source = Some((client, 7).into());
        samples.take(View::Head, &origin, &one, NOW);
    };
    for n in 0..400_u64 {
        let [.., high, low] = n.to_be_bytes();
        // Slow ones of 400 clients, and later as many of a single one.
        take(n / 2, [10, 1, high, low], 2 * SECOND);
        take(200 + n / 2, [10, 9, 9, 9], 2 * SECOND);
        take(n, [10, 2, high, low], MS);
    }
    let told = serde_json::to_value(samples.of(View::Head).compare(&slow())).unwrap();
    let sentence = told["sentence"].as_str().unwrap();
    assert!(sentence.contains("from the client 10.9.9.9; 0 % of the rest were."), "{told}");
}
