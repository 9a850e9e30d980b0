//! Running a command where the repository's root is, and stopping when it fails.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// A command to be run.
pub(crate) struct Run(Command);

/// Prepares a command.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Run {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    Run(command)
}

impl Run {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn args(mut self, more: &[impl AsRef<OsStr>]) -> Self {
        self.0.args(more);
        self
    }

    /// Runs it and fails when it fails.
    pub(crate) fn go(mut self) -> Result<()> {
        eprintln!("+ {}", self.line());
        let status = self.0.status().with_context(|| format!("cannot run {}", self.line()))?;
        ensure!(status.success(), "`{}` failed: {status}", self.line());
        Ok(())
    }

    /// Whether it runs and succeeds; what it prints is thrown away.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.0.get_program()).chain(self.0.get_args());
        words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }
}

/// Runs cargo.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    command("cargo", arguments).go()
}
