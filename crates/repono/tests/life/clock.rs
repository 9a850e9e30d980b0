//! A wall clock that jumps: connections run by another clock and notice nothing,
//! tickets expire by it.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use crate::stand::{Setting, Stand};

const HOUR: i64 = 3600;

#[test]
fn a_jump_of_the_wall_clock_ends_tickets_and_no_connection() {
    let stand = Stand::new();
    let (shim, ahead) = (stand.system.path("clock.so"), stand.system.path("ahead"));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/life/clock.c");
    // The store needs a C compiler as well.
    let built = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).status();
    assert!(built.expect("a C compiler").success());
    fs::write(&ahead, 0_i64.to_ne_bytes()).expect("written");
    let clock = fs::OpenOptions::new().write(true).open(&ahead).expect("the clock");
    let jump = |seconds: i64| clock.write_all_at(&seconds.to_ne_bytes(), 0).expect("set");
    let environment = [("LD_PRELOAD", shim.as_path()), ("WALL_CLOCK_AHEAD", ahead.as_path())];
    let head = stand.head_set("clock", &Setting { environment: &environment, ..Setting::default() });

    let [mut known, mut stranger, mut upload] = [(); 3].map(|()| stand.connect(head.direct));
    assert_eq!(stand.ask(&mut known).expect("a reply").status, 204);
    let request =
        stand.request("PUT", "/v1/demo/files/jump", "Content-Length: 8\r\nExpect: 100-continue\r\n");
    upload.send(request.as_bytes()).expect("sent");
    assert_eq!(upload.response("PUT").expect("admitted").status, 100);
    stranger.send(b"GET /info HTTP/1.1\r\n").expect("half a head");

    // Longer than any clock of a connection, and than the directory may be unconfirmed.
    jump(2 * HOUR);
    let expired = stand.ask(&mut known).expect("the connection lives");
    assert_eq!(expired.status, 401);
    stranger.send(b"Host: h\r\n\r\n").expect("the rest");
    let info = stranger.response("GET").expect("the connection lives");
    assert_eq!((info.status, info.header("connection")), (200, Some("keep-alive")));
    assert!(info.header("x-trans-id").is_some_and(|id| id.len() == 34));
    upload.send(b"complete").expect("sent");
    assert_eq!(upload.response("PUT").expect("it was admitted in time").status, 201);
    let well = crate::peers::healthcheck(&stand, &head).expect("a reply");
    assert_eq!(well.status, 200);

    jump(0);
    for wire in [&mut known, &mut stranger, &mut upload] {
        assert_eq!(stand.ask(wire).expect("the connection lives").status, 204);
    }
    jump(-2 * HOUR);
    for wire in [&mut known, &mut stranger, &mut upload] {
        wire.send(b"GET /info HTTP/1.1\r\nHost: h\r\n\r\n").expect("sent");
        let info = wire.response("GET").expect("the connection lives");
        assert_eq!((info.status, info.header("connection")), (200, Some("keep-alive")));
    }
}
