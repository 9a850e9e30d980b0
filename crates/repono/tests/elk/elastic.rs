//! Look-alikes of Elasticsearch.
//!
//! What they lack is theirs alone: neither has the API of lifecycle policies nor data streams
//! (a bulk `create` makes a plain index by the template), `osmem-server` refuses the setting
//! of a policy, as OpenSearch does, and `noida-db` has no percentiles.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repono_testkit::{port, wait};
use serde_json::{Value, json};

use crate::journals::{Key, Record, key};
use crate::page::Slots;

/// The values of `event.dataset`.
pub(crate) const DATASETS: [&str; 5] =
    ["repono.audit", "repono.change", "repono.connection", "repono.request", "repono.turn"];

/// More than the test writes; a search gives no more at once.
const HITS_MAX: usize = 10_000;
/// Half a minute on two busy cores: a shipper that was held up tries again every two seconds,
/// and `noida-db` takes some hundred records a second.
const LIMIT: Duration = Duration::from_secs(120);

/// Whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Noida,
    Osmem,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Noida, Self::Osmem];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Noida => "noida-db",
            Self::Osmem => "osmem-server",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Noida => "noida_db/noida-db",
            Self::Osmem => "osmem_server/bin/osmem-server",
        }
    }

    /// Its program, in the environment of Python packages.
    fn program(self) -> Option<PathBuf> {
        let versions = fs::read_dir(crate::root().join("target/python/lib")).into_iter().flatten().flatten();
        let mut programs = versions.map(|version| version.path().join("site-packages").join(self.file()));
        programs.find(|program| program.exists())
    }

    fn arguments(self, address: SocketAddr, dir: &Path) -> Vec<String> {
        let line = match self {
            Self::Noida => {
                let (port, dir) = (address.port(), dir.display());
                format!("start --only elasticsearch --elasticsearch-port {port} --data-dir {dir}")
            }
            Self::Osmem => format!("-addr {address} -no-stdin-watch -no-ja"),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}

/// A running one, ended when dropped.
pub(crate) struct Elastic {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Elastic {
    /// With the templates of `deploy/elk`.
    pub(crate) fn start(kind: Kind, dir: &Path) -> Option<Self> {
        let Some(program) = kind.program() else {
            crate::missing(kind.name());
            return None;
        };
        let address = port::free().expect("a free port");
        fs::create_dir_all(dir).expect("a folder");
        let child = Command::new(program)
            .args(kind.arguments(address, dir))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let elastic = Self { kind, address, child };
        wait::until("it answers", LIMIT, || TcpStream::connect(address).ok()).expect("it answers");
        elastic.put_templates();
        Some(elastic)
    }

    fn put_templates(&self) {
        let file = |name: &str| -> Value {
            let text = fs::read_to_string(crate::root().join("deploy/elk").join(name)).expect("a file");
            serde_json::from_str(&text).expect("JSON")
        };
        self.ok("PUT", "/_component_template/repono-mappings", &file("mappings.json"));
        let mut template = file("template.json");
        match self.kind {
            Kind::Noida => {
                self.ok("PUT", "/_component_template/repono-lifecycle", &file("lifecycle.json"));
            }
            Kind::Osmem => {
                template["composed_of"] = json!(["repono-mappings"]);
                template.as_object_mut().expect("an object").remove("data_stream");
            }
        }
        self.ok("PUT", "/_index_template/repono", &template);
    }

    /// Waits until there are so many records, and no more.
    pub(crate) fn wait_for(&self, count: usize) {
        let mut there = Value::Null;
        let all = wait::until("all records are there", LIMIT, || {
            there = self.ok("GET", "/logs-repono.*/_count", &Value::Null)["count"].clone();
            (there.as_u64() >= u64::try_from(count).ok()).then_some(())
        });
        all.unwrap_or_else(|error| panic!("{}: {error}: {there} of {count}", self.kind.name()));
        assert_eq!(there, count, "{}", self.kind.name());
    }

    /// What is there of a dataset.
    pub(crate) fn keys(&self, dataset: &str) -> Vec<Key> {
        let fields = ["service.node.name", "process.pid", "event.sequence", "repono.mono_ns.end"];
        let body =
            json!({"size": HITS_MAX, "_source": fields, "query": {"term": {"event.dataset": dataset}}});
        let found = self.ok("GET", &format!("/logs-{dataset}-default/_search"), &body);
        let hits = found["hits"]["hits"].as_array().expect("hits");
        hits.iter().map(|hit| key(&hit["_source"])).collect()
    }

    /// Every request that is there.
    pub(crate) fn requests(&self) -> Vec<Record> {
        let body = json!({"size": HITS_MAX, "query": {"term": {"event.dataset": "repono.request"}}});
        let found = self.ok("GET", "/logs-repono.request-default/_search", &body);
        let hits = found["hits"]["hits"].as_array().expect("hits");
        hits.iter().map(|hit| Record::of(&hit["_source"])).collect()
    }

    /// The 99th percentiles of requests that this side wrote, by time: the aggregation of
    /// `docs/elk.md`.
    pub(crate) fn p99s(&self, side: &str, interval: &str) -> Slots {
        let p99 = json!({"percentiles": {"field": "event.duration", "percents": [50, 95, 99]}});
        let time = json!({"field": "@timestamp", "fixed_interval": interval});
        let slots = json!({"slots": {"date_histogram": time, "aggs": {"duration": p99}}});
        let body = json!({"size": 0, "query": {"term": {"repono.side": side}}, "aggs": slots});
        let found = self.ok("GET", "/logs-repono.request-default/_search", &body);
        let slots = found["aggregations"]["slots"]["buckets"].as_array().expect("slots");
        let filled = slots.iter().filter(|slot| slot["doc_count"] != 0);
        filled
            .map(|slot| {
                let number = |name: &str| slot[name].as_u64().expect("a number");
                let p99 = slot["duration"]["values"]["99.0"].as_f64().expect("a number");
                (number("key") / 1000, (number("doc_count"), p99))
            })
            .collect()
    }

    /// What it answers to a request that must succeed.
    fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut curl = Command::new("curl")
            .args(["--silent", "--show-error", "--fail-with-body", "--request", method])
            .args(["--header", "Content-Type: application/json", "--data-binary", "@-"])
            .arg(format!("http://{}{path}", self.address))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl runs");
        let text = if body.is_null() { String::new() } else { body.to_string() };
        curl.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
        let output = curl.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {method} {path}: {said}", self.kind.name());
        serde_json::from_str(&said).expect("JSON")
    }
}

impl Drop for Elastic {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
