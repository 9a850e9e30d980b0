//! The same for HTTP/2: two GOAWAYs, with a round trip between them.

use std::time::{Duration, Instant};

use repono_testkit::frames::{self, END_HEADERS, END_STREAM, Frame, block, frame, get, kind};
use repono_testkit::wait;
use repono_testkit::wire::{Wire, address};

use crate::peers::healthcheck;
use crate::stand::{Head, LIMIT, Stand, port};

/// ACK of a PING (RFC 9113 section 6.7).
const ACK: u8 = 1;
/// NO_ERROR.
const NO_ERROR: u32 = 0;
/// Before this a connection that was just opened hears of no end; a little less than
/// what the head waits, for the time that the signal takes.
const LULL: Duration = Duration::from_millis(900);

struct Client {
    wire: Wire,
    host: String,
}

impl Client {
    fn new(stand: &Stand, head: &Head) -> Self {
        let url = format!("https://{}", head.direct);
        let wire = frames::connect(&url, &stand.ca).expect("connected");
        Self { wire, host: address(&url).expect("an address").to_string() }
    }

    fn ask(&mut self, stream: u32) {
        self.ask_as(stream, &[]);
    }

    /// With further fields.
    fn ask_as(&mut self, stream: u32, further: &[(&str, &str)]) {
        let fields = [get(&self.host, "/info"), block(further)].concat();
        let frame = frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &fields);
        self.wire.send(&frame).expect("sent");
    }

    /// The next frame of this kind.
    fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = frames::next(&mut self.wire).expect("a frame").expect("not yet the end");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Last stream and reason of the next GOAWAY.
    fn goaway(&mut self) -> (u32, u32) {
        let payload = self.next(kind::GOAWAY).payload;
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes"));
        (number(0), number(4))
    }
}

fn two_steps(head: &Head, client: &mut Client, served: u32, manner: &str) {
    assert_eq!(client.goaway(), (0x7fff_ffff, NO_ERROR), "no stream is the last yet");
    let ping = client.next(kind::PING).payload;
    // It was sent before the client can have heard of the end.
    client.ask(served + 2);
    while client.next(kind::HEADERS).stream != served + 2 {}
    client.wire.send(&frame(kind::PING, ACK, 0, &ping)).expect("sent");
    assert_eq!(client.goaway(), (served + 2, NO_ERROR), "now the last one is known");
    while frames::next(&mut client.wire).expect("no reset").is_some() {}
    let record = head.record_of(port(&client.wire));
    assert_eq!(record["manner"], manner, "{record}");
}

#[test]
fn limits_are_announced_by_two_goaways() {
    let stand = Stand::new();
    let head = stand.head("goaway", &[("connection_requests_max", "2")]);
    let mut client = Client::new(&stand, &head);
    client.ask(1);
    assert_eq!(client.next(kind::HEADERS).stream, 1);
    client.ask(3);
    two_steps(&head, &mut client, 3, "request-limit");
}

#[test]
fn a_drain_is_announced_by_two_goaways() {
    let stand = Stand::new();
    let head = stand.head("goaway-drain", &[]);
    let mut client = Client::new(&stand, &head);
    client.ask(1);
    assert_eq!(client.next(kind::HEADERS).stream, 1);
    head.terminate();
    two_steps(&head, &mut client, 1, "drain");
}

/// A peer that never answers the PING is told the last stream all the same, and
/// what it opens beyond is refused, so that it may be sent again.
#[test]
fn a_peer_that_does_not_answer_gets_its_last_word() {
    let stand = Stand::new();
    let head = stand.head("goaway-silent", &[("connection_requests_max", "1")]);
    let mut client = Client::new(&stand, &head);
    client.ask(1);
    assert_eq!(client.goaway(), (0x7fff_ffff, NO_ERROR));
    assert_eq!(client.goaway(), (1, NO_ERROR));
    while frames::next(&mut client.wire).expect("no reset").is_some() {}
}

/// Java's `HttpClient` fails what is under way when GOAWAY comes, so it is told when
/// nothing is.
#[test]
fn a_client_that_fails_at_goaway_is_told_in_a_lull() {
    let stand = Stand::new();
    let head = stand.head("goaway-lull", &[("connection_requests_max", "2")]);
    let mut client = Client::new(&stand, &head);
    for stream in (1..=81).step_by(2) {
        client.ask_as(stream, &[("user-agent", "Java-http-client/17.0.15")]);
        loop {
            let came = frames::next(&mut client.wire).expect("a frame").expect("not yet the end");
            assert_ne!(came.kind, kind::GOAWAY, "while stream {stream} was open");
            if came.kind == kind::HEADERS && came.stream == stream {
                break;
            }
        }
    }
    two_steps(&head, &mut client, 81, "request-limit");
}

/// A client whose first request is under way when a drain begins finds a connection that
/// serves it, and hears of the end behind it.
#[test]
fn a_fresh_connection_hears_of_a_drain_with_its_first_request() {
    let stand = Stand::new();
    let head = stand.head("goaway-fresh", &[]);
    let mut client = Client::new(&stand, &head);
    // Both sides have said what they keep to: the connection stands.
    client.next(kind::SETTINGS);
    let told = Instant::now();
    head.terminate();
    let drains = || healthcheck(&stand, &head).ok().filter(|answer| answer.status == 503).map(|_| ());
    wait::until("the head drains", LIMIT, drains).expect("in time");
    // What was sent before its answer is in front of it.
    client.wire.send(&frame(kind::PING, 0, 0, &[7; 8])).expect("sent");
    loop {
        match frames::next(&mut client.wire).expect("a frame").expect("not yet the end").kind {
            kind::PING => break,
            // On a busy machine the lull may be over.
            kind::GOAWAY => return assert!(told.elapsed() >= LULL, "{:?}", told.elapsed()),
            _other => {}
        }
    }
    client.ask(1);
    assert_eq!(client.goaway(), (0x7fff_ffff, NO_ERROR));
    assert_eq!(client.next(kind::HEADERS).stream, 1, "it is served all the same");
}
