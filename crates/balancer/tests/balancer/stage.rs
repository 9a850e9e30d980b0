//! A running balancer, heads that answer as they are told, clients and an operator.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use repono_balancer::config::HeadAddress;
use repono_balancer::{BalancerError, BoundAddresses, Config, ListenerFrom, Start, run_from};
use repono_net::listen::{self, BACKLOG};
use repono_net::proxy_v2::{Header, ProxyKey, Received, receive};
use repono_net::socket::{KEEPALIVE_S, SocketOptions, connect, reset};
use repono_net::tls::{self, PairFiles, ServerIdentity, TicketKey, TicketKeys};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::client;

/// Longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

const PROXY_KEY: [u8; 32] = [0xAB; 32];

/// What a client sends to make its head die without close_notify.
pub(crate) const DIE: &[u8] = b"die";

/// A head: TLS behind the PROXY header; it answers every piece of bytes with its name.
pub(crate) struct FakeHead {
    pub(crate) address: HeadAddress,
    /// Status of the health check.
    pub(crate) status: Arc<AtomicU16>,
    /// Accepts, and says nothing more: as a stopped process does.
    pub(crate) mute: Arc<AtomicBool>,
    /// Resets every client before its first byte, and passes every check.
    pub(crate) rude: Arc<AtomicBool>,
    /// How long it takes for each answer to a client, in milliseconds.
    pub(crate) delay_ms: Arc<AtomicU64>,
    /// The clients that were introduced.
    pub(crate) clients: mpsc::UnboundedReceiver<Header>,
    _task: JoinSet<()>,
}

impl FakeHead {
    async fn new(name: &str, tls: Arc<ServerConfig>) -> Self {
        // With the socket options of a real head: without TCP_NODELAY a handshake takes 40 ms.
        let listener = listen::bind((Ipv4Addr::LOCALHOST, 0).into(), BACKLOG).expect("bind");
        let listener = TcpListener::from_std(listener).expect("on this runtime");
        let address = listener.local_addr().expect("bound");
        let address = HeadAddress { name: name.to_owned(), address, weight: 1 };
        let (status, mute) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicBool::new(false)));
        let rude = Arc::new(AtomicBool::new(false));
        let delay_ms = Arc::new(AtomicU64::new(0));
        let (introduced, clients) = mpsc::unbounded_channel();
        let mut task = JoinSet::new();
        let (name, delay) = (name.to_owned(), Arc::clone(&delay_ms));
        let conditions = (Arc::clone(&status), Arc::clone(&mute), Arc::clone(&rude));
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("accept");
                let (status, mute, rude) = conditions.clone();
                let (delay_ms, introduced) = (Arc::clone(&delay), introduced.clone());
                let peer = Peer { name: name.clone(), status, mute, rude, delay_ms, introduced };
                connections.spawn(peer.serve(stream, Arc::clone(&tls)));
            }
        });
        Self { address, status, mute, rude, delay_ms, clients, _task: task }
    }
}

struct Peer {
    name: String,
    status: Arc<AtomicU16>,
    mute: Arc<AtomicBool>,
    rude: Arc<AtomicBool>,
    delay_ms: Arc<AtomicU64>,
    introduced: mpsc::UnboundedSender<Header>,
}

impl Peer {
    async fn serve(self, mut stream: TcpStream, tls: Arc<ServerConfig>) {
        let received = receive(&mut stream, &ProxyKey::new(&PROXY_KEY), LIMIT).await;
        if self.mute.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        let mut delay_ms = Arc::new(AtomicU64::new(0));
        let answer = match received.expect("the balancer's header") {
            Received::Local => {
                let body = "OK\nrequests-shed-by-age 7\nrequests-in-flight 3\nlimit idle-close-s 650\nlimit idle-advertised-s 55\n";
                let status = self.status.load(Ordering::SeqCst);
                format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            }
            Received::Client(_) if self.rude.load(Ordering::SeqCst) => {
                stream.readable().await.expect("the client's hello");
                return reset(stream);
            }
            Received::Client(header) => {
                let _ = self.introduced.send(header);
                delay_ms = self.delay_ms;
                self.name.clone()
            }
        };
        let Ok((mut stream, _)) = tls::accept(&tls, stream, LIMIT).await else { return };
        let mut bytes = [0; 1024];
        loop {
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(count) if bytes[..count] == *DIE => return,
                Ok(_) if self.mute.load(Ordering::SeqCst) => {}
                Ok(_) => {
                    tokio::time::sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst))).await;
                    // A client may have given up.
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        }
        let _ = stream.shutdown().await;
    }
}

