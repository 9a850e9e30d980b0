//! One supervised service: started, watched, started again.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// The first wait before a service that did not come to answering is started
/// again; doubled each time, so that a broken configuration does not burn the
/// machine. One that did answer is started again at once.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
/// The longest such wait.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a service has to end after SIGTERM: its own drain takes at most 30 s.
const STOP_MAX: Duration = Duration::from_secs(33);

/// What is known of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Started, not ready yet, or between two lives.
    Starting,
    /// It answers; the process has this id.
    Ready {
        /// Process id.
        pid: u32,
    },
    /// It could not be started; the text says why.
    Failed(String),
    /// Ended on request.
    Stopped,
}

impl Status {
    /// A service that answered before is started again as a matter of course; one
    /// that never did has something to tell.
    fn after_end(&self, service: &Service, exit: ExitStatus) -> Self {
        match self {
            Self::Ready { .. } => Self::Starting,
            Self::Starting | Self::Failed(_) | Self::Stopped => {
                Self::Failed(format!("it ended ({exit}): see {}", service.log.display()))
            }
        }
    }
}

/// How to start a service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// `head-1`, `balancer` …
    pub(crate) name: String,
    /// The subcommand of this program.
    pub(crate) subcommand: &'static str,
    /// Its configuration file.
    pub(crate) config: PathBuf,
    /// Where its messages go.
    pub(crate) log: PathBuf,
}

/// Keeps `service` alive until `stop` turns true, and reports into `status`.
pub(crate) async fn supervise(
    service: Service,
    status: watch::Sender<Status>,
    mut stop: watch::Receiver<bool>,
) {
    let mut backoff = BACKOFF_FIRST;
    while !*stop.borrow() {
        match one_life(&service, &status, &mut stop).await {
            Ok(Life::Served(exit)) => {
                tracing::warn!(service = service.name, %exit, "service ended, starting it again");
                backoff = BACKOFF_FIRST;
                continue;
            }
            Ok(Life::Failed(exit)) => {
                tracing::error!(service = service.name, %exit, log = %service.log.display(), "service did not start");
            }
            Ok(Life::Stopped) => break,
            Err(error) => {
                status.send_replace(Status::Failed(format!("{error:#}")));
                tracing::error!(
                    service = service.name,
                    error = format!("{error:#}"),
                    "service did not start"
                );
            }
        }
        if *stop.borrow() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(backoff) => {}
            () = stopped(&mut stop) => {}
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
    status.send_replace(Status::Stopped);
}

/// Completes when the services are to end, or when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard that this gives must not live on in the caller's select.
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}

enum Life {
    /// It had answered before it ended.
    Served(ExitStatus),
    /// It never did.
    Failed(ExitStatus),
    Stopped,
}

async fn one_life(
    service: &Service,
    status: &watch::Sender<Status>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Life> {
    status.send_replace(Status::Starting);
    let mut child = spawn(service)?;
    let stdout = child.stdout.take().context("the service has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(text)) if text == crate::service::READY_LINE => {
                    let pid = child.id().unwrap_or_default();
                    status.send_replace(Status::Ready { pid });
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    let exit = child.wait().await.context("cannot wait for the service")?;
                    let served = matches!(&*status.borrow(), Status::Ready { .. });
                    status.send_modify(|s| *s = s.after_end(service, exit));
                    return Ok(if served { Life::Served(exit) } else { Life::Failed(exit) });
                }
            },
            () = stopped(stop) => {
                end(&mut child).await?;
                return Ok(Life::Stopped);
            }
        }
    }
}

fn spawn(service: &Service) -> Result<Child> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&service.log)
        .with_context(|| format!("cannot open {}", service.log.display()))?;
    Command::new(program())
        .arg(service.subcommand)
        .arg("--config")
        .arg(&service.config)
        .env(crate::service::SUPERVISOR_VARIABLE, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", service.name))
}

/// This program's own file. Where it was replaced or removed meanwhile, the kernel
/// still has the one that runs: services stay of one version until the next start.
fn program() -> PathBuf {
    let own = std::env::current_exe().ok().filter(|path| path.exists());
    own.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// SIGTERM, and SIGKILL when the drain takes longer than it may.
async fn end(child: &mut Child) -> Result<()> {
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        // The process may have ended meanwhile; then there is nothing to signal.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
        child.kill().await.context("cannot kill the service")?;
    }
    Ok(())
}
