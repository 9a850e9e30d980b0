//! Running the balancer: its listener may come from systemd or from a running
//! balancer, and SIGHUP reloads its configuration.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result};
use repono_balancer::config::Level;
use repono_balancer::{Config, ListenerFrom, Start};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{Options, announce_ready, configuration, messages, print_effective, serve};
use crate::output::Form;

/// The first descriptor that systemd passes (`sd_listen_fds(3)`).
const FIRST_DESCRIPTOR: i32 = 3;

/// Options of the balancer.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono balancer --config balancer.toml\n  repono balancer --config balancer.toml --check\n  repono balancer --config balancer.toml --take-over\n\nSIGHUP reloads heads, weights, idle_ms, age_max_s, connections_max, keepalive_s and log, for new connections; what else has changed is named in a warning. A listener that systemd passes is used."
)]
pub(crate) struct BalancerOptions {
    #[command(flatten)]
    service: Options,
    /// Take the listening socket over from the balancer that runs with the same
    /// admin_socket; that one drains and ends. No connect is refused meanwhile
    #[arg(long, conflicts_with = "check")]
    take_over: bool,
}

/// Runs the balancer.
pub(crate) fn balancer(options: &BalancerOptions, form: Form) -> Result<()> {
    let path = options.service.config.clone();
    let config = read(&path)?;
    if options.service.check {
        return print_effective(&config, form);
    }
    let listener = match (options.take_over, inherited()?) {
        (true, _) => ListenerFrom::Predecessor,
        (false, Some(listener)) => ListenerFrom::Inherited(listener),
        (false, None) => ListenerFrom::Own,
    };
    let level = config.log;
    serve(async |shutdown| {
        messages::set_level(level.map(Level::as_str));
        let (sender, reloads) = mpsc::channel(1);
        let mut reload = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
        let reading = tokio::spawn(async move {
            while reload.recv().await.is_some() {
                match read(&path) {
                    Ok(config) => {
                        messages::set_level(config.log.map(Level::as_str));
                        // The balancer has ended when it cannot be sent.
                        _ = sender.send(config).await;
                    }
                    Err(error) => {
                        tracing::error!(error = format!("{error:#}"), "the configuration was not reloaded");
                    }
                }
            }
        });
        let start = Start { listener, reloads: Some(reloads) };
        let ended = repono_balancer::run_from(config, start, |_addresses| announce_ready(), shutdown).await;
        reading.abort();
        Ok(ended?)
    })
}

fn read(path: &Path) -> Result<Config> {
    let config: Config = configuration(path)?;
    config.validate().map_err(|error| crate::output::usage(format!("{}: {error}", path.display())))?;
    Ok(config)
}

/// The listener that systemd passes to a service with a socket unit.
fn inherited() -> Result<Option<TcpListener>> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<i32>().ok());
    let own = getpid();
    if number("LISTEN_PID") != Some(own.as_raw_nonzero().get()) {
        return Ok(None);
    }
    let passed = number("LISTEN_FDS").unwrap_or_default();
    anyhow::ensure!(passed == 1, "one listening socket is wanted, {passed} were passed");
    let this = pidfd_open(own, PidfdFlags::empty()).context("cannot look at this process")?;
    let listener = pidfd_getfd(this, FIRST_DESCRIPTOR, PidfdGetfdFlags::empty())
        .context("the passed socket cannot be used")?;
    Ok(Some(TcpListener::from(listener)))
}
