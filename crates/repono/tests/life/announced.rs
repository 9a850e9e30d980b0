//! Limits that the last reply of a connection announces.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use repono_testkit::wait;
use repono_testkit::wire::Wire;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::stand::{LIMIT, PROGRAM, Stand, announces, ends_as};

#[test]
fn the_last_of_a_number_of_requests_is_announced() {
    let stand = Stand::new();
    let head = stand.head("requests", &[("connection_requests_max", "3")]);
    let mut wire = stand.connect(head.direct);
    for number in 1..=3 {
        let response = stand.ask(&mut wire).expect("a reply");
        assert_eq!(response.status, 204);
        assert_eq!(announces(&response), number == 3, "request {number}");
        let kept = response.header("keep-alive");
        assert_eq!(kept, (number < 3).then_some("timeout=55"), "request {number}");
    }
    ends_as(&head, &mut wire, "request-limit").expect("the end");
}

#[test]
fn age_is_announced_and_ends_no_quiet_connection() {
    let stand = Stand::new();
    let head = stand.head("age", &[("connection_age_max_s", "3")]);
    let (mut busy, mut quiet) = (stand.connect(head.direct), stand.connect(head.direct));
    let begun = Instant::now();
    assert!(!announces(&stand.ask(&mut quiet).expect("a reply")));
    wait::until("a reply announces the end", LIMIT, || {
        announces(&stand.ask(&mut busy).expect("no reply is missing")).then_some(())
    })
    .expect("announced");
    assert!(begun.elapsed() > Duration::from_millis(2600), "a tenth early at most");
    ends_as(&head, &mut busy, "age").expect("the end");
    // It has the age as well: only its next reply may end it.
    wait::until("its age is over", LIMIT, || (begun.elapsed() > Duration::from_secs(4)).then_some(()))
        .expect("time goes on");
    let last = stand.ask(&mut quiet).expect("it is still served");
    assert!(announces(&last));
    ends_as(&head, &mut quiet, "age").expect("the end");
}

#[test]
fn what_is_advertised_is_what_the_configuration_says_and_less_than_what_is_meant() {
    let stand = Stand::new();
    let head = stand.head("advertised", &[("idle_advertised_s", "7"), ("idle_close_s", "18")]);
    let mut wire = stand.connect(head.direct);
    let response = stand.ask(&mut wire).expect("a reply");
    assert_eq!(response.header("keep-alive"), Some("timeout=7"));
    let begun = Instant::now();
    wire.set_patience(Duration::from_secs(40)).expect("set");
    ends_as(&head, &mut wire, "idle-expiry").expect("the end");
    assert!(begun.elapsed() >= Duration::from_millis(17_900), "{:?}", begun.elapsed());

    let path = stand.system.path("advertised.toml");
    let text = fs::read_to_string(&path).expect("the configuration");
    fs::write(&path, text.replace("idle_close_s = 18", "idle_close_s = 17")).expect("written");
    let output =
        Command::new(PROGRAM).args(["head", "--check", "--config"]).arg(&path).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("idle_close_s = 17") && said.contains("more than 17 s"), "{said}");
}

/// What came in time is answered, although the head had no time to look.
#[test]
fn a_request_that_waits_in_the_kernel_is_answered_after_the_idle_clock_ran_out() {
    let stand = Stand::new();
    let head = stand.head("stopped", &[]);
    let mut wire = stand.connect(head.direct);
    wire.send(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
    assert_eq!(wire.response("GET").expect("a reply").status, 200);
    let begun = Instant::now();
    head.signal(Signal::STOP);
    wire.send(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
    // A stranger may be quiet for 15 s.
    wait::until("the clock has run out", Duration::from_secs(30), || {
        (begun.elapsed() > Duration::from_secs(17)).then_some(())
    })
    .expect("it has");
    head.signal(Signal::CONT);
    assert_eq!(wire.response("GET").expect("no close").status, 200);
    // All threads stood still alike, so that none of them is ill.
    assert_eq!(crate::peers::healthcheck(&stand, &head).expect("a reply").status, 200);
}

/// A connection from an address of its own: one source may not hold them all.
fn from(stand: &Stand, last: u8, to: SocketAddr) -> Wire {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), 0)).into()).expect("bound");
    socket.connect(&to.into()).expect("connected");
    Wire::over(socket.into(), &stand.ca).expect("TLS")
}

/// Takes a minute.
pub(crate) fn a_crowd_sends_the_longest_quiet_away_and_tells_the_others(stand: &Stand) {
    let head = stand.head("crowd", &[("connections_max", "10"), ("threads", "1")]);
    let mut wires: Vec<Wire> = (1..=9).map(|last| from(stand, last, head.direct)).collect();
    for wire in &mut wires {
        assert!(!announces(&stand.ask(wire).expect("a reply")), "a young connection is spared");
    }
    // Used again, all but the first two: the first of these is the longest quiet.
    let begun = Instant::now();
    let moment = |seconds| {
        wait::until("time goes on", Duration::from_secs(90), || {
            (begun.elapsed() >= Duration::from_secs(seconds)).then_some(())
        })
        .expect("it does");
    };
    moment(5);
    for wire in wires.iter_mut().skip(2) {
        assert!(!announces(&stand.ask(wire).expect("a reply")));
    }
    moment(56);
    let (first, others) = wires.split_first_mut().expect("nine connections");
    let (second, rest) = others.split_first_mut().expect("eight");
    first.set_patience(Duration::from_secs(30)).expect("set");
    ends_as(&head, first, "overload").expect("the longest quiet is closed");
    assert!(begun.elapsed() >= Duration::from_secs(59), "nobody below a minute is");
    // Eight of ten are no crowd any more.
    assert!(!announces(&stand.ask(second).expect("the next longest stays")));
    let mut extra = from(stand, 100, head.direct);
    assert!(!announces(&stand.ask(&mut extra).expect("a reply")), "new ones are spared");
    let old = rest.first_mut().expect("a connection");
    let told = wait::until("an old one is told", LIMIT, || {
        let response = stand.ask(old).expect("a reply");
        announces(&response).then_some(response.status)
    });
    assert_eq!(told.expect("told"), 204);
    ends_as(&head, old, "overload").expect("the end");
}
