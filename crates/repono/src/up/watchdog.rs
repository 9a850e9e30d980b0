//! Frees the write lock of the metadata from a process that holds it and does not
//! go on: stopped, or stuck in the kernel. Others answer 503 meanwhile.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use repono_store::meta::sqlite::{LockHolder, lock_holder};
use repono_store::store::lock_path;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;
use tokio::time::{Instant, interval};

use super::child::Status;

/// How often the holder is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A transaction takes milliseconds; who holds the lock this long in one of them
/// will not end it.
const HELD_MAX: Duration = Duration::from_secs(5);

/// Watches until the task is dropped.
pub(super) async fn watch(store: PathBuf, services: BTreeMap<String, watch::Receiver<Status>>) {
    let lock = lock_path(&store);
    let mut since: Option<(LockHolder, Instant)> = None;
    let mut looks = interval(LOOK);
    loop {
        looks.tick().await;
        let holder = lock_holder(&lock);
        since = match (holder, since) {
            (None, _) => None,
            (Some(now), Some((before, begun))) if now == before => Some((before, begun)),
            (Some(now), _) => Some((now, Instant::now())),
        };
        if let Some((holder, begun)) = &since
            && begun.elapsed() >= HELD_MAX
        {
            free(holder.pid, &services);
            since = None;
        }
    }
}

/// Ends the holder, if it is one of ours: another process is the operator's.
fn free(pid: u32, services: &BTreeMap<String, watch::Receiver<Status>>) {
    let ours =
        services.iter().find(|(_, status)| matches!(*status.borrow(), Status::Ready { pid: p } if p == pid));
    let Some((name, _)) = ours else {
        // A process that was killed leaves its name behind until the next one's turn.
        if !PathBuf::from(format!("/proc/{pid}")).exists() {
            return;
        }
        tracing::error!(pid, "a foreign process holds the write lock of the metadata; end it to go on");
        return;
    };
    tracing::error!(
        service = name,
        pid,
        "the service holds the write lock and does not go on: it is restarted"
    );
    if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
        // The process may have ended meanwhile; the lock is free then.
        let _ = kill_process(pid, Signal::KILL);
    }
}
