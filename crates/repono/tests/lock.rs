//! A process that is stopped while it holds the write lock: the others refuse
//! writes in time and go on reading, and the supervisor frees the lock.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use repono_store::meta::sqlite::lock_holder;
use repono_store::store::lock_path;
use repono_testkit::system::{System, send, stop};
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// How long to go on trying to stop the head within its transaction: one try
/// in a few succeeds, on a busy machine one in hundreds.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// How long the head runs between two tries: a few transactions long.
const RUNS_FOR: Duration = Duration::from_millis(2);
/// The promised wait, and what a busy machine adds.
const REFUSED_WITHIN: Duration = Duration::from_secs(4);

fn ask(url: &str, ca: &Path, request: &str) -> Option<Response> {
    let mut wire = Wire::connect(url, ca).ok()?;
    wire.send(request.as_bytes()).ok()?;
    wire.response(request.split(' ').next()?).ok()
}

fn put(name: &str, ticket: &str) -> String {
    format!("PUT /v1/demo/files/{name} HTTP/1.1\r\nHost: h\r\n{ticket}\r\nContent-Length: 4\r\n\r\nbody")
}

/// Writes over one connection, again and again, until told to stop.
fn keep_writing(url: &str, ca: &Path, request: &str, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut wire) = Wire::connect(url, ca) else { continue };
        while !stop.load(Ordering::Relaxed)
            && wire.send(request.as_bytes()).is_ok()
            && wire.response("PUT").is_ok()
        {}
    }
}

/// Stops the process so that it holds the lock while it is stopped.
fn stop_within_a_transaction(pid: u32, lock: &Path) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < STOPPED_WITHIN {
        stop(pid).expect("stopped");
        if lock_holder(lock).is_some_and(|holder| holder.pid == pid) {
            return true;
        }
        send(pid, Signal::CONT).expect("continued");
        // Stopped again at once, the head would never come to a transaction.
        std::thread::sleep(RUNS_FOR);
    }
    false
}

#[test]
fn a_stopped_holder_of_the_write_lock_is_freed() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let ca = PathBuf::from(system.fact("ca"));
    let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
    let [first, second] = [0, 1].map(|n| system.heads()[n].to_owned());
    let lock = lock_path(&system.data().join("store"));
    assert_eq!(ask(&second, &ca, &put("before", &ticket)).expect("an answer").status, 201);

    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let request = put(&format!("busy/{number}"), &ticket);
            let (stop, first, ca) = (Arc::clone(&stop), first.clone(), ca.clone());
            std::thread::spawn(move || keep_writing(&first, &ca, &request, &stop))
        })
        .collect();
    assert!(stop_within_a_transaction(system.pid("head-1"), &lock), "never stopped within a transaction");

    let begun = Instant::now();
    let refused = ask(&second, &ca, &put("refused", &ticket)).expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert!(begun.elapsed() < REFUSED_WITHIN, "refused after {:?}", begun.elapsed());
    let read =
        ask(&second, &ca, &format!("GET /v1/demo/files/before HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n"));
    assert_eq!(read.expect("an answer").status, 200, "reads go on");
    stop.store(true, Ordering::Relaxed);

    for url in [&second, &first] {
        wait::until("writes are taken again", Duration::from_secs(20), || {
            ask(url, &ca, &put("after", &ticket)).filter(|response| response.status == 201)
        })
        .expect("freed");
    }
    let gone =
        ask(&second, &ca, &format!("GET /v1/demo/files/refused HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n"));
    assert_eq!(gone.expect("an answer").status, 404, "what was refused was not written");
    for writer in writers {
        writer.join().expect("a writer");
    }
}
