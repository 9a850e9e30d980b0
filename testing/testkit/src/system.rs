//! `repono up` as a user starts it, in a directory of its own, on free ports.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::wait;

/// A debug build on a loaded machine needs this long at most.
const READY_MAX: Duration = Duration::from_secs(60);

/// A running system; ended when dropped.
pub struct System {
    program: PathBuf,
    directory: TempDir,
    data: PathBuf,
    up: Option<Child>,
    ready: Value,
    arguments: Vec<String>,
    site: Site,
}

/// Where `up` runs and listens.
#[derive(Clone, Debug)]
pub struct Site {
    /// What starts a command there, such as `ip netns exec NAME`; empty for here.
    pub through: Vec<String>,
    /// The address to listen on.
    pub address: IpAddr,
}

impl Site {
    /// This machine's loopback.
    pub const HERE: Self = Self { through: Vec::new(), address: IpAddr::V4(Ipv4Addr::LOCALHOST) };

    /// The same, on a terminal of its own; what it shows goes to a file.
    #[must_use]
    pub fn terminal(shown: &Path) -> Self {
        let script = format!("exec script -qefc \"${{0@Q}} ${{*@Q}}\" '{}'", shown.display());
        Self { through: vec!["bash".to_owned(), "-c".to_owned(), script], ..Self::HERE }
    }

    /// A command that runs there.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        match self.through.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        }
    }
}

impl System {
    /// Starts `program up` with these further arguments and waits until it answers.
    pub fn start(program: &str, arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        Self::start_in(program, arguments, directory, data, Site::HERE)
    }

    /// The same in another place.
    pub fn start_at(site: Site, program: &str, arguments: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let data = directory.path().join("data");
        Self::start_in(program, arguments, directory, data, site)
    }

    /// The same with the data in a directory that the test chose.
    pub fn start_with_data(program: &str, arguments: &[&str], data: &Path) -> Result<Self> {
        Self::start_in(program, arguments, tempfile::tempdir()?, data.to_owned(), Site::HERE)
    }

    fn start_in(
        program: &str,
        arguments: &[&str],
        directory: TempDir,
        data: PathBuf,
        site: Site,
    ) -> Result<Self> {
        let mut system = Self {
            program: program.into(),
            directory,
            data,
            up: None,
            ready: Value::Null,
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
            site,
        };
        system.up()?;
        Ok(system)
    }

    fn up(&mut self) -> Result<()> {
        let ready_file = self.path("ready.json");
        let log = File::create(self.path("up.log"))?;
        let address = SocketAddr::new(self.site.address, 0).to_string();
        let mut up = self
            .site
            .command(&self.program)
            .arg("up")
            .args(["--listen", &address, "--vending", &address, "--monitor", &address])
            .arg("--data")
            .arg(&self.data)
            .arg("--ready-file")
            .arg(&ready_file)
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let ready = wait::until("`repono up` is ready", READY_MAX, || {
            if let Ok(Some(exit)) = up.try_wait() {
                return Some(Err(anyhow::anyhow!("`repono up` ended: {exit}")));
            }
            let text = fs::read_to_string(&ready_file).ok()?;
            Some(serde_json::from_str::<Value>(&text).map_err(Into::into))
        });
        self.up = Some(up);
        match ready {
            Ok(Ok(ready)) => self.ready = ready,
            Ok(Err(error)) | Err(error) => return Err(error.context(self.messages())),
        }
        Ok(())
    }

    /// Ends `up` by SIGTERM, waits for it, and starts it again on the same data.
    pub fn restart(&mut self) -> Result<()> {
        self.stop(Signal::TERM)?;
        self.up()
    }

    /// Sends a signal to `up` and waits until it has ended; gives its exit code.
    pub fn stop(&mut self, signal: Signal) -> Result<Option<i32>> {
        let Some(mut up) = self.up.take() else { return Ok(None) };
        send(up.id(), signal)?;
        let exit = up.wait().context("cannot wait for `repono up`")?;
        Ok(exit.code())
    }

