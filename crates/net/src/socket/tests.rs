use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{SocketOptions, TcpState, connect, has_input, prepare_accepted, reset, tcp_info};

const LIMIT: Duration = Duration::from_secs(10);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let address = listener.local_addr().expect("bound");
    let (client, server) = tokio::join!(connect(address, &SocketOptions::CLIENT, LIMIT), listener.accept());
    (client.expect("connect"), server.expect("accept").0)
}

pub(crate) fn assert_options(socket: &impl AsFd, options: &SocketOptions) {
    let socket = SockRef::from(socket);
    assert!(socket.tcp_nodelay().expect("nodelay"));
    assert!(socket.keepalive().expect("keepalive"));
    assert_eq!(socket.tcp_keepalive_time().expect("idle"), options.keepalive.idle);
    assert_eq!(socket.tcp_keepalive_interval().expect("interval"), options.keepalive.interval);
    assert_eq!(socket.tcp_keepalive_retries().expect("count"), options.keepalive.count);
    assert_eq!(socket.tcp_user_timeout().expect("user timeout"), Some(options.user_timeout));
}

#[tokio::test]
async fn both_ends_carry_their_options() {
    let (client, server) = pair().await;
    assert_options(&client, &SocketOptions::CLIENT);
    prepare_accepted(&server, &SocketOptions::SERVER).expect("set");
    assert_options(&server, &SocketOptions::SERVER);
}

#[tokio::test]
async fn a_peer_is_asked_as_often_as_wished() {
    let often = SocketOptions::SERVER.asking_after(Duration::from_secs(1));
    let seldom = SocketOptions::SERVER.asking_after(Duration::from_secs(600));
    assert_eq!(often.keepalive.interval, Duration::from_secs(1));
    assert_eq!(seldom.keepalive.interval, SocketOptions::SERVER.keepalive.interval);
    let (client, server) = pair().await;
    prepare_accepted(&server, &often).expect("set");
    assert_options(&server, &often);
    drop(client);
}

#[tokio::test]
async fn tcp_info_counts_what_was_acknowledged() {
    let (mut client, mut server) = pair().await;
    client.write_all(b"hello").await.expect("write");
    server.read_exact(&mut [0; 5]).await.expect("read");
    server.write_all(b"answer").await.expect("write");
    client.read_exact(&mut [0; 6]).await.expect("read");
    let info = tcp_info(&client).expect("a TCP socket");
    assert_eq!(info.state, TcpState::Established);
    assert_eq!(info.bytes_received, Some(6));
    // The reply carried the acknowledgement; the SYN counts as one byte.
    assert!(info.bytes_acked.is_some_and(|bytes| (5..=6).contains(&bytes)), "{info:?}");
    assert!(info.snd_wnd.is_some_and(|window| window > 0));
    assert!(!info.peer_is_gone());
}

#[tokio::test]
async fn input_is_seen_before_the_runtime_hears_of_it() {
    let (client, server) = pair().await;
    assert!(!has_input(&server));
    let client = client.into_std().expect("a socket");
    (&client).write_all(b"x").expect("write");
    // Loopback delivers within the write, and nothing here lets the runtime look.
    assert!(has_input(&server));
    server.readable().await.expect("readable");
    assert_eq!(server.try_read(&mut [0; 8]).expect("read"), 1);
    assert!(!has_input(&server));
    client.shutdown(Shutdown::Write).expect("FIN");
    assert!(has_input(&server), "a FIN is something, too");
}

#[tokio::test]
async fn tcp_info_of_another_descriptor_is_an_error() {
    let file = tempfile::tempfile().expect("file");
    assert!(tcp_info(&file).is_err());
}

#[tokio::test]
async fn reset_reaches_the_peer_as_rst() {
    let (client, mut server) = pair().await;
    reset(client);
    let error = server.read(&mut [0; 1]).await.expect_err("not a FIN");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_refused_connect_fails_at_once() {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind").local_addr().expect("bound");
    let error = connect(free, &SocketOptions::SERVER, LIMIT).await.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_connect_ends_at_the_limit() {
    // A listener whose queue is full drops the handshake: the kernel then answers
    // nothing, as a vanished host does.
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("socket");
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("bind");
    listener.listen(0).expect("listen");
    let address = listener.local_addr().expect("bound").as_socket().expect("inet");
    let _filling = std::net::TcpStream::connect(address).expect("the queue holds one");
    let error = connect(address, &SocketOptions::SERVER, LIMIT).await.expect_err("the queue is full");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}
