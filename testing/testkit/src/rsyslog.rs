//! Debian's rsyslog with a configuration of ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::system::send;
use crate::wait;

const PROGRAM: &str = "/usr/sbin/rsyslogd";
/// Its queues are given 1.5 s, and as much again.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A running one; killed when dropped.
#[derive(Debug)]
pub struct Rsyslog {
    config: PathBuf,
    child: Child,
}

impl Rsyslog {
    /// Whether the program is here, and the Debian package of this name too, as which a
    /// module comes.
    #[must_use]
    pub fn is_here(package: &str) -> bool {
        Path::new(PROGRAM).exists() && Path::new("/usr/share/doc").join(package).exists()
    }

    /// Starts it with the configuration `from`, written to `to` with these texts in the
    /// place of others.
    ///
    /// *Errors*: where one of the others does not stand there, too.
    pub fn start(from: &Path, to: &Path, changes: &[(&str, String)]) -> Result<Self> {
        let mut text = fs::read_to_string(from).with_context(|| from.display().to_string())?;
        for (old, new) in changes {
            ensure!(text.contains(old), "{old:?} does not stand in {}", from.display());
            text = text.replace(old, new);
        }
        fs::write(to, text)?;
        Ok(Self { config: to.to_owned(), child: run(to)? })
    }

    /// Ends it by a signal and waits until it has ended.
    pub fn stop(&mut self, signal: Signal) -> Result<()> {
        send(self.child.id(), signal)?;
        wait::until("rsyslog has ended", STOPPED_WITHIN, || self.child.try_wait().ok().flatten())?;
        Ok(())
    }

    /// Starts it again, after [`Self::stop`].
    pub fn restart(&mut self) -> Result<()> {
        self.child = run(&self.config)?;
        Ok(())
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(config: &Path) -> Result<Child> {
    Command::new(PROGRAM)
        .arg("-n")
        .arg("-f")
        .arg(config)
        // A killed one leaves its file behind, with the number of a process that may be
        // another's by now.
        .args(["-i", "NONE"])
        .stdout(Stdio::null())
        .spawn()
        .context("rsyslogd does not start")
}
