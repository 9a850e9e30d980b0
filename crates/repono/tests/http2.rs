//! HTTP/2: many requests on one connection, each as strict as in HTTP/1.1; a drain
//! that breaks none; and peers that flood, of which nobody else notices anything.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::ErrorKind::WouldBlock;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{Request, Response};
use repono_testkit::frames::{self, END_HEADERS, END_STREAM, block, frame, get, kind};
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::{Wire, address};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// ENHANCE_YOUR_CALM (RFC 9113 section 7).
const CALM: u32 = 0xb;

/// A client of HTTP/2, whose connection is driven by a task of its own.
struct Client {
    requests: SendRequest<Bytes>,
    ticket: Vec<(String, String)>,
    authority: String,
}

/// A reply and its whole body.
struct Reply {
    head: Response<()>,
    body: Vec<u8>,
}

impl Reply {
    fn status(&self) -> u16 {
        self.head.status().as_u16()
    }
}

impl Client {
    async fn connect(url: &str, ca: &Path, ticket: &[String]) -> Self {
        Self::with(url, ca, ticket, &Builder::new()).await
    }

    async fn with(url: &str, ca: &Path, ticket: &[String], settings: &Builder) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).expect("the CA") {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let address = address(url).expect("an address");
        let tcp = TcpStream::connect(address).await.expect("connected");
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tls = tls.connect(ServerName::from(address.ip()), tcp).await.expect("TLS");
        let (requests, connection) = settings.handshake(tls).await.expect("HTTP/2");
        tokio::spawn(async move { drop(connection.await) });
        let ticket = ticket
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { requests, ticket, authority: address.to_string() }
    }

    fn request(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Request<()> {
        let uri = format!("https://{}{path}", self.authority);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in &self.ticket {
            request = request.header(name, value);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    async fn send(&self, request: Request<()>, body: Option<&[u8]>) -> Result<Reply, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut sender) = requests.send_request(request, body.is_none())?;
        if let Some(body) = body {
            sender.send_data(Bytes::copy_from_slice(body), true)?;
        }
        let (head, mut coming) = response.await?.into_parts();
        let mut body = Vec::new();
        while let Some(data) = coming.data().await {
            let data = data?;
            coming.flow_control().release_capacity(data.len())?;
            body.extend_from_slice(&data);
        }
        Ok(Reply { head: Response::from_parts(head, ()), body })
    }

    async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.send(self.request(method, path, fields), None).await.expect("a reply")
    }

    async fn put(&self, path: &str, body: &[u8]) {
        let reply = self.send(self.request("PUT", path, &[]), Some(body)).await.expect("a reply");
        assert_eq!(reply.status(), 201);
    }
}

/// Bytes that differ at every place and for every seed.
fn content(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 31 + at / 251 + seed) % 256).unwrap_or_default()).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

fn system() -> (System, PathBuf, Vec<String>) {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let ca = PathBuf::from(system.fact("ca"));
    let ticket = system.ticket(&[]).expect("a ticket");
    (system, ca, ticket)
}

