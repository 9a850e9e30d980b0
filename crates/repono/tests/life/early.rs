//! Replies that come before the request has ended, to a client that goes on sending.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use repono_testkit::wire::{Wire, address};

use crate::stand::{Stand, announces};

/// More than is read before a refusal, and than both kernels hold.
const REST: usize = 48 << 20;

struct Early {
    name: &'static str,
    request: fn(&Stand) -> String,
    status: u16,
}

const EARLY: [Early; 6] = [
    Early {
        name: "a body beyond what an object may have",
        request: |stand| stand.request("PUT", "/v1/demo/files/early", "Content-Length: 9000000000000\r\n"),
        status: 413,
    },
    Early {
        name: "a body without a ticket",
        request: |_| {
            "PUT /v1/demo/files/early HTTP/1.1\r\nHost: h\r\nContent-Length: 900000000\r\n\r\n".to_owned()
        },
        status: 401,
    },
    Early {
        name: "a chunked body without a ticket",
        request: |_| {
            "PUT /v1/demo/files/early HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3000000\r\n"
                .to_owned()
        },
        status: 401,
    },
    Early {
        name: "a body for a container that is not there",
        request: |stand| stand.request("PUT", "/v1/demo/nowhere/early", "Content-Length: 900000000\r\n"),
        status: 404,
    },
    Early { name: "a bad head", request: |_| "GET / HTTP/1.1\r\nHost : h\r\n".to_owned(), status: 400 },
    Early {
        name: "an expectation that nobody meets",
        request: |stand| {
            stand.request("PUT", "/v1/demo/files/early", "Content-Length: 900000000\r\nExpect: a-miracle\r\n")
        },
        status: 417,
    },
];

#[test]
fn a_reply_reaches_a_client_that_goes_on_sending() {
    let stand = Stand::new();
    let head = stand.system.heads()[0].to_owned();
    for url in [head.as_str(), stand.system.balancer()] {
        for early in &EARLY {
            refused(&stand, url, early).with_context(|| format!("{} at {url}", early.name)).expect("refused");
        }
    }
}

/// Sends everything before it reads anything, as many clients do.
fn refused(stand: &Stand, url: &str, early: &Early) -> Result<()> {
    let mut wire = Wire::connect(url, &stand.ca)?;
    wire.send((early.request)(stand).as_bytes())?;
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..REST / piece.len() {
        wire.send(&piece).context("the connection was reset under the client")?;
    }
    let response = wire.response("PUT")?;
    ensure!(response.status == early.status, "{}", response.status);
    ensure!(announces(&response), "the end was not announced");
    ensure!(wire.ends_cleanly()?, "more follows");
    Ok(())
}

#[test]
fn a_client_that_speaks_no_tls_hears_of_it() {
    let stand = Stand::new();
    let mut tcp = TcpStream::connect(address(stand.system.heads()[0]).expect("an address")).expect("open");
    tcp.write_all(&vec![b'x'; REST]).expect("no reset while it sends");
    let mut said = Vec::new();
    tcp.read_to_end(&mut said).expect("no reset");
    assert_eq!(said.first(), Some(&21), "an alert: {}", said.escape_ascii());
}

#[test]
fn a_body_that_waits_is_asked_for_at_once() {
    let stand = Stand::new();
    let mut wire = Wire::connect(stand.system.balancer(), &stand.ca).expect("connected");
    let expect = "Content-Length: 4\r\nExpect: 100-continue\r\n";
    let refused = format!("PUT /v1/demo/files/o HTTP/1.1\r\nHost: h\r\n{expect}\r\n");
    wire.send(stand.request("PUT", "/v1/demo/files/expected", expect).as_bytes()).expect("sent");
    assert_eq!(wire.response("PUT").expect("before the body").status, 100);
    wire.send(b"body").expect("sent");
    assert_eq!(wire.response("PUT").expect("after the body").status, 201);
    wire.send(refused.as_bytes()).expect("sent");
    let response = wire.response("PUT").expect("instead of 100");
    assert_eq!((response.status, announces(&response)), (401, true));
    assert!(wire.ends_cleanly().expect("no reset"));
}
