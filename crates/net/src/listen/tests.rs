use std::cell::Cell;
use std::future::ready;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fault::Backoff;
use super::{Acceptor, BACKLOG, accept_loop, bind, canonical, patient};
use crate::drain::{Drain, Until};
use crate::socket::SocketOptions;

fn loopback() -> Acceptor {
    Acceptor::new(bind((Ipv4Addr::LOCALHOST, 0).into(), BACKLOG).expect("bind")).expect("register")
}

#[tokio::test]
async fn accepted_connections_inherit_the_options() {
    let mut acceptor = loopback();
    let client = TcpStream::connect(acceptor.local_addr()).expect("connect");
    let accepted = acceptor.accept().await.expect("accept");
    crate::socket::assert_options(&accepted.stream, &SocketOptions::SERVER);
    assert_eq!(accepted.source, client.local_addr().expect("bound"));
    assert_eq!(accepted.destination, acceptor.local_addr());
}

#[tokio::test]
async fn an_ipv4_peer_of_an_ipv6_socket_is_written_as_ipv4() {
    let Ok(listener) = bind((Ipv6Addr::UNSPECIFIED, 0).into(), BACKLOG) else {
        return; // A machine without IPv6.
    };
    let mut acceptor = Acceptor::new(listener).expect("register");
    let port = acceptor.local_addr().port();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
    let accepted = acceptor.accept().await.expect("accept");
    assert_eq!(accepted.source, client.local_addr().expect("bound"));
    assert_eq!(accepted.destination, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
}

#[test]
fn only_mapped_addresses_change_their_spelling() {
    let same = ["192.0.2.1:1", "[2001:db8::1]:1", "[::1]:1"];
    for address in same.map(|text| text.parse().expect("address")) {
        assert_eq!(canonical(address), address);
    }
    let mapped = "[::ffff:192.0.2.1]:9".parse().expect("address");
    assert_eq!(canonical(mapped), "192.0.2.1:9".parse().expect("address"));
}

#[tokio::test]
async fn a_bound_address_can_be_bound_again_after_connections() {
    let mut acceptor = loopback();
    let address = acceptor.local_addr();
    let client = TcpStream::connect(address).expect("connect");
    let accepted = acceptor.accept().await.expect("accept");
    assert_eq!(bind(address, BACKLOG).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
    drop((acceptor, accepted, client));
    bind(address, BACKLOG).expect("TIME-WAIT does not hold the address");
}

#[tokio::test]
async fn the_loop_hands_over_the_queue_and_closes_the_listener() {
    let acceptor = loopback();
    let address = acceptor.local_addr();
    let drain = Drain::new();
    let (sender, mut accepted) = mpsc::unbounded_channel();
    let signal = drain.signal();
    let queued: Vec<_> = (0..3).map(|_| TcpStream::connect(address).expect("connect")).collect();
    drain.begin(Instant::now());
    accept_loop(acceptor, signal, Until::Draining, |connection, guard| {
        sender.send((connection, guard)).expect("open");
    })
    .await
    .expect("no fault");
    assert_eq!(drain.open(), queued.len());
    for client in &queued {
        let (connection, _guard) = accepted.recv().await.expect("handed over");
        assert_eq!(connection.source, client.local_addr().expect("bound"));
    }
    assert_eq!(drain.open(), 0);
    assert_eq!(TcpStream::connect(address).expect_err("closed").kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_loop_until_closing_serves_while_draining() {
    let acceptor = loopback();
    let address = acceptor.local_addr();
    let drain = Drain::new();
    let (sender, mut accepted) = mpsc::unbounded_channel();
    let signal = drain.signal();
    let serving = tokio::spawn(async move {
        accept_loop(acceptor, signal, Until::Closing, |connection, _| {
            sender.send(connection.source).expect("open");
        })
        .await
    });
    drain.begin(Instant::now());
    let client = TcpStream::connect(address).expect("connect");
    assert_eq!(accepted.recv().await, client.local_addr().ok());
    drain.close();
    serving.await.expect("no panic").expect("no fault");
}

#[tokio::test(start_paused = true)]
async fn a_shortage_is_waited_out_without_spinning() {
    let script = [libc::EMFILE, libc::ECONNABORTED, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS];
    let tries = Cell::new(0);
    let mut backoff = Backoff::default();
    let begun = Instant::now();
    let outcome = patient(&mut backoff, || {
        let at = tries.replace(tries.get() + 1);
        ready(script.get(at).map_or(Ok(at), |errno| Err(io::Error::from_raw_os_error(*errno))))
    })
    .await;
    assert_eq!(outcome.expect("accepted in the end"), script.len());
    assert_eq!(begun.elapsed(), Duration::from_millis(50 + 100 + 200 + 400));
    assert_eq!(backoff.pause(), Duration::from_millis(50), "the next shortage begins anew");
    for _ in 0..10 {
        backoff.pause();
    }
    assert_eq!(backoff.pause(), Duration::from_secs(1));
}

#[tokio::test]
async fn a_broken_listener_is_an_error() {
    for errno in [Some(libc::EBADF), Some(libc::EINVAL), None] {
        let error =
            errno.map_or_else(|| io::Error::other("not from the kernel"), io::Error::from_raw_os_error);
        let mut once = Some(error);
        let outcome: io::Result<()> =
            patient(&mut Backoff::default(), || ready(Err(once.take().expect("not tried again")))).await;
        assert_eq!(outcome.expect_err("given up").raw_os_error(), errno);
    }
}
