//! Stock clients, their defaults untouched: most are a process, a URL in, a line about
//! the reply out; see `testing/clients/stock.py`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use repono_testkit::system::System;
use repono_testkit::wire::Wire;
use reqwest::Certificate;
use tokio::runtime::Runtime;

/// What the clients fetch: some TLS records, and no single packet.
const OBJECT_BYTES: usize = 50_000;

/// An object and a link to it.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) url: String,
    pub(crate) digest: String,
    pub(crate) content: Vec<u8>,
}

impl Object {
    /// Stores it and gives a link to it, at the system's balancer. The content also lies
    /// in the file `object` of the system's directory.
    pub(crate) fn put(system: &System) -> Self {
        let content: Vec<u8> = (0..OBJECT_BYTES).map(|n| (n * n % 251) as u8).collect();
        let file = system.path("object");
        fs::write(&file, &content).expect("written");
        system.ok(&["put", &file.display().to_string(), "demo/files/object"]).expect("put");
        let sum = Command::new("sha256sum").arg(&file).output().expect("sha256sum runs").stdout;
        let digest = String::from_utf8(sum).expect("text").split(' ').next().expect("a digest").to_owned();
        let mut wire = Wire::connect(system.balancer(), system.fact("ca").as_ref()).expect("connected");
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        let request = format!("HEAD /v1/demo/files/object HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
        wire.send(request.as_bytes()).expect("sent");
        let reply = wire.response("HEAD").expect("a reply");
        let uri = reply.header("x-preauth-uri").expect("a link");
        Self { url: format!("{}{uri}", system.balancer()), digest, content }
    }

    /// The same, asked for at another address.
    pub(crate) fn at(&self, origin: &str) -> Self {
        let path = self.url.splitn(4, '/').nth(3).expect("a path");
        Self { url: format!("{origin}/{path}"), ..self.clone() }
    }
}

/// One request, as its client tells it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// From before it was asked for until it was told of, if the client tells of each.
    pub(crate) span: Option<(Instant, Instant)>,
    pub(crate) took: Duration,
    /// The head's name for the connection, where the client tells it.
    pub(crate) connection: String,
    /// What went wrong, if something did.
    pub(crate) failure: Option<String>,
}

/// A client that is asked line by line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    from: From,
}