#[test]
fn many_requests_share_a_connection_through_the_balancer() {
    let (system, ca, ticket) = system();
    runtime().block_on(async {
        let client = Arc::new(Client::connect(system.balancer(), &ca, &ticket).await);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..48 {
            let client = Arc::clone(&client);
            tasks.spawn(async move {
                let path = format!("/v1/demo/files/h2/{number}");
                let body = content(number, if number % 3 == 0 { 700_001 } else { 1000 + number });
                client.put(&path, &body).await;
                let head = client.ask("HEAD", &path, &[]).await;
                assert_eq!((head.status(), head.body.len()), (200, 0));
                assert_eq!(head.head.headers()["content-length"], body.len().to_string());
                let whole = client.ask("GET", &path, &[]).await;
                assert_eq!(whole.status(), 200);
                assert!(whole.body == body, "{path}");
                let part = client.ask("GET", &path, &[("range", "bytes=5-99")]).await;
                assert_eq!((part.status(), part.body.as_slice()), (206, &body[5..=99]));
                assert_eq!(client.ask("DELETE", &path, &[]).await.status(), 204);
                assert_eq!(client.ask("GET", &path, &[]).await.status(), 404);
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a request");
        }
    });
}

/// Method, path, fields, and the status that they get.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], u16);

#[test]
fn a_request_is_read_as_strictly_as_in_the_other_version() {
    let (system, ca, ticket) = system();
    runtime().block_on(async {
        let client = Client::connect(system.heads()[0], &ca, &ticket).await;
        const PATH: &str = "/v1/demo/files/strict";
        client.put(PATH, b"body").await;
        let rows: [Row; 8] = [
            ("GET", PATH, &[("host", "elsewhere")], 400),
            ("GET", PATH, &[("x_auth_user", "demo:root")], 400),
            ("GET", PATH, &[("x-auth-user", "demo:demo")], 400),
            ("GET", PATH, &[("expect", "a-miracle")], 417),
            ("PATCH", PATH, &[], 405),
            ("GET", "/v1/demo/files/../../x", &[], 400),
            ("GET", "/v1/demo/files/none", &[], 404),
            ("GET", PATH, &[], 200),
        ];
        for (method, path, fields, status) in rows {
            let reply = client.ask(method, path, fields).await;
            assert_eq!(reply.status(), status, "{method} {path} {fields:?}");
            for name in ["connection", "keep-alive", "transfer-encoding"] {
                assert!(!reply.head.headers().contains_key(name), "{name} belongs to HTTP/1.1");
            }
        }
        let many: Vec<_> = (0..70).map(|n| (format!("x-{n}"), n.to_string())).collect();
        let many: Vec<_> = many.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(client.ask("GET", PATH, &many).await.status(), 431);

        let short = client.request("PUT", "/v1/demo/files/short", &[("content-length", "10")]);
        assert!(client.send(short, Some(b"12345")).await.is_err(), "five of ten bytes");
        let long = client.request("PUT", "/v1/demo/files/short", &[("content-length", "3")]);
        assert!(client.send(long, Some(b"12345")).await.is_err(), "five of three bytes");
        assert_eq!(client.ask("GET", "/v1/demo/files/short", &[]).await.status(), 404);

        assert!(!client.ask("GET", PATH, &[]).await.head.headers().contains_key("server-timing"));
        let timed = client.ask("GET", PATH, &[("x-server-timing", "1")]).await;
        let timing = timed.head.headers()["server-timing"].to_str().expect("text");
        for metric in ["authz;dur=", "store;dur=", "total;dur=", "conn;desc=\"r="] {
            assert!(timing.contains(metric), "{timing}");
        }
    });
}

/// A client that reads nothing of one reply does not stop another on the same
/// connection, and a drain lets it have the rest.
#[test]
fn a_stalled_stream_stops_no_other_and_survives_a_drain() {
    let (system, ca, ticket) = system();
    runtime().block_on(async {
        let mut settings = Builder::new();
        settings.initial_window_size(70_000).initial_connection_window_size(10_000_000);
        let client = Client::with(system.heads()[0], &ca, &ticket, &settings).await;
        let body = content(7, 3_000_000);
        client.put("/v1/demo/files/large", &body).await;
        client.put("/v1/demo/files/small", b"small").await;

        let request = client.request("GET", "/v1/demo/files/large", &[]);
        let (response, _) =
            client.requests.clone().ready().await.expect("ready").send_request(request, true).expect("sent");
        let mut stalled = response.await.expect("a reply").into_body();
        for _ in 0..20 {
            assert_eq!(client.ask("GET", "/v1/demo/files/small", &[]).await.body, b"small");
        }

        send(system.pid("head-1"), Signal::TERM).expect("a signal");
        let mut refused = client.requests.clone();
        tokio::time::timeout(Duration::from_secs(10), async {
            // GOAWAY: no new stream is taken.
            while let Ok(mut ready) = refused.clone().ready().await {
                let request = client.request("GET", "/v1/demo/files/small", &[]);
                let Ok((response, _)) = ready.send_request(request, true) else { break };
                if response.await.is_err() {
                    break;
                }
                refused = ready;
            }
        })
        .await
        .expect("the end is announced");
        let mut came = Vec::new();
        while let Some(data) = stalled.data().await {
            let data = data.expect("the rest of the reply");
            stalled.flow_control().release_capacity(data.len()).expect("released");
            came.extend_from_slice(&data);
        }
        assert!(came == body, "{} of {} bytes", came.len(), body.len());
    });
}

/// What a flood looks like: frames to send after the preface, again and again.
struct Flood {
    name: &'static str,
    /// What GOAWAY says; `None` where the connection may end without one.
    reason: Option<u32>,
    frames: fn(u32, &str) -> Vec<u8>,
}

const FLOODS: [Flood; 7] = [
    Flood { name: "PING", reason: Some(CALM), frames: |_, _| frame(kind::PING, 0, 0, &[0; 8]).repeat(100) },
    Flood {
        name: "SETTINGS",
        reason: Some(CALM),
        frames: |_, _| frame(kind::SETTINGS, 0, 0, &[]).repeat(100),
    },
    Flood {
        name: "Rapid Reset",
        reason: Some(CALM),
        frames: |turn, host| {
            let stream = turn * 2 + 1;
            [
                frame(kind::HEADERS, END_HEADERS | END_STREAM, stream, &get(host, "/info")),
                frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]),
            ]
            .concat()
        },
    },
    Flood {
        name: "MadeYouReset",
        reason: None,
        frames: |turn, host| {
            let stream = turn * 2 + 1;
            [
                frame(kind::HEADERS, END_HEADERS, stream, &get(host, "/info")),
                frame(kind::WINDOW_UPDATE, 0, stream, &[0; 4]),
            ]
            .concat()
        },
    },
    Flood {
        name: "CONTINUATION",
        reason: Some(CALM),
        frames: |turn, _| match turn {
            0 => frame(kind::HEADERS, 0, 1, &block(&[(":method", "GET")])),
            _ => frame(kind::CONTINUATION, 0, 1, &block(&[("x", "y")])).repeat(50),
        },
    },
    Flood {
        name: "empty DATA",
        reason: Some(CALM),
        frames: |turn, host| match turn {
            0 => frame(kind::HEADERS, END_HEADERS, 1, &get(host, "/info")),
            _ => frame(kind::DATA, 0, 1, &[]).repeat(100),
        },
    },
    Flood {
        name: "HPACK bomb",
        reason: None,
        frames: |turn, host| {
            // One long value is entered into the table, then named again and again.
            let mut fields = get(host, "/info");
            fields.extend_from_slice(&[0x40, 1, b'x', 0x7f, 0xa1, 0x1e]);
            fields.resize(fields.len() + 127 + 3873, b'v');
            fields.resize(fields.len() + 10_000, 0xbe);
            frame(kind::HEADERS, END_HEADERS | END_STREAM, turn * 2 + 1, &fields)
        },
    },
];

