//! Debian's rsyslog with our configuration, paths and port substituted.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use repono_testkit::rsyslog::Rsyslog;
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;

/// Its module for Elasticsearch is a package of its own.
const PACKAGE: &str = "rsyslog-elasticsearch";
/// Polling, queues and tries again within, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A shipper, ended when dropped.
pub(crate) struct Shipper {
    spool: PathBuf,
    rsyslog: Rsyslog,
}

impl Shipper {
    pub(crate) fn start(dir: &Path, journals: &Path, elastic: SocketAddr) -> Option<Self> {
        if !Rsyslog::is_here(PACKAGE) {
            crate::missing("rsyslog with rsyslog-elasticsearch");
            return None;
        }
        let spool = dir.join("spool");
        fs::create_dir_all(&spool).expect("a folder");
        let changes = [
            ("/var/spool/repono-elk", spool.display().to_string()),
            ("/var/log/repono*/", format!("{}*/", journals.display())),
            ("serverport=\"9200\"", format!("serverport=\"{}\"", elastic.port())),
        ];
        let (from, to) = (crate::root().join("deploy/elk/rsyslog.conf"), dir.join("rsyslog.conf"));
        let rsyslog = Rsyslog::start(&from, &to, &changes).expect("it starts");
        Some(Self { spool, rsyslog })
    }

    pub(crate) fn stop(&mut self, signal: Signal) {
        self.rsyslog.stop(signal).expect("it ends");
    }

    pub(crate) fn restart(&mut self) {
        self.rsyslog.restart().expect("it starts");
    }

    /// How far it has read each file, by the names of the files in which it keeps that.
    pub(crate) fn places(&self) -> BTreeMap<String, Value> {
        let files = fs::read_dir(&self.spool).expect("a folder").map(|file| file.expect("a file"));
        let named = files.map(|file| (file.file_name().to_string_lossy().into_owned(), file.path()));
        let states = named.filter(|(name, _)| name.starts_with("imfile-state:"));
        states.map(|(name, path)| (name, serde_json::from_slice(&read(&path)).expect("JSON"))).collect()
    }

    /// Waits until a record that holds this text is in the queue on disk.
    pub(crate) fn wait_until_queued(&self, text: &str) {
        wait::until("the record is queued", LIMIT, || {
            let queue = fs::read_dir(&self.spool).expect("a folder").flatten();
            let mut files = queue.filter(|file| file.file_name().to_string_lossy().starts_with("repono.0"));
            files.any(|file| String::from_utf8_lossy(&read(&file.path())).contains(text)).then_some(())
        })
        .expect("queued");
    }

    /// What Elasticsearch refused, as the shipper keeps it.
    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        let text = read(&self.spool.join("dead-letters.jsonl"));
        let text = String::from_utf8(text).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    pub(crate) fn wait_for_dead_letters(&self, count: usize) -> Vec<Value> {
        wait::until("what is refused is kept", LIMIT, || {
            let kept = self.dead_letters();
            (kept.len() >= count).then_some(kept)
        })
        .expect("kept")
    }

    /// Whether a whole request was refused, or its answer not understood.
    pub(crate) fn has_refused_requests(&self) -> bool {
        ["refused-requests.jsonl", "failed.jsonl"].iter().any(|name| self.spool.join(name).exists())
    }
}

/// Nothing, where the file is not yet, or no longer, there.
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}