/// Changes the configuration before the balancer starts.
pub(crate) type Change = fn(&mut Config);

pub(crate) struct Stage {
    pub(crate) heads: Vec<FakeHead>,
    pub(crate) bound: BoundAddresses,
    pub(crate) dir: TempDir,
    tls: Arc<ClientConfig>,
    config: Config,
    reloads: mpsc::Sender<Config>,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), BalancerError>>,
}

type Running = JoinHandle<Result<(), BalancerError>>;

/// Starts a balancer and waits until it is ready.
async fn started(
    config: Config,
    listener: ListenerFrom,
) -> (BoundAddresses, mpsc::Sender<Config>, oneshot::Sender<()>, Running) {
    let ((stop, stopped), (ready, is_ready)) = (oneshot::channel::<()>(), oneshot::channel());
    let (reloads, receiver) = mpsc::channel(1);
    let start = Start { listener, reloads: Some(receiver) };
    let ready = move |bound| ready.send(bound).expect("awaited");
    let running = tokio::spawn(run_from(config, start, ready, async move { _ = stopped.await }));
    (is_ready.await.expect("started"), reloads, stop, running)
}

impl Stage {
    /// A balancer with this many heads, all of them ready.
    pub(crate) async fn new(heads: usize, change: Change) -> Self {
        let dir = tempfile::tempdir().expect("dir");
        let (server, tls) = certificates(dir.path());
        let mut fakes = Vec::new();
        for number in 1..=heads {
            fakes.push(FakeHead::new(&format!("head-{number}"), Arc::clone(&server)).await);
        }
        let mut config = config(dir.path(), &fakes);
        change(&mut config);
        let (bound, reloads, stop, running) = started(config.clone(), ListenerFrom::Own).await;
        let stage = Self { heads: fakes, bound, dir, tls, config, reloads, stop: Some(stop), running };
        let configured = stage.config.heads.iter().map(|head| &head.name);
        for name in configured.filter(|name| stage.heads.iter().any(|head| head.address.name == **name)) {
            stage.wait_for(name, "ready").await;
        }
        stage
    }

    pub(crate) async fn tcp(&self) -> io::Result<TcpStream> {
        connect(self.bound.listen, &SocketOptions::CLIENT, LIMIT).await
    }

    pub(crate) async fn client(&self) -> Client {
        let stream = self.tcp().await.expect("connect");
        let address = stream.local_addr().expect("connected");
        let name = ServerName::try_from("localhost").expect("a name");
        let (stream, _) = tls::connect(&self.tls, name, stream, LIMIT).await.expect("handshake");
        Client { stream, address }
    }

    /// The names of the heads that `count` connections in a row are served by.
    pub(crate) async fn served_by(&self, count: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..count {
            names.push(self.client().await.ask().await);
        }
        names.sort();
        names.dedup();
        names
    }

