//! cURL, once for each request: the false lead of the incident. A process that keeps
//! no connection never meets one that died.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::process::Command;

use crate::load::{Fetch, FetchError};

/// What cURL is told.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The URL.
    pub(crate) url: String,
    /// Certificates to trust.
    pub(crate) ca: PathBuf,
    /// A file with the ticket's headers: a command line can be read by others.
    pub(crate) headers: PathBuf,
}

/// A client that is a new process each time.
#[derive(Debug)]
pub(crate) struct OneShot(pub Arc<Asked>);

impl OneShot {
    /// Whether this machine has cURL.
    pub(crate) async fn is_here() -> bool {
        let version = Command::new("curl").arg("--version").stdout(Stdio::null()).status().await;
        version.is_ok_and(|status| status.success())
    }
}

#[async_trait]
impl Fetch for OneShot {
    async fn fetch(&mut self) -> Result<(), FetchError> {
        let Asked { url, ca, headers } = &*self.0;
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.arg("--cacert").arg(ca).arg("--header").arg(format!("@{}", headers.display())).arg(url);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|error| FetchError::Connection(error.into()))?;
        match String::from_utf8_lossy(&output.stdout).parse() {
            Ok(200) => Ok(()),
            // What it writes where no answer came.
            Ok(0) | Err(_) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                Err(FetchError::Connection(said.into()))
            }
            Ok(status) => Err(FetchError::Status(status)),
        }
    }
}
