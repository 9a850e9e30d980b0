//! The monitor as its callers see it: over TLS on loopback, with a balancer's socket
//! that the test answers.

#![expect(clippy::expect_used, reason = "a test that cannot go on must end")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use repono_monitor::{BoundAddresses, Config, MonitorError, run};
use repono_net::tls;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// No step of a test takes longer on a machine that works.
const LIMIT: Duration = Duration::from_secs(30);

const HEADS: &str = r#"[
    {"name":"head-1","address":"127.0.0.1:1","state":"ready","weight":1,"connections":3,"only":false,"failing":null,"counters":{"requests-shed-by-age":9}},
    {"name":"head-2","address":"[::1]:2","state":"down","weight":1,"connections":0,"only":false,"failing":"tls","new":1}
]"#;

/// A folder with what a monitor needs.
struct Site {
    directory: TempDir,
    ca_pem: String,
}

impl Site {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &issuer).expect("signed");
        let site = Self { directory, ca_pem: issuer.pem() };
        fs::write(site.path("server.pem"), certificate.pem()).expect("written");
        fs::write(site.path("server.key"), key.serialize_pem()).expect("written");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn config(&self) -> Config {
        Config {
            name: "monitor-7".to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            balancer_admin_socket: self.path("balancer.sock"),
            // One pair stands in for both: making an RSA key would take longer than
            // every test here.
            tls: repono_net::tls::TlsFiles {
                ecdsa_chain: self.path("server.pem"),
                ecdsa_key: self.path("server.key"),
                rsa_chain: self.path("server.pem"),
                rsa_key: self.path("server.key"),
            },
        }
    }

    async fn start(&self) -> Monitor {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, bound) = oneshot::channel();
        let ended = tokio::spawn(run(self.config(), |bound| ready.send(bound).expect("awaited"), async {
            // A sender that is dropped stops it as well.
            let _ = stopped.await;
        }));
        let BoundAddresses { https } = bound.await.expect("it began");
        Monitor { https, ca_pem: self.ca_pem.clone(), stop, ended }
    }

    fn balancer(&self) -> Balancer {
        let path = self.path("balancer.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let routes = Router::new().route("/v1/heads", get(async || HEADS));
        Balancer { path, task: tokio::spawn(async move { axum::serve(listener, routes).await }) }
    }
}

struct Balancer {
    path: PathBuf,
    task: JoinHandle<std::io::Result<()>>,
}

impl Balancer {
    async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
        fs::remove_file(self.path).expect("removed");
    }
}

struct Monitor {
    https: SocketAddr,
    ca_pem: String,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), MonitorError>>,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Monitor {
    async fn connect(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.https).await.expect("connected");
        let config = tls::client_config(self.ca_pem.as_bytes()).expect("configured");
        let name = ServerName::try_from("localhost").expect("a name");
        let (stream, _) = tls::connect(&config, name, stream, LIMIT).await.expect("TLS");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        sender
    }

    async fn ask(&self, method: &str, path: &str) -> Reply {
        ask(&mut self.connect().await, method, path).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).await
    }

    /// Asks until the reply is as wanted.
    async fn until(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let asking = async {
            loop {
                let reply = self.get(path).await;
                if wanted(&reply) {
                    break reply;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, asking).await.expect("it came")
    }

    async fn end(self) {
        drop(self.stop);
        timeout(LIMIT, self.ended).await.expect("in time").expect("no panic").expect("in order");
    }
}

async fn ask(sender: &mut SendRequest<Body>, method: &str, path: &str) -> Reply {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let request = request.body(Body::empty()).expect("a request");
    let response = sender.send_request(request).await.expect("answered");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("whole").to_bytes();
    Reply { status: parts.status, headers: parts.headers, body }
}

fn samples(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

#[tokio::test]
async fn the_page_is_strict() {
    let site = Site::new();
    let monitor = site.start().await;
    let mut connection = monitor.connect().await;
    for (path, status, media) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/monitor.js", 200, "text/javascript; charset=utf-8"),
        ("/monitor.css", 200, "text/css; charset=utf-8"),
        ("/metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthcheck", 200, "text/plain; charset=utf-8"),
        ("/api/v1/heads", 503, "application/json"),
        ("/monitor.js/..", 404, "application/json"),
    ] {
        let reply = ask(&mut connection, "GET", path).await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (status, media), "{path}");
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.header("cross-origin-resource-policy"), "same-origin");
    }
    let refused = ask(&mut connection, "POST", "/metrics").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    assert_eq!(refused.json()["error"]["code"], "MethodNotAllowed");
    assert_eq!(ask(&mut connection, "GET", "/x").await.json()["error"]["code"], "NotFound");

    let page = ask(&mut connection, "GET", "/").await;
    // Inline script and style would be refused by the policy.
    assert!(!page.text().contains("style=") && !page.text().contains("onload"));
    let script = ask(&mut connection, "GET", "/monitor.js").await;
    for markup in ["innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("] {
        assert!(!script.text().contains(markup), "{markup}");
    }
    monitor.end().await;
}

