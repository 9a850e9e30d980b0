//! Running one service in this process: `head`, `balancer`, `vending` and `monitor`.

mod balancer;
mod configuration;
mod messages;

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::output::{Form, print, say};
pub(crate) use balancer::{BalancerOptions, balancer};
use configuration::configuration;
pub(crate) use messages::start_messages;

/// Printed on standard output when the service answers; the supervisor waits for it.
pub(crate) const READY_LINE: &str = "{\"ready\":true}";
/// Holds the supervisor's process id in the environment of a supervised service.
pub(crate) const SUPERVISOR_VARIABLE: &str = "REPONO_SUPERVISOR";

/// Options of every service.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// Configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Validate the configuration, print it as it takes effect, and end
    #[arg(long)]
    pub(crate) check: bool,
}

/// Runs a head.
pub(crate) fn head(options: &Options, form: Form) -> Result<()> {
    let config: repono_head::Config = configuration(&options.config)?;
    config
        .validate()
        .map_err(|error| crate::output::usage(format!("{}: {error}", options.config.display())))?;
    if options.check {
        return print_effective(&config, form);
    }
    serve(async |shutdown| Ok(repono_head::run(config, announce_ready, shutdown).await?))
}

/// Runs the vending service.
pub(crate) fn vending(options: &Options, form: Form) -> Result<()> {
    let config: repono_vending::Config = configuration(&options.config)?;
    if options.check {
        return print_effective(&config, form);
    }
    serve(async |shutdown| Ok(repono_vending::run(config, |_addresses| announce_ready(), shutdown).await?))
}

/// Runs the monitor.
pub(crate) fn monitor(options: &Options, form: Form) -> Result<()> {
    let config: repono_monitor::Config = configuration(&options.config)?;
    config
        .validate()
        .map_err(|error| crate::output::usage(format!("{}: {error}", options.config.display())))?;
    if options.check {
        return print_effective(&config, form);
    }
    serve(async |shutdown| Ok(repono_monitor::run(config, |_addresses| announce_ready(), shutdown).await?))
}

fn print_effective(config: &impl Serialize, form: Form) -> Result<()> {
    match form {
        Form::Text => print(toml::to_string(config)?),
        Form::Json => say(serde_json::to_string(config)?),
    }
}

/// What every service does around its own work.
fn serve(run: impl AsyncFnOnce(Shutdown) -> Result<()>) -> Result<()> {
    attach_to_supervisor()?;
    start_messages();
    crate::block_on(async { run(shutdown_signal()?).await })
}

/// Completes when the service is to end.
type Shutdown = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Ties the life of this process to its supervisor's, if it has one.
pub(crate) fn attach_to_supervisor() -> Result<()> {
    let Ok(expected) = std::env::var(SUPERVISOR_VARIABLE) else { return Ok(()) };
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .context("cannot tie this process to its supervisor")?;
    // The supervisor may have died before the signal was set.
    let parent = rustix::process::getppid().map(|p| p.as_raw_nonzero().get().to_string());
    anyhow::ensure!(parent.as_deref() == Some(expected.as_str()), "the supervisor has ended");
    Ok(())
}

/// Says on standard output that the service answers.
pub(crate) fn announce_ready() {
    use std::io::Write;
    let mut out = std::io::stdout();
    // A supervisor that stopped reading is not a reason to stop serving.
    let _ = writeln!(out, "{READY_LINE}").and_then(|()| out.flush());
}

/// Completes at the first SIGTERM or SIGINT.
pub(crate) fn shutdown_signal() -> Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(Box::pin(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }))
}
