//! A monitor, what it needs, and a caller of it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use repono_monitor::{BoundAddresses, Config, MonitorError, offer, run};
use repono_net::tls;
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixListener};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// No step of a test takes longer on a machine that works.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

const HEADS: &str = r#"[
    {"name":"head-1","address":"127.0.0.1:1","state":"ready","weight":1,"connections":3,"only":false,"failing":null,"counters":{"requests-shed-by-age":9},"limits":{"idle_close_s":650,"idle_advertised_s":55}},
    {"name":"head-2","address":"[::1]:2","state":"down","weight":1,"connections":0,"only":false,"failing":"tls","new":1}
]"#;

/// What a balancer answers to `GET /v1/connections`.
const CONNECTIONS: &str = r#"{"idle_limit_ms":900000,"age_bounds_s":[60],"idle_bounds_s":[60],"counts":[[1,0],[0,2]],"total":3,
    "sample":[{"id":"0505","client":"127.0.0.1:7","head":"head-1","age_ms":70000,"idle_ms":65000}]}"#;

/// A folder with what a monitor needs.
pub(crate) struct Site {
    directory: TempDir,
    ca_pem: String,
}

impl Site {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            name: "monitor-7".to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            balancer_admin_socket: self.path("balancer.sock"),
            journals: Vec::new(),
            state_dir: None,
            vending: None,
            ca: None,
            one_time_link: Some(self.path("link.json")),
            otlp: None,
            path: None,
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

    /// Starts a monitor and logs in.
    pub(crate) async fn start(&self) -> Monitor {
        self.start_with(self.config()).await
    }

    pub(crate) async fn start_with(&self, config: Config) -> Monitor {
        let mut monitor = self.start_alone(config).await;
        let reply = monitor.get(&monitor.link).await;
        assert_eq!(reply.status, StatusCode::SEE_OTHER);
        let cookie = reply.header("set-cookie").split(';').next().expect("a cookie");
        monitor.cookie = cookie.to_owned();
        monitor
    }

    /// Starts a monitor; nobody is logged in.
    pub(crate) async fn start_alone(&self, config: Config) -> Monitor {
        let now_ms = repono_journal::Stamp::now().wall_ns / 1_000_000;
        let offer = offer(&[7; 32], "demo:demo", now_ms).expect("an offer");
        if let Some(link) = &config.one_time_link {
            fs::write(link, &offer.file).expect("written");
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, bound) = oneshot::channel();
        let ended = tokio::spawn(run(config, |bound| ready.send(bound).expect("awaited"), async {
            // A sender that is dropped stops it as well.
            let _ = stopped.await;
        }));
        let BoundAddresses { https } = bound.await.expect("it began");
        let link = format!("/login?once={}", *offer.secret);
        Monitor { https, ca_pem: self.ca_pem.clone(), link, cookie: String::new(), stop, ended }
    }

    pub(crate) fn balancer(&self) -> Balancer {
        let path = self.path("balancer.sock");
        let listener = UnixListener::bind(&path).expect("bound");
        let order = async |headers: HeaderMap, Path((name, order)): Path<(String, String)>| {
            let person = headers.get("repono-on-behalf-of").and_then(|person| person.to_str().ok());
            match (person, name.as_str()) {
                (Some("demo:demo"), "head-1" | "only") => (StatusCode::OK, HEADS.to_owned()),
                (Some("demo:demo"), _) => {
                    let error = json!({"code": "UnknownHead", "message": "no such head", "hint": order});
                    (StatusCode::NOT_FOUND, json!({"error": error}).to_string())
                }
                (Some(_) | None, _) => (StatusCode::FORBIDDEN, String::new()),
            }
        };
        let routes = Router::new()
            .route("/v1/heads", get(async || HEADS))
            .route("/v1/connections", get(async || CONNECTIONS))
            .route("/v1/heads/{name}/{*order}", post(order));
        Balancer { path, task: tokio::spawn(async move { axum::serve(listener, routes).await }) }
    }
}

pub(crate) struct Balancer {
    path: PathBuf,
    task: JoinHandle<std::io::Result<()>>,
}

impl Balancer {
    pub(crate) async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()));
        fs::remove_file(self.path).expect("removed");
    }
}

pub(crate) struct Monitor {
    pub(crate) https: SocketAddr,
    ca_pem: String,
    /// The path of the one-time link.
    pub(crate) link: String,
    cookie: String,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), MonitorError>>,
}

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Monitor {
    pub(crate) async fn connect(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.https).await.expect("connected");
        let config = tls::client_config(self.ca_pem.as_bytes()).expect("configured");
        let name = ServerName::try_from("localhost").expect("a name");
        let (stream, _) = tls::connect(&config, name, stream, LIMIT).await.expect("TLS");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        sender
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Reply {
        self.over(&mut self.connect().await, method, path).await
    }

    /// The same on a connection that is there.
    pub(crate) async fn over(&self, sender: &mut SendRequest<Body>, method: &str, path: &str) -> Reply {
        self.send(sender, method, path, &[("cookie", &self.cookie)], "").await
    }

    /// A request with these fields alone.
    pub(crate) async fn send(
        &self,
        sender: &mut SendRequest<Body>,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = sender.send_request(request).await.expect("answered");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// The session's cookie, as it is sent.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).await
    }

    /// Asks until the reply is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
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

    pub(crate) async fn end(self) {
        drop(self.stop);
        timeout(LIMIT, self.ended).await.expect("in time").expect("no panic").expect("in order");
    }
}
