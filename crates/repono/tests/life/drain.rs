//! The end of a head: who goes when, and who is asked to come back.

use std::time::{Duration, Instant};

use repono_testkit::wait;
use repono_testkit::wire::Wire;

use crate::stand::{Head, LIMIT, Stand, announces, ends_as, port};

/// SIGTERM allows so long.
const ALLOWED: Duration = Duration::from_secs(30);

/// Takes a minute and a half.
pub(crate) fn a_drain_takes_the_long_quiet_first_and_the_busy_last(stand: &Stand) {
    let mut head = stand.head("drain", &[]);
    let asked = |wire: &mut Wire| announces(&stand.ask(wire).expect("a reply"));
    let mut long = stand.connect(head.direct);
    assert!(!asked(&mut long));
    let begun = Instant::now();
    wait::until("a minute is over", Duration::from_secs(90), || {
        (begun.elapsed() > Duration::from_secs(61)).then_some(())
    })
    .expect("it is");
    let [mut recent, mut back, mut raced] = [(); 3].map(|()| stand.connect(head.direct));
    for wire in [&mut recent, &mut back, &mut raced] {
        assert!(!asked(wire));
    }

    head.terminate();
    let begun = Instant::now();
    ends_as(&head, &mut long, "drain").expect("the longest quiet goes");
    assert!(begun.elapsed() < ALLOWED / 2, "at once, and not after {:?}", begun.elapsed());
    assert!(asked(&mut back), "the next reply announces the end");
    ends_as(&head, &mut back, "drain").expect("the end");

    // A body that is not complete by then, and not too slow yet.
    let mut upload = stand.connect(head.direct);
    upload
        .send(
            (stand.request("PUT", "/v1/demo/files/unfinished", "Content-Length: 9\r\n") + "half").as_bytes(),
        )
        .expect("sent");

    recent.set_patience(ALLOWED + LIMIT).expect("set");
    raced.set_patience(ALLOWED + LIMIT).expect("set");
    late(&head, &mut raced);
    ends_as(&head, &mut recent, "drain").expect("in order at the end");
    assert!(begun.elapsed() >= ALLOWED, "it was used a moment before: {:?}", begun.elapsed());
    // What has not ended by then is answered and announced.
    let response = upload.response("PUT").expect("a reply to half a request");
    assert_eq!((response.status, announces(&response)), (503, true));
    assert!(upload.ends_cleanly().expect("no reset"));
    drop((long, recent, back, raced, upload));
    let ended = head.ended(LIMIT);
    assert!(ended - begun < Duration::from_secs(35), "{:?}", ended - begun);
    assert!(head.connections().iter().any(|r| r["repono"]["connection"]["manner"] == "kill"));
}

/// A client that did not see the FIN sends a request behind it.
fn late(head: &Head, wire: &mut Wire) {
    assert!(wire.ends_cleanly().expect("a farewell"));
    wire.send(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent into a closed connection");
    wire.finish().expect("and closed");
    let record = head.record_of(port(wire));
    assert!(record["late_bytes"].as_u64() > Some(0), "{record}");
}

/// The same without a drain; the balancer hears of it at its health check.
#[test]
fn a_request_that_raced_an_idle_close_is_counted() {
    let stand = Stand::new();
    let head = stand.head("races", &[]);
    let mut wire = stand.connect(head.direct);
    wire.set_patience(Duration::from_secs(40)).expect("set");
    late(&head, &mut wire);
    let told = crate::peers::healthcheck(&stand, &head).expect("a reply");
    assert!(told.text().contains("requests-after-close 1\n"), "{}", told.text());

    let mut orderly = stand.connect(head.direct);
    orderly.set_patience(Duration::from_secs(40)).expect("set");
    assert!(orderly.ends_cleanly().expect("a farewell"));
    let port = port(&orderly);
    orderly.finish().expect("closed");
    drop(orderly);
    assert!(head.record_of(port).get("late_bytes").is_none(), "a farewell is no request");
}

/// A request that began before the drain is answered as one that came after it.
#[test]
fn a_reply_under_way_when_the_drain_begins_announces_the_end() {
    let stand = Stand::new();
    let mut head = stand.head("under-way", &[]);
    let mut wire = stand.connect(head.direct);
    let request =
        stand.request("PUT", "/v1/demo/files/under-way", "Content-Length: 8\r\nExpect: 100-continue\r\n");
    wire.send(request.as_bytes()).expect("sent");
    assert_eq!(wire.response("PUT").expect("admitted").status, 100);
    head.terminate();
    wait::until("it drains", LIMIT, || {
        let answer = crate::peers::healthcheck(&stand, &head).ok()?;
        (answer.status == 503).then_some(())
    })
    .expect("it does");
    wire.send(b"complete").expect("sent");
    let response = wire.response("PUT").expect("a reply");
    assert_eq!((response.status, announces(&response)), (201, true));
    ends_as(&head, &mut wire, "drain").expect("the end");
    drop(wire);
    head.ended(LIMIT);
}
