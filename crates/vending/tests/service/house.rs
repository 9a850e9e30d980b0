//! A running service, and clients of its two interfaces.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rand::{SeedableRng, rngs::StdRng};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use repono_core::time::Timestamp;
use repono_net::{socket, tls};
use repono_store::store::{Store, StoreConfig};
use repono_ticket::MasterKey;
use repono_vending::first_run::{APPLICATION, FirstRun, Masters, initialise};
use repono_vending::{BoundAddresses, Config, VendingError, config, run};
use rustls_pki_types::ServerName;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

/// No step of a test takes longer on a machine that works.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Vending's master key, and the heads'.
pub(crate) const KEYS: [&str; 2] = [
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
];

/// A folder with everything that a service needs, before it runs.
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
        site.write("server.pem", &certificate.pem());
        site.write("server.key", &key.serialize_pem());
        for (name, key) in ["vending.key", "heads.key"].into_iter().zip(KEYS) {
            site.write(name, &format!("{key}\n"));
        }
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("its own");
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            name: "vending".to_owned(),
            listen: ([127, 0, 0, 1], 0).into(),
            admin_socket: self.path("admin.sock"),
            store: self.path("store"),
            journal: self.path("journal"),
            vending_master_key_file: self.path("vending.key"),
            heads_master_key_file: self.path("heads.key"),
            // One pair stands in for both: making an RSA key would take longer
            // than every test here.
            tls: repono_net::tls::TlsFiles {
                ecdsa_chain: self.path("server.pem"),
                ecdsa_key: self.path("server.key"),
                rsa_chain: self.path("server.pem"),
                rsa_key: self.path("server.key"),
            },
            swift_login: Some(config::SwiftLogin {
                application: APPLICATION.parse().expect("a name"),
                storage_url: "https://store.example.net".parse().expect("a URL"),
            }),
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(StoreConfig::new(self.path("store"))).expect("opened")
    }

    /// Runs the service on a thread of its own.
    pub(crate) fn start(&self, config: Config) -> Result<Running, VendingError> {
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, addresses) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(run(config, move |bound| ready.send(bound).expect("awaited"), async move {
                // A sender that is dropped stops it as well.
                let _ = stopped.await;
            }))
        });
        match addresses.recv() {
            Ok(bound) => Ok(Running { bound, stop, thread }),
            Err(mpsc::RecvError) => Err(thread.join().expect("no panic").expect_err("it ended")),
        }
    }
}

pub(crate) struct Running {
    pub(crate) bound: BoundAddresses,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), VendingError>>,
}

impl Running {
    /// Tells the service to end.
    pub(crate) fn stop(self) -> Ending {
        drop(self.stop);
        Ending(self.thread)
    }
}

/// A service that has been told to end.
pub(crate) struct Ending(JoinHandle<Result<(), VendingError>>);

impl Ending {
    /// Waits until it has.
    pub(crate) fn ended(self) -> Result<(), VendingError> {
        self.0.join().expect("no panic")
    }
}

/// A service over the store of a first run.
pub(crate) struct House {
    pub(crate) site: Site,
    pub(crate) running: Running,
    pub(crate) store: Store,
    pub(crate) first: FirstRun,
}

impl House {
    pub(crate) async fn new() -> Self {
        let site = Site::new();
        let store = site.store();
        let key = |text| MasterKey::from_hex(text).expect("a key");
        let [vending, heads] = KEYS.map(key);
        let masters = Masters { vending, heads };
        let mut random = StdRng::from_rng(&mut rand::rng());
        let first = initialise(&store, &masters, Timestamp::now(), &mut random).await.expect("filled");
        let running = site.start(site.config()).expect("started");
        Self { site, running, store, first: first.expect("made now") }
    }

    /// Ends the service and starts it otherwise configured.
    pub(crate) fn restart(&mut self, config: Config) {
        let running = self.site.start(config);
        let before = std::mem::replace(&mut self.running, running.expect("started"));
        before.stop().ended().expect("in order");
    }

    /// A new connection over TLS.
    pub(crate) async fn tls(&self) -> tokio_rustls::client::TlsStream<TcpStream> {
        let address = self.running.bound.https;
        let tcp = socket::connect(address, &socket::SocketOptions::CLIENT, LIMIT).await.expect("connected");
        let config = tls::client_config(self.site.ca_pem.as_bytes()).expect("configured");
        let name = ServerName::try_from("localhost").expect("a name");
        tls::connect(&config, name, tcp, LIMIT).await.expect("handshake").0
    }

    pub(crate) async fn client(&self) -> Client {
        Client::over(self.tls().await).await
    }

    pub(crate) async fn admin(&self) -> Client {
        Client::over(UnixStream::connect(&self.running.bound.admin).await.expect("connected")).await
    }

    /// The request of the user of the first run.
    pub(crate) fn login(&self) -> Value {
        json!({
            "user": format!("{}:{}", self.first.account, self.first.user),
            "secret": *self.first.user_secret,
            "application": self.first.application.as_str(),
            "application_secret": *self.first.application_secret,
        })
    }

    /// The same with some fields otherwise; null takes a field away.
    pub(crate) fn login_with(&self, changes: Value) -> Value {
        let mut login = self.login();
        let Value::Object(changes) = changes else { panic!("an object") };
        for (name, value) in changes {
            login[name] = value;
        }
        login.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        login
    }
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("read")
}

/// One connection of a client.
pub(crate) struct Client(SendRequest<Body>);

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        Self(sender)
    }

    pub(crate) async fn send(&mut self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        self.send_with(method, path, &[], body).await
    }

    pub(crate) async fn send_with(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        self.0.ready().await.expect("open");
        let response = self.0.send_request(request).await.expect("a reply");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("whole").to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, body.to_string()).await
    }

    pub(crate) async fn fetch(&mut self, path: &str) -> Reply {
        self.send("GET", path, Body::empty()).await
    }

    pub(crate) async fn ticket(&mut self, login: &Value) -> Reply {
        self.ask("POST", "/v1/tickets", login).await
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Asserts the status; answers the body.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts the status; answers the code of the error.
    pub(crate) fn refused(&self, status: u16) -> String {
        let error = self.expect(status);
        error["error"]["code"].as_str().expect("a code").to_owned()
    }
}
