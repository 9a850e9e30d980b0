//! The system under the lab: `repono up` on the server's machine, and further
//! balancers and heads beside it, each with a setting of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use toml::{Table, Value};

/// A slow machine starts everything within seconds.
const READY_MAX: Duration = Duration::from_secs(60);

/// The time that a drain may take, and some.
const STOP_MAX: Duration = Duration::from_secs(40);

/// Ports of the system on a machine that is the lab's alone.
const BALANCER: u16 = 7443;
const VENDING: u16 = 7444;
const MONITOR: u16 = 7445;

/// Where processes are started.
pub(crate) trait Machine {
    /// Where a service listens: on this port, if the machine is the lab's alone.
    fn listen(&self, port: u16) -> SocketAddr;

    /// A command on it.
    fn command(&self, program: &Path) -> Command;
}

/// This machine, by its loopback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here;

impl Machine for Here {
    fn listen(&self, _port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
    }

    fn command(&self, program: &Path) -> Command {
        Command::new(program)
    }
}

/// Why the system does not stand.
#[derive(Debug, thiserror::Error)]
pub enum StandError {
    /// A process could not be started or waited for.
    #[error("cannot start {what}")]
    Start {
        /// Which.
        what: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// A process ended, or said nothing for too long.
    #[error("{what} did not become ready: see {}", log.display())]
    NotReady {
        /// Which.
        what: String,
        /// Where it said why.
        log: PathBuf,
    },
    /// A file of the system cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file of the system is not what it must be.
    #[error("{} is not as expected: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `repono up` has not told something.
    #[error("`repono up` does not tell {what}")]
    Untold {
        /// What.
        what: String,
    },
    /// A command of the program failed.
    #[error("`repono {command}` failed: {said}")]
    Command {
        /// Its arguments.
        command: String,
        /// What it said.
        said: String,
    },
}

/// A running system; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Stand {
    program: PathBuf,
    data: PathBuf,
    facts: Facts,
    up: Process,
}

/// What the lab uses of what `repono up` tells.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Facts {
    /// URL of the balancer.
    pub(crate) balancer: String,
    /// Certificates to trust.
    pub(crate) ca: PathBuf,
    /// The demo user's profile.
    pub(crate) profile: PathBuf,
    /// Directory of the journals.
    pub(crate) journal: PathBuf,
    /// Process ids of the services.
    pub(crate) pids: BTreeMap<String, i32>,
}

impl Facts {
    /// Address of the balancer.
    ///
    /// *Errors*: [`StandError::Untold`].
    pub(crate) fn address(&self) -> Result<SocketAddr, StandError> {
        let address = self.balancer.strip_prefix("https://").and_then(|address| address.parse().ok());
        address.ok_or_else(|| StandError::Untold { what: "the balancer's address".to_owned() })
    }

    /// Process id of a service.
    ///
    /// *Errors*: [`StandError::Untold`].
    pub(crate) fn pid(&self, service: &str) -> Result<i32, StandError> {
        let pid = self.pids.get(service).copied();
        pid.ok_or_else(|| StandError::Untold { what: format!("the process id of {service}") })
    }
}

/// A process of the system.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
}