/// Sends a flood until the head ends the connection, at most so many times.
fn flood(url: &str, ca: &Path, flood: &Flood) -> Option<u32> {
    let mut wire = frames::connect(url, ca).expect("connected");
    let host = address(url).expect("an address").to_string();
    let mut reason = None;
    for turn in 0..10_000 {
        if wire.send(&(flood.frames)(turn, &host)).is_err() {
            break;
        }
    }
    // A reset may take the GOAWAY along; that it ended is what counts then.
    loop {
        match frames::next(&mut wire) {
            Ok(Some(frame)) if frame.kind == kind::GOAWAY => {
                reason = frame.payload.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(error) => {
                let silent = error.downcast_ref().is_some_and(|e: &std::io::Error| e.kind() == WouldBlock);
                assert!(!silent, "{}: the connection was left open", flood.name);
                break;
            }
        }
    }
    reason
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn floods_are_ended_and_nobody_else_notices() {
    let (system, ca, ticket) = system();
    let url = system.heads()[0];
    let ticket = ticket.join("\r\n");
    let ask = || {
        let mut wire = Wire::connect(url, &ca).expect("connected");
        let request = format!("GET /v1/demo/files/o HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
        wire.send(request.as_bytes()).expect("sent");
        wire.response("GET").expect("a response").status
    };
    assert_eq!(ask(), 404);
    let before = resident_kib(system.pid("head-1"));
    for attack in &FLOODS {
        let other = std::thread::scope(|scope| {
            let flooding = scope.spawn(|| flood(url, &ca, attack));
            let mut answered = 0;
            while !flooding.is_finished() || answered == 0 {
                assert_eq!(ask(), 404, "{}", attack.name);
                answered += 1;
            }
            let told = flooding.join().expect("a flood");
            assert!(attack.reason.is_none() || told == attack.reason, "{}: {told:?}", attack.name);
            answered
        });
        assert!(other > 0);
    }
    let grown = resident_kib(system.pid("head-1")).saturating_sub(before);
    assert!(grown < 10 * 1024, "{grown} KiB more");
}

/// A head of a request that does not come to its end is ended by its clock.
#[test]
fn an_unfinished_header_block_is_given_up() {
    let (system, ca, _) = system();
    let mut wire = frames::connect(system.heads()[0], &ca).expect("connected");
    wire.send(&frame(kind::HEADERS, 0, 1, &block(&[(":method", "GET")]))).expect("sent");
    let ended =
        wait::until("the connection is ended", Duration::from_secs(20), || match frames::next(&mut wire) {
            Ok(Some(frame)) if frame.kind == kind::GOAWAY => Some(frame.payload),
            Ok(Some(_)) => None,
            Ok(None) | Err(_) => Some(Vec::new()),
        });
    assert_eq!(ended.expect("an end").get(4..8), Some(&CALM.to_be_bytes()[..]));
}
