//! A small HTTPS server whose every move a test decides.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
pub(super) struct Heard {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
    /// Which connection, from 0, and which request on it, from 0.
    pub(super) connection: usize,
    pub(super) nth: usize,
}

impl Heard {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }
}

/// What the server does with a request.
pub(super) enum Move {
    /// Answers.
    Reply(String, Vec<u8>),
    /// Answers, and closes with close_notify and FIN.
    ReplyAndClose(String, Vec<u8>),
    /// Closes without a word.
    Close,
    /// Never answers.
    Silence,
}

/// `Reply` with a status line, fields and a body, its length given.
pub(super) fn reply(status: &str, fields: &[(&str, &str)], body: &[u8]) -> Move {
    Move::Reply(head(status, fields, body.len()), body.to_vec())
}

pub(super) fn head(status: &str, fields: &[(&str, &str)], length: usize) -> String {
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head + "\r\n"
}

type Handler = dyn Fn(Heard) -> Move + Send + Sync;
/// Asked when a request announces `Expect: 100-continue`: whether to send `100`.
type Consent = dyn Fn(&Heard) -> bool + Send + Sync;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) ca_pem: String,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) open_max: Arc<AtomicUsize>,
    /// Connections whose client said close_notify before FIN.
    pub(super) polite_ends: Arc<AtomicUsize>,
}

struct Shared {
    handler: Box<Handler>,
    consent: Box<Consent>,
    open: AtomicUsize,
    open_max: Arc<AtomicUsize>,
    polite_ends: Arc<AtomicUsize>,
}

pub(super) async fn serve(handler: impl Fn(Heard) -> Move + Send + Sync + 'static) -> Server {
    serve_with(handler, |_| true).await
}

pub(super) async fn serve_with(
    handler: impl Fn(Heard) -> Move + Send + Sync + 'static,
    consent: impl Fn(&Heard) -> bool + Send + Sync + 'static,
) -> Server {
    let certified = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server {
        address: listener.local_addr().unwrap(),
        ca_pem: certified.cert.pem(),
        connections: Arc::default(),
        open_max: Arc::default(),
        polite_ends: Arc::default(),
    };
    let shared = Arc::new(Shared {
        handler: Box::new(handler),
        consent: Box::new(consent),
        open: AtomicUsize::new(0),
        open_max: Arc::clone(&server.open_max),
        polite_ends: Arc::clone(&server.polite_ends),
    });
    let (acceptor, count) = (TlsAcceptor::from(Arc::new(config)), Arc::clone(&server.connections));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(converse(acceptor.clone(), stream, Arc::clone(&shared), number));
        }
    });
    server
}

async fn converse(acceptor: TlsAcceptor, stream: TcpStream, shared: Arc<Shared>, number: usize) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
    shared.open_max.fetch_max(open, Ordering::SeqCst);
    let mut pending = Vec::new();
    for nth in 0.. {
        let Some(mut heard) = read_head(&mut stream, &mut pending, number, nth, &shared).await else { break };
        if heard.field("expect").is_some() && (shared.consent)(&heard) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
        }
        if heard.field("expect").is_none() || (shared.consent)(&heard) {
            heard.body = read_body(&mut stream, &mut pending, &heard).await;
        }
        match (shared.handler)(heard) {
            Move::Reply(head, body) => {
                if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
                    break;
                }
                stream.flush().await.unwrap();
            }
            Move::ReplyAndClose(head, body) => {
                let _peer_may_be_gone = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                let _as_well = stream.shutdown().await;
                break;
            }
            Move::Close => {
                let _peer_may_be_gone = stream.shutdown().await;
                break;
            }
            Move::Silence => std::future::pending().await,
        }
    }
    shared.open.fetch_sub(1, Ordering::SeqCst);
}

type Stream = tokio_rustls::server::TlsStream<TcpStream>;

/// More bytes, or `None` at the end of the connection.
async fn more(stream: &mut Stream, pending: &mut Vec<u8>, shared: Option<&Shared>) -> Option<()> {
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer).await {
        // Only after close_notify is the end no error.
        Ok(0) => {
            if let Some(shared) = shared {
                shared.polite_ends.fetch_add(1, Ordering::SeqCst);
            }
            None
        }
        Ok(read) => {
            pending.extend_from_slice(&buffer[..read]);
            Some(())
        }
        Err(_) => None,
    }
}

async fn read_head(
    stream: &mut Stream,
    pending: &mut Vec<u8>,
    connection: usize,
    nth: usize,
    shared: &Shared,
) -> Option<Heard> {
    let end = loop {
        if let Some(at) = pending.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, pending, Some(shared)).await?;
    };
    let text = String::from_utf8(pending.drain(..end).collect()).unwrap();
    let mut lines = text.lines();
    let mut start = lines.next().unwrap().split(' ');
    let (method, target) = (start.next().unwrap().to_owned(), start.next().unwrap().to_owned());
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Heard { method, target, fields, body: Vec::new(), connection, nth })
}

async fn read_body(stream: &mut Stream, pending: &mut Vec<u8>, heard: &Heard) -> Vec<u8> {
    if let Some(length) = heard.field("content-length") {
        let length: usize = length.parse().unwrap();
        while pending.len() < length && more(stream, pending, None).await.is_some() {}
        return pending.drain(..length.min(pending.len())).collect();
    }
    let mut body = Vec::new();
    while heard.field("transfer-encoding").is_some() {
        let line = loop {
            if let Some(at) = pending.windows(2).position(|w| w == b"\r\n") {
                break pending.drain(..at + 2).collect::<Vec<u8>>();
            }
            more(stream, pending, None).await.unwrap();
        };
        let size = usize::from_str_radix(str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        while pending.len() < size + 2 {
            more(stream, pending, None).await.unwrap();
        }
        body.extend(pending.drain(..size));
        pending.drain(..2);
        if size == 0 {
            break;
        }
    }
    body
}
