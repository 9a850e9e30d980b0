//! One stock client as a process: a URL in, a line about the reply out.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use repono_testkit::system::System;

/// What the clients fetch.
pub(crate) struct Object {
    pub(crate) url: String,
    pub(crate) digest: String,
    pub(crate) content: Vec<u8>,
}

/// One request, as its client tells it.
#[derive(Debug)]
pub(crate) struct Request {
    /// When, if the client tells.
    pub(crate) sent: Option<Instant>,
    pub(crate) took: Duration,
    /// The head's name for the connection, where the client tells it.
    pub(crate) connection: String,
    /// What went wrong, if something did.
    pub(crate) failure: Option<String>,
}

/// The clients that are asked line by line: name, program and arguments before the CA.
pub(crate) const CLIENTS: [(&str, &str, &[&str]); 11] = [
    ("requests", "python", &["stock.py", "requests"]),
    ("urllib3", "python", &["stock.py", "urllib3"]),
    ("httpx", "python", &["stock.py", "httpx"]),
    ("aiohttp", "python", &["stock.py", "aiohttp"]),
    ("botocore", "python", &["stock.py", "botocore"]),
    ("Node global agent", "node", &["stock.mjs", "global"]),
    ("Node Agent keepAlive", "node", &["stock.mjs", "keepalive"]),
    ("Node fetch", "node", &["stock.mjs", "fetch"]),
    ("Java HttpClient", "java", &["Stock.java", "HttpClient"]),
    ("Java HttpURLConnection", "java", &["Stock.java", "HttpURLConnection"]),
    ("Perl LWP", "perl", &["stock.pl"]),
];

/// A running client.
pub(crate) struct Client {
    child: Child,
    asks: ChildStdin,
    tells: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(system: &System, (name, program, arguments): (&str, &str, &[&str])) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = match program {
            "python" => root.join("target/python/bin/python"),
            other => PathBuf::from(other),
        };
        let ca = system.fact("ca");
        let mut child = Command::new(program)
            .arg(root.join("testing/clients").join(arguments[0]))
            .args(&arguments[1..])
            .arg(ca)
            .env("NODE_EXTRA_CA_CERTS", ca)
            .env("NO_PROXY", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}; run `cargo xtask needs`"));
        let asks = child.stdin.take().expect("piped");
        let tells = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, asks, tells }
    }

    pub(crate) fn ask(&mut self, object: &Object) -> Request {
        let sent = Instant::now();
        writeln!(self.asks, "{}", object.url).expect("the client reads");
        let mut line = String::new();
        self.tells.read_line(&mut line).expect("text");
        let fields: Vec<&str> = line.trim_end().split('\t').collect();
        let [took, status, bytes, digest, connection, error] = fields[..] else {
            panic!("a line of six fields, not {line:?}")
        };
        let whole = status == "200"
            && error == "-"
            && bytes == object.content.len().to_string()
            && digest == object.digest;
        let took = Duration::from_millis(took.parse().expect("milliseconds"));
        let connection = connection.to_owned();
        Request { sent: Some(sent), took, connection, failure: (!whole).then_some(line) }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// So many requests by one curl with one pool, at most `per_minute`.
///
/// curl reads its whole list before it begins, so it is not asked line by line, and
/// when a request was sent is not known.
pub(crate) fn curl(system: &System, object: &Object, requests: usize, per_minute: usize) -> Vec<Request> {
    let copy = |n: usize| system.path(&format!("curl-{n}"));
    let line = |n| format!("url = \"{}\"\noutput = \"{}\"\n", object.url, copy(n).display());
    let list = system.path("curl.list");
    fs::write(&list, (0..requests).map(line).collect::<String>()).expect("written");
    let output = Command::new("curl")
        .args(["--silent", "--rate", &format!("{per_minute}/m"), "--noproxy", "*"])
        .args(["--write-out", "%{time_total}\t%{http_code}\t%{exitcode} %{errormsg}\n"])
        .args([OsString::from("--cacert"), system.fact("ca").into(), "--config".into(), list.into()])
        .output()
        .expect("curl runs; see `cargo xtask needs`");
    let said = String::from_utf8(output.stdout).expect("text");
    let told = |(n, line): (usize, &str)| {
        let (seconds, rest) = line.split_once('\t').expect("fields");
        let same = fs::read(copy(n)).is_ok_and(|bytes| bytes == object.content);
        let whole = same && rest.starts_with("200\t0 ");
        let took = Duration::from_secs_f64(seconds.parse().expect("seconds"));
        Request { sent: None, took, connection: String::new(), failure: (!whole).then(|| rest.to_owned()) }
    };
    let all: Vec<Request> = said.lines().enumerate().map(told).collect();
    assert_eq!(all.len(), requests, "curl: {}: {said}", String::from_utf8_lossy(&output.stderr));
    all
}
