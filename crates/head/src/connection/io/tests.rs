use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use super::{Io, IoEnd};
use crate::limits::{READ_BYTES, SEND_STALL_MAX};

/// More than both kernel buffers hold.
const LARGE: usize = 64 << 20;

/// A connection on the loopback, after its handshake.
async fn connection() -> (client::TlsStream<TcpStream>, Io) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let connecting = TcpStream::connect(listener.local_addr().unwrap());
    let (connected, accepted) = tokio::join!(connecting, listener.accept());
    let name = ServerName::try_from("localhost").unwrap();
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, connected.unwrap());
    let accepting = TlsAcceptor::from(Arc::new(server)).accept(accepted.unwrap().0);
    let (client, server) = tokio::join!(connecting, accepting);
    (client.unwrap(), Io::new(Box::new(server.unwrap())))
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (client, mut io) = connection().await;
    let begun = Instant::now();
    let end = io.send(&vec![0; LARGE]).await;
    assert!(matches!(end, Err(IoEnd::Deadline)), "{end:?}");
    assert_eq!(begun.elapsed().as_secs(), SEND_STALL_MAX.as_secs());
    drop(client);
}

#[tokio::test]
async fn a_peer_that_reads_gets_everything() {
    let (mut client, mut io) = connection().await;
    let sending = async { io.send(&vec![7; LARGE]).await.unwrap() };
    let mut taken = vec![0; LARGE];
    let (_, read) = tokio::join!(sending, client.read_exact(&mut taken));
    read.unwrap();
    assert!(taken.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_connection_that_waits_holds_no_buffer() {
    let (mut client, mut io) = connection().await;
    let far = Instant::now() + SEND_STALL_MAX;
    for round in 0..3 {
        client.write_all(b"request").await.unwrap();
        client.flush().await.unwrap();
        assert!(io.release().is_some(), "round {round}");
        io.ready(far).await.unwrap();
        assert_eq!(io.input.capacity(), 0, "it waits without a buffer");
        assert_eq!(io.fill(READ_BYTES, far).await.unwrap(), 7);
        assert_eq!(io.buffered(), b"request");
        assert!(io.release().is_none(), "what was received is kept");
        io.consume(7);
    }
    client.shutdown().await.unwrap();
    assert!(matches!(io.ready(far).await, Err(IoEnd::Eof)));
}
