//! Heads of which something really stands still: a thread that opens a blob, the
//! journal's thread in a write, the disk. Each is a FIFO in the place of a file, which
//! holds up whoever opens it, or fills it, until somebody takes the other end.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use repono_testkit::wait;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::peers::healthcheck;
use crate::stand::{Head, LIMIT, Setting, Stand};

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
}

/// Puts a FIFO into the place of a file, and the file back when it is dropped.
struct Blocked {
    path: PathBuf,
    kept: PathBuf,
}

impl Blocked {
    fn new(path: PathBuf) -> Self {
        let kept = path.with_extension("kept");
        fs::rename(&path, &kept).expect("moved away");
        fifo(&path);
        Self { path, kept }
    }

    /// Puts the file back and lets those go who wait at the FIFO.
    fn release(&self) {
        let writer = OpenOptions::new().write(true).open(&self.path).expect("somebody waits");
        fs::rename(&self.kept, &self.path).expect("put back");
        drop(writer);
    }
}

/// Waits until the head gives the balancer this status. What is asked before the stall
/// is known may get no answer.
fn told(stand: &Stand, head: &Head, status: u16) {
    wait::until("the balancer is told", LIMIT, || {
        let answer = healthcheck(stand, head).ok()?;
        (answer.status == status).then_some(())
    })
    .expect("told");
}

fn changes(journal: &str) -> Vec<(String, String)> {
    let records = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    records
        .map(|record| record["repono"]["change"].clone())
        .filter(|change| text(&change["what"]).ends_with(".readiness"))
        .map(|change| (text(&change["from"]), text(&change["to"])))
        .collect()
}

/// Waits until the journal says that this stood still and goes on.
fn recorded(head: &Head, what: &str) {
    let stalled = format!("stalled: {what}");
    let expected = [("moving".to_owned(), stalled.clone()), (stalled, "moving".to_owned())];
    wait::until("the journal says so", LIMIT, || {
        let text = fs::read_to_string(&head.journal).ok()?;
        (changes(&text) == expected).then_some(())
    })
    .expect("said");
}

/// The blobs of the store, which other heads may have.
fn blobs(stand: &Stand) -> Vec<PathBuf> {
    let parts = fs::read_dir(stand.system.data().join("store/blobs")).expect("blobs");
    let in_part = |part: fs::DirEntry| fs::read_dir(part.path()).into_iter().flatten().flatten();
    parts.flatten().flat_map(in_part).map(|file| file.path()).collect()
}

#[test]
fn a_head_whose_threads_stand_still_says_so_and_recovers() {
    stalled("1", (503, "close"));
}

#[test]
fn a_thread_that_moves_serves_while_another_stands_still() {
    stalled("2", (204, "keep-alive"));
}

/// Holds one of so many threads up; whoever comes then is answered like this.
fn stalled(threads: &str, answer: (u16, &str)) {
    let stand = Stand::new();
    let head = stand.head("stalled", &[("threads", threads)]);
    let mut wire = stand.connect(head.direct);
    let body = vec![b'x'; 1 << 20];
    let request = stand.request("PUT", "/v1/demo/files/blob", &format!("Content-Length: {}\r\n", body.len()));
    wire.send(&[request.as_bytes(), &body].concat()).expect("sent");
    assert_eq!(wire.response("PUT").expect("a reply").status, 201);
    assert_eq!(healthcheck(&stand, &head).expect("a reply").status, 200);

    let [blob] = blobs(&stand).try_into().expect("one blob");
    let blocked = Blocked::new(blob);
    wire.send(stand.request("GET", "/v1/demo/files/blob", "").as_bytes()).expect("sent");
    told(&stand, &head, 503);
    // Twice, so that each thread has its turn.
    for _ in 0..2 {
        let response = stand.ask(&mut stand.connect(head.direct)).expect("a reply");
        assert_eq!((response.status, response.header("connection")), (answer.0, Some(answer.1)));
    }

    blocked.release();
    told(&stand, &head, 200);
    assert_eq!(stand.ask(&mut stand.connect(head.direct)).expect("a reply").status, 204);
    // What held the thread up was no blob.
    assert_eq!(wire.response("GET").expect("a reply").status, 500);
    recorded(&head, "serve-0");
}

#[test]
fn a_disk_that_does_not_answer_is_a_reason_not_to_be_ready() {
    let stand = Stand::new();
    let head = stand.head("disk", &[]);
    assert_eq!(healthcheck(&stand, &head).expect("a reply").status, 200);
    let blocked = Blocked::new(stand.system.data().join("store/superblock.json"));
    told(&stand, &head, 503);
    // What needs no disk is served.
    assert_eq!(stand.ask(&mut stand.connect(head.direct)).expect("a reply").status, 204);
    blocked.release();
    // The other head of the system waits at the FIFO as well, or will read the file.
    told(&stand, &head, 200);
    recorded(&head, "store-disk");
}

#[test]
fn a_journal_that_nobody_takes_is_a_reason_not_to_be_ready() {
    let stand = Stand::new();
    let folder = stand.system.path("fifo");
    fs::create_dir(&folder).expect("a folder");
    let path = folder.join("journal.jsonl");
    fifo(&path);
    let mut head = stand.head_set("journal", &Setting { journal: Some(&folder), ..Setting::default() });
    assert_eq!(healthcheck(&stand, &head).expect("a reply").status, 200);
    // Some hundred bytes each: more than a pipe holds.
    let mut wire = stand.connect(head.direct);
    for _ in 0..200 {
        assert_eq!(stand.ask(&mut wire).expect("a reply").status, 204);
    }
    told(&stand, &head, 503);
    assert_eq!(stand.ask(&mut wire).expect("requests go on").status, 204);

    let mut journal = OpenOptions::new().read(true).open(&path).expect("the journal");
    let ended = AtomicBool::new(false);
    let text = thread::scope(|scope| {
        let taking = scope.spawn(|| {
            let mut text = Vec::new();
            let mut piece = [0; 4096];
            while let Ok(count) = journal.read(&mut piece) {
                text.extend_from_slice(&piece[..count]);
                if count == 0 && ended.load(Ordering::Relaxed) {
                    break;
                }
            }
            String::from_utf8(text).expect("text")
        });
        told(&stand, &head, 200);
        head.terminate();
        drop(wire);
        head.ended(Duration::from_secs(35));
        ended.store(true, Ordering::Relaxed);
        taking.join().expect("no panic")
    });
    let stalled = "stalled: journal".to_owned();
    assert_eq!(changes(&text), [("moving".to_owned(), stalled.clone()), (stalled, "moving".to_owned())]);
}
