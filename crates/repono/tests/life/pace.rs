//! Bodies that trickle, readers that take nothing, and readers that are merely slow.

use std::fs;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use repono_testkit::frames::{self, END_HEADERS, END_STREAM, block, frame, kind};
use repono_testkit::wait;
use repono_testkit::wire::{Wire, address};

use socket2::{Domain, Socket, Type};

use crate::stand::{Head, LIMIT, Stand};

/// A peer that takes nothing is given up after this.
const STALL: Duration = Duration::from_secs(60);
/// ACK of SETTINGS or PING.
const ACK: u8 = 1;

/// Two connections of HTTP/2 side by side: a body that trickles gets 408, and a
/// reader whose window does not move loses its stream, while one whose window is
/// small and moves keeps it.
pub(crate) fn streams(stand: &Stand) {
    let head = stand.head("streams", &[]);
    let (trickle, body) = (open(stand, &head), vec![b'x'; 4 << 20]);
    std::thread::scope(|scope| {
        let trickling = scope.spawn(|| trickles(stand, &head, trickle));
        put(stand, &head, "/v1/demo/files/streamed", &body);
        readers(stand, &head);
        trickling.join().expect("a trickle");
    });
}

fn open(stand: &Stand, head: &Head) -> Wire {
    frames::connect(&format!("https://{}", head.direct), &stand.ca).expect("connected")
}

fn put(stand: &Stand, head: &Head, path: &str, body: &[u8]) {
    let mut wire = stand.connect(head.direct);
    let request = stand.request("PUT", path, &format!("Content-Length: {}\r\n", body.len()));
    wire.send(&[request.as_bytes(), body].concat()).expect("sent");
    assert_eq!(wire.response("PUT").expect("a reply").status, 201);
}

/// The header block of a request with a ticket.
fn fields(stand: &Stand, head: &Head, method: &str, path: &str) -> Vec<u8> {
    let host = address(&head.direct.to_string()).expect("an address").to_string();
    let ticket: Vec<(String, &str)> = stand
        .ticket
        .split("\r\n")
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let own = [(":method", method), (":scheme", "https"), (":authority", &host), (":path", path)];
    let all: Vec<_> =
        own.into_iter().chain(ticket.iter().map(|(name, value)| (name.as_str(), *value))).collect();
    block(&all)
}

fn trickles(stand: &Stand, head: &Head, mut wire: Wire) {
    let request = fields(stand, head, "PUT", "/v1/demo/files/trickle");
    wire.send(&frame(kind::HEADERS, END_HEADERS, 1, &request)).expect("sent");
    wire.set_patience(Duration::from_millis(500)).expect("set");
    let begun = Instant::now();
    let mut answered = false;
    while !answered {
        assert!(begun.elapsed() < 2 * STALL, "a body of two bytes a second is taken for ever");
        wire.send(&frame(kind::DATA, 0, 1, b"x")).expect("the connection stays");
        answered = coming(&mut wire).iter().any(|(kind, stream)| (*kind, *stream) == (kind::HEADERS, 1));
    }
    assert!(begun.elapsed() > STALL / 2 - Duration::from_secs(1), "{:?}", begun.elapsed());
    wait::until("it is recorded as too slow", LIMIT, || {
        fs::read_to_string(&head.journal).ok()?.contains("\"status_code\":408").then_some(())
    })
    .expect("a record");
}

/// Kind and stream of what has come, within the patience of the connection.
fn coming(wire: &mut Wire) -> Vec<(u8, u32)> {
    let mut frames = Vec::new();
    loop {
        match frames::next(wire) {
            Ok(next) => {
                let frame = next.expect("the connection goes on");
                frames.push((frame.kind, frame.stream));
            }
            Err(error) => {
                let kind = error.downcast_ref().map(std::io::Error::kind);
                assert!(matches!(kind, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{error:#}");
                return frames;
            }
        }
    }
}

fn readers(stand: &Stand, head: &Head) {
    let mut wire = open(stand, head);
    let request = fields(stand, head, "GET", "/v1/demo/files/streamed");
    let more = |stream: u32, bytes: u32| frame(kind::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    // The connection's window is wide; each stream's is what the peer says.
    wire.send(&more(0, 1 << 24)).expect("sent");
    for stream in [1, 3] {
        wire.send(&frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &request)).expect("sent");
    }
    wire.set_patience(Duration::from_secs(2)).expect("set");
    let (begun, mut given_up) = (Instant::now(), None);
    while begun.elapsed() < STALL + Duration::from_secs(15) {
        wire.send(&more(3, 8 * 1024)).expect("the connection stays");
        for (kind, stream) in coming(&mut wire) {
            assert!((kind, stream) != (kind::RST_STREAM, 3), "a small window that moves is no stall");
            if (kind, stream) == (kind::RST_STREAM, 1) {
                given_up.get_or_insert(begun.elapsed());
            }
        }
    }
    let given_up = given_up.expect("a reader that takes nothing is given up");
    assert!(given_up > STALL - Duration::from_secs(1), "{given_up:?}");
    wire.send(&frame(kind::PING, 0, 0, &[7; 8])).expect("sent");
    assert!(coming(&mut wire).contains(&(kind::PING, 0)), "others on the connection are left alone");
    wire.send(&frame(kind::SETTINGS, ACK, 0, &[])).expect("and it goes on");
}

/// Reads fast at first, so that the kernel gives the connection megabytes, then 8
/// KiB a second for longer than the head waits for a reader that takes nothing: all
/// that time the head's kernel has no room for more, while the reader's, whose buffer
/// is smaller, opens its window every few seconds.
pub(crate) fn slow_reader(stand: &Stand) {
    const FAST: usize = 24 << 20;
    const WHOLE: usize = 48 << 20;
    let head = stand.head("reader", &[]);
    let body: Vec<u8> = (0..WHOLE).map(|n| u8::try_from(n % 251).unwrap_or_default()).collect();
    put(stand, &head, "/v1/demo/files/slowly", &body);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(512 * 1024).expect("set");
    socket.connect(&head.direct.into()).expect("connected");
    let mut wire = Wire::over(socket.into(), &stand.ca).expect("TLS");
    wire.set_patience(LIMIT).expect("set");
    wire.send(stand.request("GET", "/v1/demo/files/slowly", "").as_bytes()).expect("sent");
    let mut taken = Vec::with_capacity(WHOLE);
    let mut take = |bytes: usize, taken: &mut Vec<u8>| {
        let came = wire.exactly(bytes).expect("no reset").expect("no end");
        taken.extend_from_slice(&came);
    };
    while !taken.ends_with(b"\r\n\r\n") {
        take(1, &mut taken);
    }
    taken.clear();
    take(FAST, &mut taken);
    let begun = Instant::now();
    for second in 0..STALL.as_secs() + 15 {
        wait::until("a second is over", LIMIT, || (begun.elapsed().as_secs() > second).then_some(()))
            .expect("it is");
        take(8 * 1024, &mut taken);
    }
    take(WHOLE - taken.len(), &mut taken);
    assert!(taken == body, "something else came");
}