#[derive(Clone, Copy, Debug)]
enum From {
    /// A program, a source beside it and arguments; then the file of authorities.
    Source(&'static str, &'static [&'static str]),
    /// Built by Go, told of the authorities by its environment.
    Go,
    /// Built for Mono; it has a store of authorities and knows servers by name.
    Mono(&'static str),
    /// A library, within this process.
    Reqwest,
}

const fn kind(name: &'static str, from: From) -> Kind {
    Kind { name, from }
}

pub(crate) const CLIENTS: [Kind; 15] = [
    kind("requests", From::Source("python", &["stock.py", "requests"])),
    kind("urllib3", From::Source("python", &["stock.py", "urllib3"])),
    kind("httpx", From::Source("python", &["stock.py", "httpx"])),
    kind("aiohttp", From::Source("python", &["stock.py", "aiohttp"])),
    kind("botocore", From::Source("python", &["stock.py", "botocore"])),
    kind("Node global agent", From::Source("node", &["stock.mjs", "global"])),
    kind("Node Agent keepAlive", From::Source("node", &["stock.mjs", "keepalive"])),
    kind("Node fetch", From::Source("node", &["stock.mjs", "fetch"])),
    kind("Java HttpClient", From::Source("java", &["Stock.java", "HttpClient"])),
    kind("Java HttpURLConnection", From::Source("java", &["Stock.java", "HttpURLConnection"])),
    kind("Perl LWP", From::Source("perl", &["stock.pl"])),
    kind("Go net/http", From::Go),
    kind("Mono HttpWebRequest", From::Mono("HttpWebRequest")),
    kind("Mono HttpClient", From::Mono("HttpClient")),
    kind("reqwest", From::Reqwest),
];

/// Who has told nothing for so long waits for ever, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is then said to have gone wrong; the client is not to be asked again.
pub(crate) const HUNG: &str = "no end of the request";

/// A client at work.
pub(crate) enum Client {
    Process { child: Child, asks: ChildStdin, tells: Receiver<String>, by_name: bool },
    Reqwest { runtime: Runtime, client: reqwest::Client },
}

impl Client {
    pub(crate) fn start(system: &System, kind: Kind) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let sources = root.join("testing/clients");
        let (mut command, by_name) = match kind.from {
            From::Reqwest => return Self::reqwest(system),
            From::Source(program, arguments) => {
                let program = match program {
                    "python" => root.join("target/python/bin/python"),
                    other => PathBuf::from(other),
                };
                let mut command = Command::new(program);
                command.arg(sources.join(arguments[0])).args(&arguments[1..]).arg(system.fact("ca"));
                (command, false)
            }
            From::Go => (Command::new(built(system, "go", &sources)), false),
            From::Mono(client) => {
                let mut command = at_home(system, "mono");
                command.arg(built(system, "mono", &sources)).arg(client);
                (command, true)
            }
        };
        let ca = system.fact("ca");
        let mut child = command
            .envs([("NODE_EXTRA_CA_CERTS", ca), ("SSL_CERT_FILE", ca), ("NO_PROXY", "*")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask needs`", kind.name));
        let asks = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (teller, tells) = mpsc::sync_channel(1);
        // It ends when the client does.
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| teller.send(line)));
        Self::Process { child, asks, tells, by_name }
    }

    fn reqwest(system: &System) -> Self {
        let pem = fs::read(system.fact("ca")).expect("there");
        let runtime = Runtime::new().expect("threads");
        let mut client = reqwest::Client::builder();
        for certificate in Certificate::from_pem_bundle(&pem).expect("certificates") {
            client = client.add_root_certificate(certificate);
        }
        Self::Reqwest { runtime, client: client.build().expect("a client") }
    }

    /// One GET, and what the client makes of it.
    pub(crate) fn ask(&mut self, object: &Object) -> Request {
        let url = &object.url;
        let sent = Instant::now();
        let (took, connection, failure) = match self {
            Self::Process { asks, tells, by_name, .. } => {
                let url = if *by_name { url.replace("127.0.0.1", "localhost") } else { url.clone() };
                writeln!(asks, "{url}").expect("the client reads");
                match tells.recv_timeout(PATIENCE) {
                    Ok(line) => told(&line, object),
                    Err(_) => (sent.elapsed(), "-".to_owned(), Some(HUNG.to_owned())),
                }
            }
            Self::Reqwest { runtime, client } => {
                let fetched = runtime.block_on(async {
                    let reply = client.get(url).send().await?;
                    let named = reply.headers().get("x-repono-connection");
                    let connection = named.and_then(|id| id.to_str().ok()).unwrap_or("-").to_owned();
                    Ok((reply.status(), connection, reply.bytes().await?))
                });
                let fetched: Result<_, reqwest::Error> = fetched;
                let (connection, failure) = match fetched {
                    Ok((status, id, bytes)) if status == 200 && bytes == object.content => (id, None),
                    Ok((status, id, bytes)) => (id, Some(format!("{status}, {} bytes", bytes.len()))),
                    Err(error) => ("-".to_owned(), Some(format!("{error:?}"))),
                };
                (sent.elapsed(), connection, failure)
            }
        };
        Request { span: Some((sent, Instant::now())), took, connection, failure }
    }
}

/// What a line says: milliseconds, status, bytes, SHA-256, connection, error.
fn told(line: &str, object: &Object) -> (Duration, String, Option<String>) {
    let fields: Vec<&str> = line.split('\t').collect();
    let [took, status, bytes, digest, connection, error] = fields[..] else {
        panic!("a line of six fields, not {line:?}")
    };
    let length = object.content.len().to_string();
    let whole = status == "200" && error == "-" && bytes == length && digest == object.digest;
    let took = Duration::from_millis(took.parse().expect("milliseconds"));
    (took, connection.to_owned(), (!whole).then(|| line.to_owned()))
}

/// A program of its language's compiler, built once for each system.
fn built(system: &System, language: &str, sources: &Path) -> PathBuf {
    let program = system.path(&format!("stock-{language}.exe"));
    let _one_at_a_time = BUILDING.lock().expect("no panic");
    if !program.exists() {
        let mut compiler = match language {
            "go" => Command::new("go"),
            _ => Command::new("mcs"),
        };
        match language {
            // Go wants a place for what it compiles, which a service without a home has not.
            "go" => compiler
                .env("GOCACHE", sources.join("../../target/go"))
                .args(["build", "-o"])
                .arg(&program)
                .arg(sources.join("stock.go")),
            _ => compiler
                .args(["-r:System.Net.Http", &format!("-out:{}", program.display())])
                .arg(sources.join("Stock.cs")),
        };
        let done =
            compiler.status().unwrap_or_else(|error| panic!("{language}: {error}; run `cargo xtask needs`"));
        assert!(done.success(), "{language} builds");
        if language == "mono" {
            let trusted =
                at_home(system, "cert-sync").args(["--user", "--quiet", system.fact("ca")]).status();
            assert!(trusted.expect("cert-sync runs; see `cargo xtask needs`").success());
        }
    }
    program
}

static BUILDING: Mutex<()> = Mutex::new(());

/// With a home of its own, where Mono keeps whom it trusts.
fn at_home(system: &System, program: &str) -> Command {
    let home = system.path("mono");
    let mut command = Command::new(program);
    command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config"));
    command
}

impl Drop for Client {
    fn drop(&mut self) {
        match self {
            Self::Process { child, .. } => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Reqwest { .. } => {}
        }
    }
}