#[tokio::test]
async fn what_the_balancer_says_is_shown() {
    let site = Site::new();
    let monitor = site.start().await;
    let never = monitor.get("/api/v1/heads").await;
    assert_eq!(never.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(never.json()["error"]["code"], "ServiceUnavailable");
    assert_eq!(samples(monitor.get("/metrics").await.text()), ["repono_lb_up 0"]);

    let _balancer = site.balancer();
    let heads = monitor.until("/api/v1/heads", |reply| reply.status == StatusCode::OK).await.json();
    assert!(heads["age_ms"].as_u64().is_some_and(|age| age < 5_000), "{heads}");
    assert_eq!(heads["freshness"], "fresh");
    assert_eq!(heads["monitor"], "monitor-7");
    assert_eq!(
        heads["heads"],
        json!([
            {"name": "head-1", "address": "127.0.0.1:1", "state": "ready", "weight": 1,
             "connections": 3, "only": false, "failing": null, "counters": {"requests-shed-by-age": 9}},
            {"name": "head-2", "address": "[::1]:2", "state": "down", "weight": 1,
             "connections": 0, "only": false, "failing": "tls", "counters": {}},
        ])
    );
    let metrics = monitor.get("/metrics").await;
    let samples = samples(metrics.text());
    assert_eq!(
        samples.get(..8),
        Some(
            &[
                r#"repono_head_up{head="head-1"} 1"#,
                r#"repono_head_up{head="head-2"} 0"#,
                r#"repono_head_state{head="head-1",state="ready"} 1"#,
                r#"repono_head_state{head="head-2",state="down"} 1"#,
                r#"repono_lb_connections{head="head-1"} 3"#,
                r#"repono_lb_connections{head="head-2"} 0"#,
                r#"repono_head_events_total{head="head-1",event="requests-shed-by-age"} 9"#,
                "repono_lb_up 1",
            ][..]
        )
    );
    monitor.end().await;
}

#[tokio::test]
async fn a_balancer_that_is_gone_takes_its_heads_down_after_5_s() {
    let site = Site::new();
    let monitor = site.start().await;
    let balancer = site.balancer();
    monitor.until("/api/v1/heads", |reply| reply.status == StatusCode::OK).await;
    balancer.stop().await;

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(6)).await;
    // Sockets are real: with the clock still stopped, every wait for one would be
    // taken for idleness and the clock set forward.
    tokio::time::resume();
    let stale = monitor.get("/api/v1/heads").await;
    assert_eq!(stale.status, StatusCode::OK);
    let stale = stale.json();
    assert!(stale["age_ms"].as_u64().is_some_and(|age| age >= 6_000), "{stale}");
    assert_eq!((&stale["freshness"], &stale["heads"][0]["name"]), (&json!("stale"), &json!("head-1")));
    let metrics = monitor.get("/metrics").await;
    let down = [r#"repono_head_up{head="head-1"} 0"#, r#"repono_head_up{head="head-2"} 0"#, "repono_lb_up 0"];
    assert_eq!(samples(metrics.text()).get(..3), Some(&down[..]));
    let age = metrics.text().lines().find_map(|line| line.strip_prefix("repono_lb_scrape_age_seconds "));
    assert!(age.is_some_and(|age| age.parse::<f64>().is_ok_and(|age| age >= 6.0)), "{age:?}");

    let _balancer = site.balancer();
    monitor.until("/metrics", |reply| reply.text().contains("repono_head_up{head=\"head-1\"} 1")).await;
    monitor.end().await;
}

#[tokio::test]
async fn the_end_is_orderly_and_does_not_wait_for_idle_connections() {
    let site = Site::new();
    let monitor = site.start().await;
    let mut idle = monitor.connect().await;
    assert_eq!(ask(&mut idle, "GET", "/healthcheck").await.text(), "OK\n");
    let _unused = monitor.connect().await;
    let address = monitor.https;
    monitor.end().await;
    assert!(idle.ready().await.is_err());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let site = Site::new();
    let attempt = async |config| run(config, |_| {}, std::future::ready(())).await;
    let mut config = site.config();
    config.tls.rsa_key = site.path("missing");
    assert!(matches!(attempt(config).await, Err(MonitorError::Tls(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let listen = taken.local_addr().expect("bound");
    let error = attempt(Config { listen, ..site.config() }).await.expect_err("taken");
    assert_eq!(error.to_string(), format!("cannot listen on {listen}"));
    assert!(matches!(error, MonitorError::Listen { .. }));
}

#[test]
fn the_configuration_is_closed() {
    let text = "listen = '127.0.0.1:0'\nbalancer_admin_socket = 'b'\n";
    let tls = "[tls]\necdsa_chain = 'a'\necdsa_key = 'a'\nrsa_chain = 'a'\nrsa_key = 'a'\n";
    let config: Config = toml::from_str(&format!("{text}{tls}")).expect("valid");
    assert_eq!(config.name, "monitor");
    assert!(toml::from_str::<Config>(&format!("{text}hosts = 1\n{tls}")).is_err());
    assert!(toml::from_str::<Config>(&format!("{text}{tls}ca = 'a'\n")).is_err());
}
