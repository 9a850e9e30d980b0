use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::{Announce, Ended, Form, Limits, STEP_BYTES, StagedClose, staged};
use crate::socket;

const MINUTE: Duration = Duration::from_secs(60);

impl Announce for DuplexStream {
    type Below = Self;

    const FORM: Form = Form::Plain;

    fn into_below(self) -> Self {
        self
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let connect = TcpStream::connect(listener.local_addr().expect("bound"));
    let (client, server) = tokio::join!(connect, listener.accept());
    (client.expect("connect"), server.expect("accept").0)
}

#[tokio::test]
async fn a_reply_survives_a_request_body_that_nobody_read() {
    let (mut client, mut server) = pair().await;
    const SENT: u64 = 16 * 1024 * 1024;
    let unread = vec![7; 16 * 1024 * 1024];
    server.write_all(b"413").await.expect("replied");
    let closing = tokio::spawn(staged(server, Limits::DEFAULT));
    client.write_all(&unread).await.expect("sent");
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).await.expect("a FIN, no RST");
    assert_eq!(reply, b"413");
    drop(client);
    let closed = closing.await.expect("no panic");
    assert_eq!(closed, StagedClose { ended: Ended::PeerFin, discarded: SENT, late: SENT });
}

#[tokio::test]
async fn a_peer_that_goes_on_sending_is_cut_at_the_limit() {
    let (mut client, server) = pair().await;
    let limits = Limits { bytes: 10_000, quiet: MINUTE, time: MINUTE };
    let closing = tokio::spawn(staged(server, limits));
    while client.write_all(&[7; 1024]).await.is_ok() {}
    let closed = closing.await.expect("no panic");
    assert_eq!(closed.ended, Ended::TooMuch);
    assert!((10_000..10_000 + STEP_BYTES as u64).contains(&closed.discarded), "{closed:?}");
}

#[tokio::test]
async fn a_reset_ends_the_close() {
    let (client, server) = pair().await;
    socket::reset(client);
    server.readable().await.expect("the RST is here");
    let closed = staged(server, Limits::DEFAULT).await;
    assert_eq!(closed, StagedClose { ended: Ended::PeerReset, discarded: 0, late: 0 });
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_closes_is_left_at_the_deadline() {
    let (near, _far) = tokio::io::duplex(64);
    let begun = Instant::now();
    let closed = staged(near, Limits::DEFAULT).await;
    assert_eq!(closed, StagedClose { ended: Ended::Deadline, discarded: 0, late: 0 });
    assert_eq!(begun.elapsed(), Limits::DEFAULT.quiet);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_on_slowly_is_read_longer_but_not_for_ever() {
    let (near, mut far) = tokio::io::duplex(64);
    let begun = Instant::now();
    let closing = tokio::spawn(staged(near, Limits::DEFAULT));
    let mut sent = 0;
    while far.write_all(b"x").await.is_ok() {
        sent += 1;
        tokio::time::sleep(Limits::DEFAULT.quiet / 2).await;
    }
    let closed = closing.await.expect("no panic");
    assert_eq!(closed.ended, Ended::Deadline);
    assert!(closed.discarded >= sent - 1, "{closed:?} of {sent}");
    assert!(begun.elapsed() >= Limits::DEFAULT.time, "{:?}", begun.elapsed());
}
