//! Peers that vanish, trickle or take nothing; and what a head tells the balancer.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::Result;
use repono_net::proxy_v2::{self, ProxyKey};
use repono_testkit::wire::{Response, Wire};
use socket2::{SockFilter, SockRef};

use crate::stand::{Head, Stand, port};

/// The kernel's own patience with a peer that acknowledges nothing.
const USER_TIMEOUT: Duration = Duration::from_secs(75);

/// Asks as the balancer does.
///
/// *Errors*: no answer within two seconds.
pub(crate) fn healthcheck(stand: &Stand, head: &Head) -> Result<Response> {
    let hex = std::fs::read_to_string(stand.system.data().join("secrets/proxy.key")).expect("the key");
    let bytes = data_encoding::HEXLOWER.decode(hex.trim().as_bytes()).expect("hex");
    let key = ProxyKey::new(&bytes.try_into().expect("32 bytes"));
    let mut tcp = TcpStream::connect(head.balanced)?;
    tcp.write_all(&proxy_v2::encode_local(&key))?;
    let mut wire = Wire::over(tcp, &stand.ca)?;
    wire.set_patience(Duration::from_secs(2))?;
    wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: h\r\n\r\n")?;
    wire.response("GET")
}

/// From now on the kernel drops whatever comes for this socket, and so acknowledges
/// nothing: what a box that forgot the connection looks like from the other end.
fn vanish(wire: &Wire) {
    const DROP_ALL: SockFilter = SockFilter::new(0x06, 0, 0, 0);
    SockRef::from(wire.tcp()).attach_filter(&[DROP_ALL]).expect("a filter");
}

#[test]
fn a_peer_that_vanished_is_known_long_before_the_kernel_gives_up() {
    let stand = Stand::new();
    let head = stand.head("vanished", &[]);
    let mut put = stand.connect(head.direct);
    let body = vec![b'x'; 16 << 20];
    let length = format!("Content-Length: {}\r\n", body.len());
    put.send(stand.request("PUT", "/v1/demo/files/large", &length).as_bytes()).expect("sent");
    put.send(&body).expect("sent");
    assert_eq!(put.response("PUT").expect("a reply").status, 201);

    let (mut quiet, mut reading) = (stand.connect(head.direct), stand.connect(head.direct));
    for wire in [&mut quiet, &mut reading] {
        assert_eq!(stand.ask(wire).expect("a reply").status, 204);
    }
    // One vanishes before a small reply reaches it, the other within a large one.
    vanish(&quiet);
    quiet.send(stand.request("HEAD", "/v1/demo/files", "").as_bytes()).expect("sent");
    vanish(&reading);
    reading.send(stand.request("GET", "/v1/demo/files/large", "").as_bytes()).expect("sent");
    let begun = Instant::now();
    for (wire, manner) in [(&quiet, "timeout"), (&reading, "rst")] {
        let record = head.record_of(port(wire));
        assert_eq!(record["manner"], manner, "{record}");
    }
    assert!(begun.elapsed() < USER_TIMEOUT / 2, "{:?}", begun.elapsed());
    let mut other = stand.connect(head.direct);
    assert_eq!(stand.ask(&mut other).expect("nobody else notices").status, 204);
}
