//! What is kept does not grow with the log.

use super::{CONNECTIONS_MAX, OPEN_MAX, Timeline};
use crate::event::{Event, Id, Kind, Place};

fn take(timeline: &mut Timeline, kind: Kind<'_>) {
    timeline.take(&Event { place: Place { file: 0, line: 1 }, at: None, kind, text: "a" });
}

/// How many connections are known before each of so many requests, which are given a
/// connection, and then another before they are sent.
fn known(requests: u32, ends: impl Fn(&mut Timeline, Id)) -> Vec<usize> {
    let mut timeline = Timeline::default();
    let mut known = Vec::new();
    for number in 0..requests {
        let request = Id(number);
        take(&mut timeline, Kind::Created { request, name: "r" });
        for connection in [Id(2 * number), Id(2 * number + 1)] {
            take(&mut timeline, Kind::Assigned { request, connection, name: "c" });
        }
        take(&mut timeline, Kind::HeadSent { request, expects_continue: false, expires: None });
        ends(&mut timeline, request);
        timeline.done().for_each(drop);
        known.push(timeline.connections.len());
    }
    known
}

/// How often connections were forgotten: each time costs a look at all of them.
fn sweeps(known: &[usize]) -> usize {
    known.windows(2).filter(|pair| pair[1] < pair[0]).count()
}

#[test]
fn connections_that_a_request_left_again_are_forgotten() {
    let requests = 2 * CONNECTIONS_MAX as u32;
    let known = known(requests, |timeline, request| {
        take(timeline, Kind::Answered { request, status: Some(200) });
        take(timeline, Kind::Released { request });
    });
    assert!(known.iter().all(|count| *count <= CONNECTIONS_MAX + 1), "{:?}", known.iter().max());
    assert!(sweeps(&known) <= 5, "{}", sweeps(&known));
}

#[test]
fn requests_that_never_end_are_followed_up_to_a_bound() {
    let requests = 2 * CONNECTIONS_MAX as u32;
    let known = known(requests, |timeline, _| assert!(timeline.open.len() <= OPEN_MAX));
    assert!(known.iter().all(|count| *count <= CONNECTIONS_MAX + 1), "{:?}", known.iter().max());
    assert!(sweeps(&known) <= 9, "{}", sweeps(&known));
}
