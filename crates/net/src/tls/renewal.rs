//! Certificates that are replaced while the service runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::ServerIdentity;

/// How often the files are looked at: a certificate is replaced days before it
/// ends, and a look costs some microseconds.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What tells one file from the one that replaced it.
type Mark = Option<(SystemTime, u64)>;

/// Reads the certificates again whenever one of their files was changed, and when
/// the process is told so by SIGHUP. Handshakes from then on show the new ones;
/// connections that are open go on. Files that make no pair, as in the middle of
/// a change, leave the certificates of before in use.
///
/// *Cancel safety*: ends at any time without harm; never by itself.
pub async fn keep_current(identity: Arc<ServerIdentity>) {
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut seen = marks(&identity);
    loop {
        let told = async {
            match &mut hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        let told = tokio::select! {
            _hangup = told => true,
            () = sleep(LOOK_EVERY) => false,
        };
        let now = marks(&identity);
        if !told && now == seen {
            continue;
        }
        seen = now;
        match identity.reload() {
            Ok(()) => tracing::info!("the certificates were read again"),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the certificates of before stay in use: the new ones cannot be read"
            ),
        }
    }
}

fn marks(identity: &ServerIdentity) -> Vec<Mark> {
    identity.files().iter().flat_map(|pair| [mark(&pair.chain), mark(&pair.key)]).collect()
}

fn mark(path: &Path) -> Mark {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