    /// The operator's request; the status and the JSON of the answer.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> (u16, Value) {
        self.admin_with(method, path, "").await
    }

    /// The same with further header lines.
    pub(crate) async fn admin_with(&self, method: &str, path: &str, lines: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(&self.bound.admin_socket).await.expect("connect");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("write");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    pub(crate) async fn state(&self, name: &str) -> Value {
        let (_, list) = self.admin("GET", "/v1/heads").await;
        let heads = list.as_array().expect("a list");
        heads.iter().find(|head| head["name"] == name).expect("listed").clone()
    }

    /// Waits until the list has exactly these heads.
    pub(crate) async fn wait_until_listed(&self, names: &[&str]) {
        let listed = async {
            loop {
                let (_, list) = self.admin("GET", "/v1/heads").await;
                let heads = list.as_array().expect("a list");
                if heads.iter().map(|head| head["name"].as_str().expect("a name")).eq(names.iter().copied()) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, listed).await.expect("listed in time");
    }

    /// Waits until a head is in a state.
    pub(crate) async fn wait_for(&self, name: &str, state: &str) {
        let reached = async {
            while self.state(name).await["state"] != state {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(LIMIT, reached).await.expect("the state is reached");
    }

    /// Replaces the balancer by a successor, which takes over its listener; returns
    /// the old one, which drains.
    pub(crate) async fn succeed(&mut self) -> Running {
        let (bound, reloads, stop, running) = started(self.config.clone(), ListenerFrom::Predecessor).await;
        self.bound = bound;
        self.reloads = reloads;
        // Kept by the task that it was sent to: the old balancer is not told to stop.
        let old = self.stop.replace(stop).expect("runs");
        let running = std::mem::replace(&mut self.running, running);
        tokio::spawn(async move {
            let ended = running.await.expect("no panic");
            drop(old);
            ended
        })
    }

    /// Reloads the configuration with this change.
    pub(crate) async fn reload(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.reloads.send(self.config.clone()).await.expect("runs");
    }

    /// Gives the order to stop.
    pub(crate) fn stop(&mut self) {
        self.stop.take().expect("runs").send(()).expect("runs");
    }

    /// Waits for the end; returns the lines of the journal.
    pub(crate) async fn ended(self) -> Vec<Value> {
        self.running.await.expect("no panic").expect("no error");
        let text = std::fs::read_to_string(self.dir.path().join("journal/balancer.jsonl")).expect("written");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

pub(crate) struct Client {
    pub(crate) stream: client::TlsStream<TcpStream>,
    pub(crate) address: SocketAddr,
}

impl Client {
    /// One turn; the name of the head that answers.
    pub(crate) async fn ask(&mut self) -> String {
        self.stream.write_all(b"who?").await.expect("write");
        let mut name = [0; 6];
        self.stream.read_exact(&mut name).await.expect("an answer");
        String::from_utf8(name.to_vec()).expect("a name")
    }

    /// The bytes below TLS, once nothing is expected above it.
    pub(crate) fn into_tcp(self) -> TcpStream {
        self.stream.into_inner().0
    }
}

fn config(dir: &Path, heads: &[FakeHead]) -> Config {
    std::fs::write(dir.join("proxy.key"), "ab".repeat(32)).expect("write");
    Config {
        name: "balancer".to_owned(),
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        admin_socket: dir.join("admin.sock"),
        journal: dir.join("journal"),
        proxy_key_file: dir.join("proxy.key"),
        ca: dir.join("ca.pem"),
        server_name: "localhost".to_owned(),
        heads: heads.iter().map(|head| head.address.clone()).collect(),
        threads: 2,
        connections_max: 1_000,
        idle_ms: 900_000,
        keepalive_s: KEEPALIVE_S,
        age_max_s: None,
        log: None,
    }
}

fn certificates(dir: &Path) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("certificate");
    let (chain, key) = (dir.join("ca.pem"), dir.join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).expect("write");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("write");
    let identity = ServerIdentity::load(vec![PairFiles { chain, key }]).expect("pair");
    let tickets = TicketKeys::new(TicketKey::derive(&[1; 32]).expect("key"), Vec::new());
    let server = tls::server_config(identity, tickets, &[tls::ALPN_HTTP1]).expect("server");
    (server, tls::client_config(made.cert.pem().as_bytes()).expect("client"))
}