    /// Everything that `up` and its services said.
    pub fn messages(&self) -> String {
        let mut text = fs::read_to_string(self.path("up.log")).unwrap_or_default();
        for entry in fs::read_dir(self.data.join("log")).into_iter().flatten().flatten() {
            let log = fs::read_to_string(entry.path()).unwrap_or_default();
            text.push_str(&format!("\n-- {}\n{log}", entry.path().display()));
        }
        text
    }

    /// A path in the test's own directory, removed with the system.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A text of the ready file, such as `balancer`.
    #[must_use]
    pub fn fact(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_default()
    }

    /// The URL of the balancer.
    #[must_use]
    pub fn balancer(&self) -> &str {
        self.fact("balancer")
    }

    /// The URLs of the heads' direct listeners.
    #[must_use]
    pub fn heads(&self) -> Vec<&str> {
        self.ready["heads"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The process id that a service had when the system became ready.
    #[must_use]
    pub fn pid(&self, service: &str) -> u32 {
        self.ready["pids"][service].as_u64().and_then(|p| u32::try_from(p).ok()).unwrap_or_default()
    }

    /// The process ids of all services.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        let pids = self.ready["pids"].as_object().into_iter().flatten();
        pids.map(|(name, _)| (name.clone(), self.pid(name))).collect()
    }

    /// Runs a command of the program with the system's profile.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments).output().with_context(|| format!("cannot run repono {arguments:?}"))
    }

    /// Runs a command that must succeed; gives what it printed.
    pub fn ok(&self, arguments: &[&str]) -> Result<String> {
        let output = self.run(arguments)?;
        ensure!(
            output.status.success(),
            "repono {arguments:?} failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The program, told of the system's profile.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("REPONO_PROFILE", self.fact("profile")).stdin(Stdio::null());
        command
    }

    /// Asks the monitor by curl, with these further arguments; gives the status and the
    /// whole answer, head and body.
    pub fn monitor(&self, path: &str, arguments: &[&str]) -> Result<(u16, String)> {
        let url = format!("{}{path}", self.fact("monitor"));
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i", "--http1.1", "--max-time", "30", "--cacert", self.fact("ca")]);
        let output = curl.args(arguments).arg(&url).output().context("cannot run curl")?;
        ensure!(output.status.success(), "curl {url}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok((status, text))
    }

    /// The body of a page or an answer of the monitor, asked for with a ticket of the
    /// profile's user; `None` where the answer is no 200.
    pub fn monitored(&self, path: &str) -> Result<Option<String>> {
        let token = format!("X-Auth-Token: {}", self.ok(&["ticket", "--format", "token"])?.trim());
        let (status, text) = self.monitor(path, &["-H", &token])?;
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        Ok(body.filter(|_| status == 200))
    }

    /// Vends a ticket; its header lines, `name: value` each.
    pub fn ticket(&self, arguments: &[&str]) -> Result<Vec<String>> {
        let mut all = vec!["ticket", "--format", "headers"];
        all.extend(arguments);
        Ok(self.ok(&all)?.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect())
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.messages());
        }
        // The services die with their supervisor; nothing is left to wait for.
        let _ = self.stop(Signal::KILL);
    }
}

/// How long the threads of a process may take to obey.
const STOPPED_WITHIN: Duration = Duration::from_secs(20);

/// Stops a process and waits until all of its threads stand still: the signal is
/// taken by one of them, and the others go on for a moment.
pub fn stop(pid: u32) -> Result<()> {
    send(pid, Signal::STOP)?;
    wait::until("all threads stand still", STOPPED_WITHIN, || is_stopped(pid).then_some(()))
}

/// Whether every thread of a process stands still.
fn is_stopped(pid: u32) -> bool {
    let state = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).unwrap_or_default();
    let stands = |stat: String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'));
    fs::read_dir(format!("/proc/{pid}/task")).is_ok_and(|tasks| tasks.flatten().map(state).all(stands))
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("not a process id")?;
    kill_process(pid, signal).context("cannot signal the process")
}
