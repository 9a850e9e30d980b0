//! From a profile to a client: what every command of the client side begins with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use repono_client::{Answer, CallersTrace, Client, ClientError, Options, Profile};
use repono_journal::{Journal, JournalConfig};

use crate::output::{failure, usage};

/// Options of every command that goes to an endpoint.
#[derive(clap::Args, Debug)]
pub(crate) struct Connection {
    /// Profile with endpoint and credentials; else REPONO_PROFILE, else
    /// ~/.config/repono/profile.toml
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// Record every connection and request under this directory
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

/// A client, and the journal that it writes.
pub(crate) struct Connected {
    pub(crate) client: Arc<Client>,
    pub(crate) profile: Profile,
    journal: Option<Journal>,
}

impl Connection {
    /// Reads the profile and makes a client; connects nowhere yet.
    pub(crate) fn open(&self) -> Result<Connected> {
        let profile = load(self.profile.as_deref())?;
        let journal =
            self.journal.as_ref().map(|dir| Journal::open(JournalConfig::new(dir, "client", "client")));
        let journal = journal.transpose().context("the client's journal cannot be opened")?;
        let recorder = journal.as_ref().map(Journal::shared);
        let options = Options { recorder, trace: callers_trace(), ..Options::default() };
        let client = Client::new(&profile, options)
            .map_err(|error| usage(format!("the certificates to trust cannot be used: {error}")))?;
        Ok(Connected { client: Arc::new(client), profile, journal })
    }
}

/// The trace of whoever started this command, from the environment (OpenTelemetry's
/// "Environment Variables as Context Propagation Carriers").
fn callers_trace() -> Option<CallersTrace> {
    let value = |name| std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes);
    CallersTrace::parse(&value("TRACEPARENT")?, value("TRACESTATE").as_deref())
}

impl Connected {
    /// Says goodbye on every connection and finishes the journal.
    pub(crate) async fn close(self) {
        self.client.close().await;
        if let Some(journal) = self.journal {
            journal.close();
        }
    }
}

/// Reads a profile; its warnings go to standard error.
pub(crate) fn load(path: Option<&Path>) -> Result<Profile> {
    let profile = Profile::load(path, &|name| std::env::var_os(name))
        .map_err(|error| usage(format!("{:#}", anyhow::Error::from(error))))?;
    for warning in &profile.warnings {
        eprintln!("repono: {warning}");
    }
    Ok(profile)
}

/// An error of the client as the program tells it: a code for scripts, the
/// service's own where it gave one, and what to do.
pub(crate) fn told(what: &str, error: ClientError) -> anyhow::Error {
    let (code, hint) = match &error {
        ClientError::Unreachable { .. } => {
            ("Unreachable", "is the service running at the profile's endpoint?")
        }
        ClientError::Tls { .. } => ("Tls", "does the profile's `ca` belong to this endpoint?"),
        ClientError::Busy => ("Busy", "try fewer transfers at a time"),
        ClientError::Broken(_) => ("Broken", "a write may have been carried out; look with `repono stat`"),
        ClientError::TimedOut(_) => ("TimedOut", "try again; the journal tells which phase took the time"),
        ClientError::Unauthorized(_) => {
            ("Unauthorized", "check the profile's secrets, and whether the user is enabled")
        }
        ClientError::Forbidden(_) => ("AccessDenied", "ask for a policy that allows it"),
        ClientError::NotFound(_) => ("NotFound", ""),
        ClientError::Conflict(_) => ("Conflict", ""),
        ClientError::Unavailable(_) => ("Unavailable", "try again in a moment"),
        ClientError::Refused(_) => ("Refused", ""),
        ClientError::Corrupt { .. } => ("Corrupt", "nothing was published; try again"),
        ClientError::Length { .. } => ("Length", "nothing was published; try again"),
        ClientError::Protocol(_) => ("Protocol", ""),
        ClientError::Local { .. } | ClientError::LocalName { .. } | ClientError::Key { .. } => ("Local", ""),
    };
    let code = answer(&error).map_or(code.to_owned(), |answer| answer.code.clone());
    failure(code, format!("{what}: {:#}", anyhow::Error::from(error)), hint)
}

/// What the service answered, if it did, with a code.
fn answer(error: &ClientError) -> Option<&Answer> {
    match error {
        ClientError::Unauthorized(answer)
        | ClientError::Forbidden(answer)
        | ClientError::NotFound(answer)
        | ClientError::Conflict(answer)
        | ClientError::Unavailable(answer)
        | ClientError::Refused(answer) => Some(answer).filter(|answer| !answer.code.is_empty()),
        ClientError::Unreachable { .. }
        | ClientError::Tls { .. }
        | ClientError::Busy
        | ClientError::Broken(_)
        | ClientError::TimedOut(_)
        | ClientError::Corrupt { .. }
        | ClientError::Length { .. }
        | ClientError::Protocol(_)
        | ClientError::Local { .. }
        | ClientError::LocalName { .. }
        | ClientError::Key { .. } => None,
    }
}
