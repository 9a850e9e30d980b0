//! Messages for a person, on standard error.

use std::io::{IsTerminal, stderr};
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

/// The filter in use. Messages are the whole process's, and so is this.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Begins to say messages; `REPONO_LOG` sets the level.
pub(crate) fn start_messages() {
    let colours = std::env::var_os("NO_COLOR").is_none() && stderr().is_terminal();
    let (filter, handle) = reload::Layer::new(filter(None));
    let lines = fmt::layer().with_ansi(colours).with_writer(stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
    let _ = FILTER.set(handle);
}

/// Says messages of this level and above; without one, what `REPONO_LOG` says.
pub(crate) fn set_level(level: Option<&str>) {
    let Some(handle) = FILTER.get() else { return };
    if let Err(error) = handle.reload(filter(level)) {
        tracing::warn!(%error, "the level of messages stays as it was");
    }
}

fn filter(level: Option<&str>) -> EnvFilter {
    match level {
        Some(level) => EnvFilter::new(level),
        None => EnvFilter::try_from_env("REPONO_LOG").unwrap_or_else(|_| EnvFilter::new("info")),
    }
}