/// A setting of a service's configuration, over what `repono up` writes.
pub(crate) type Setting = (&'static str, Value);

impl Stand {
    /// Starts `program up` on a machine with its data in `data`, and waits until it
    /// answers.
    ///
    /// *Errors*: [`StandError`].
    pub(crate) async fn start(
        machine: &impl Machine,
        program: &Path,
        data: &Path,
        heads: u8,
    ) -> Result<Self, StandError> {
        let file = |source| StandError::File { path: data.to_owned(), source };
        fs::create_dir_all(data).map_err(file)?;
        let log = data.join("up.log");
        let listen = |port: u16| machine.listen(port).to_string();
        let mut command = machine.command(program);
        command.args(["--json", "up", "--data"]).arg(data);
        command.args(["--heads", &heads.to_string(), "--listen", &listen(BALANCER)]);
        command.args(["--vending", &listen(VENDING), "--monitor", &listen(MONITOR)]);
        let (up, ready) = Process::start("repono up", command, &log).await?;
        let facts = serde_json::from_str(&ready)
            .map_err(|error| StandError::Content { path: log, why: error.to_string() })?;
        Ok(Self { program: program.to_owned(), data: data.to_owned(), facts, up })
    }

    /// What is where.
    #[must_use]
    pub(crate) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Writes the configuration of a further service: as that of `like`, but for its
    /// name and these settings.
    ///
    /// *Errors*: [`StandError`].
    pub(crate) fn configure(
        &self,
        like: &str,
        name: &str,
        settings: &[Setting],
    ) -> Result<PathBuf, StandError> {
        let run = self.data.join("run");
        let theirs = run.join(format!("{like}.toml"));
        let text = fs::read_to_string(&theirs)
            .map_err(|source| StandError::File { path: theirs.clone(), source })?;
        let mut config: Table = text
            .parse()
            .map_err(|error: toml::de::Error| StandError::Content { path: theirs, why: error.to_string() })?;
        config.insert("name".into(), name.into());
        if config.contains_key("admin_socket") {
            let socket = run.join(format!("{name}.sock"));
            config.insert("admin_socket".into(), socket.display().to_string().into());
        }
        for (key, value) in settings {
            config.insert((*key).to_owned(), value.clone());
        }
        let path = run.join(format!("{name}.toml"));
        fs::write(&path, config.to_string())
            .map_err(|source| StandError::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// Starts a service of this kind (`head`, `balancer`) with its configuration, and
    /// waits until it serves.
    ///
    /// *Errors*: [`StandError`].
    pub(crate) async fn serve(
        &self,
        machine: &impl Machine,
        kind: &str,
        config: &Path,
        arguments: &[&str],
    ) -> Result<Process, StandError> {
        let mut command = machine.command(&self.program);
        command.arg(kind).arg("--config").arg(config).args(arguments);
        let name = config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let log = self.data.join("log").join(format!("{name}.log"));
        Ok(Process::start(&name, command, &log).await?.0)
    }

    /// Runs a client command of the program, with the demo user's profile; gives what
    /// it printed.
    ///
    /// *Errors*: [`StandError::Command`].
    pub(crate) async fn client(&self, arguments: &[&str]) -> Result<String, StandError> {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("REPONO_PROFILE", &self.facts.profile)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|source| StandError::Start { what: arguments.join(" "), source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(StandError::Command { command: arguments.join(" "), said })
    }

    /// Ends everything in order.
    ///
    /// *Errors*: [`StandError::Start`] when it cannot be waited for.
    pub(crate) async fn stop(self) -> Result<(), StandError> {
        self.up.stop().await
    }
}

impl Process {
    /// Starts a process and waits for the line of JSON by which it says that it serves.
    async fn start(what: &str, mut command: Command, log: &Path) -> Result<(Self, String), StandError> {
        let messages = fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|source| StandError::File { path: log.to_owned(), source })?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(messages).kill_on_drop(true);
        let started = |source| StandError::Start { what: what.to_owned(), source };
        let mut child = command.spawn().map_err(started)?;
        let not_ready = || StandError::NotReady { what: what.to_owned(), log: log.to_owned() };
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(not_ready)?).lines();
        let ready = async {
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with('{') {
                    return Ok(line);
                }
            }
            Err(not_ready())
        };
        let line = timeout(READY_MAX, ready).await.map_err(|_| not_ready())??;
        Ok((Self { name: what.to_owned(), child }, line))
    }

    /// Sends a signal; nothing if the process has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(id) = self.child.id() {
            send(id.cast_signed(), signal);
        }
    }

    /// Ends it in order and waits for it.
    ///
    /// *Errors*: [`StandError::Start`] when it cannot be waited for.
    pub(crate) async fn stop(mut self) -> Result<(), StandError> {
        self.signal(Signal::TERM);
        let failed = |source| StandError::Start { what: self.name.clone(), source };
        let ended: Result<io::Result<ExitStatus>, _> = timeout(STOP_MAX, self.child.wait()).await;
        match ended {
            Ok(ended) => ended.map(drop).map_err(failed),
            Err(_) => self.child.kill().await.map_err(failed),
        }
    }
}

/// Sends a signal to a process; nothing if it has ended.
pub(crate) fn send(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have ended in between.
        let _ = kill_process(pid, signal);
    }
}
