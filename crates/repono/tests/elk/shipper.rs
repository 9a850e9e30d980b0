//! Debian's rsyslog with our configuration, paths and port substituted.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use repono_testkit::wait;
use serde_json::Value;

const PROGRAM: &str = "/usr/sbin/rsyslogd";
/// Its module for Elasticsearch is a package of its own.
const MODULE: &str = "/usr/share/doc/rsyslog-elasticsearch";
/// Polling, queues and tries again within, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A shipper, ended when dropped.
pub(crate) struct Shipper {
    config: PathBuf,
    spool: PathBuf,
    child: Child,
}

impl Shipper {
    pub(crate) fn start(dir: &Path, journals: &Path, elastic: SocketAddr) -> Option<Self> {
        if !Path::new(PROGRAM).exists() || !Path::new(MODULE).exists() {
            crate::skipped("rsyslog with rsyslog-elasticsearch");
            return None;
        }
        let spool = dir.join("spool");
        fs::create_dir_all(&spool).expect("a folder");
        let mut text =
            fs::read_to_string(crate::root().join("deploy/elk/rsyslog.conf")).expect("a configuration");
        for (from, to) in [
            ("/var/spool/repono-elk", spool.display().to_string()),
            ("/var/log/repono*/", format!("{}*/", journals.display())),
            ("serverport=\"9200\"", format!("serverport=\"{}\"", elastic.port())),
        ] {
            assert!(text.contains(from), "{from:?} stands no longer in the configuration");
            text = text.replace(from, &to);
        }
        let config = dir.join("rsyslog.conf");
        fs::write(&config, text).expect("written");
        let child = run(&config);
        Some(Self { config, spool, child })
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ended");
    }

    pub(crate) fn restart(&mut self) {
        self.child = run(&self.config);
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

impl Drop for Shipper {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(config: &Path) -> Child {
    Command::new(PROGRAM)
        .arg("-n")
        .arg("-f")
        .arg(config)
        // A killed one leaves its file behind, with the number of a process that may be
        // another's by now.
        .args(["-i", "NONE"])
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// Nothing, where the file is not yet, or no longer, there.
fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}
