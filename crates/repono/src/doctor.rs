//! `repono doctor`: an endpoint examined from outside.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use repono_doctor::advertised::Unreachable;
use repono_doctor::clients;
use repono_doctor::compared::Baseline;
use repono_doctor::examination::{Examination, Extent, examine};
use repono_doctor::report::Report;
use repono_probe::target::Target;
use repono_probe::watch::Watch;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::block_on;
use crate::output::{Form, failure, print, say, usage};
use crate::trust::TrustOptions;

/// Something was found.
const EXIT_FOUND: u8 = 1;
/// Connections that somebody else's endpoint is given unasked: a browser with some
/// tabs opens as many.
const UNASKED_MAX: usize = 64;
/// Above the longest limit that is usual (GCP's 620 s, our 650 s), and seldom needed.
const IDLE_MAX_S: u64 = 3_600;
/// How often the state is told where no bar can be drawn.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Options of `repono doctor`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Opens many connections at once, lets each be quiet for longer than the one before, and asks again: the \
                  whole takes as long as the longest. HEAD and GET are sent, and PUT whose body never comes. Exits with 0 \
                  when nothing was found, with 1 when something was.\n\nExamples:\n  \
                  repono doctor https://store.example.net/ --quick\n  \
                  repono doctor https://store.example.net/ --json > before.json\n  \
                  repono doctor https://store.example.net/ --baseline before.json\n  \
                  repono doctor https://store.example.net/ --during 'systemctl reload haproxy'\n  \
                  repono doctor https://store.example.net/ --head https://head-1.example.net:7451/"
)]
pub(crate) struct Options {
    /// The endpoint: http:// or https://
    url: String,
    /// Try quiet connections for 30 s at most
    #[arg(long, conflicts_with = "idle_max")]
    quick: bool,
    /// The longest quiet to try, seconds
    #[arg(long, value_name = "S", default_value_t = 360, value_parser = clap::value_parser!(u64).range(2..=IDLE_MAX_S))]
    idle_max: u64,
    /// A head behind the balancer, to be examined beside it
    #[arg(long, value_name = "URL")]
    head: Vec<String>,
    /// An earlier result (of --json), to be held against
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Run this command by the shell first, and tell what clients meet meanwhile
    #[arg(long, value_name = "CMD")]
    during: Option<String>,
    /// Only clients whose name contains this
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// A header for each request, such as one that authorizes
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE")]
    headers: Vec<String>,
    #[command(flatten)]
    trust: TrustOptions,
    /// Requests that one connection is given, one after another
    #[arg(long, value_name = "N", default_value_t = 1_100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    requests_max: u32,
    /// Do not ask before more than 64 connections are opened
    #[arg(long, short)]
    yes: bool,
}

/// Examines the endpoint, and prints what was found.
pub(crate) fn run(options: &Options, form: Form) -> Result<ExitCode> {
    let baseline = options.baseline.as_deref().map(read_baseline).transpose()?;
    check_client(options.client.as_deref())?;
    let idle_max =
        if options.quick { Duration::from_secs(30) } else { Duration::from_secs(options.idle_max) };
    let extent = Extent { idle_max, requests_max: options.requests_max, trust: options.trust.read()? };
    let (examination, heads) = block_on(examine_all(options, &extent))?;
    let mut report = Report::new(examination, heads, baseline.as_ref(), options.client.as_deref())?;
    if options.trust.insecure {
        report.examination.skipped.push("certificates were not checked (--insecure)".to_owned());
    }
    match form {
        Form::Json => say(report.json()?)?,
        Form::Text => print(&report)?,
    }
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FOUND) })
}

fn read_baseline(file: &Path) -> Result<Baseline> {
    let text = fs::read(file).map_err(|error| usage(format!("cannot read {}: {error}", file.display())))?;
    Baseline::parse(&text).map_err(|error| {
        usage(format!("{} is not what `repono doctor --json` printed: {error}", file.display()))
    })
}

fn check_client(wanted: Option<&str>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let names = clients::names()?;
    if names.iter().any(|name| name.to_lowercase().contains(&wanted.to_lowercase())) {
        return Ok(());
    }
    Err(usage(format!("no client is called {wanted:?}; known are {}", names.join(", "))))
}

/// The endpoint and its heads, all at once.
async fn examine_all(options: &Options, extent: &Extent) -> Result<(Examination, Vec<Examination>)> {
    let mut targets = Vec::new();
    for url in std::iter::once(&options.url).chain(&options.head) {
        let target = Target::resolve(url, &options.headers, "repono-doctor").await;
        targets.push(Arc::new(target.map_err(|error| usage(chained(&error)))?));
    }
    let foreign = targets.iter().filter(|target| !target.is_loopback()).count();
    let connections = foreign * extent.connections();
    if connections > UNASKED_MAX && !options.yes {
        consent(connections)?;
    }
    let watch = Arc::new(Watch::default());
    let told = tokio::spawn(tell(Arc::clone(&watch), extent.idle_max));
    let mut running = JoinSet::new();
    for (number, target) in targets.into_iter().enumerate() {
        let (extent, watch) = (extent.clone(), Arc::clone(&watch));
        let during = options.during.as_deref().filter(|_| number == 0).map(shell).transpose()?;
        running.spawn(async move {
            let shown = target.shown.clone();
            let examined = examine(target, &extent, during, &watch).await;
            (number, examined.map_err(|error| unreachable(&shown, &error)))
        });
    }
    let mut examined = running.join_all().await;
    told.abort();
    examined.sort_by_key(|(number, _)| *number);
    let mut all = examined.into_iter().map(|(_, examined)| examined).collect::<Result<Vec<_>>>()?.into_iter();
    let front = all.next().context("an endpoint")?;
    Ok((front, all.collect()))
}

/// What the shell is to run; what that prints is no part of our result.
fn shell(line: &str) -> Result<Command> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).stdin(Stdio::null()).stdout(io::stderr().as_fd().try_clone_to_owned()?);
    Ok(command)
}

/// An error that may have a cause, in one line.
fn chained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.ends_with(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}

fn unreachable(shown: &str, error: &Unreachable) -> anyhow::Error {
    let hint = match error {
        Unreachable::Open(_) => {
            "--ca FILE names an authority that this machine does not trust; --insecure believes any"
        }
        Unreachable::Trust(_) => "--ca FILE names authorities in PEM",
        Unreachable::Unreadable(_) => "https:// or http://?",
        Unreachable::Unanswered(_) => "try the same with curl -I",
        Unreachable::Command(_) => "sh must be on the PATH",
    };
    failure("Unreachable", format!("{shown}: {}", chained(error)), hint)
}

/// Asks whoever sits there; who cannot be asked has to say so beforehand.
fn consent(connections: usize) -> Result<()> {
    let what = format!("{connections} connections to somebody else's endpoint would be open at a time");
    if !io::stdin().is_terminal() {
        return Err(usage(format!("{what}: say --yes if that is welcome, or try less with --quick")));
    }
    eprint!("{what}. Go on? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(usage("nothing was opened")) }
}

/// Shows how far it is: by a bar on a terminal, by a line now and then elsewhere.
async fn tell(watch: Arc<Watch>, idle_max: Duration) {
    let begun = Instant::now();
    let bar = ProgressBar::with_draw_target(Some(idle_max.as_secs()), ProgressDrawTarget::stderr_with_hz(4));
    if let Ok(style) = ProgressStyle::with_template("{pos:>5} of {len} s  {wide_bar}  {msg}") {
        bar.set_style(style);
    }
    let drawn = io::stderr().is_terminal();
    let mut ticks = interval(if drawn { Duration::from_secs(1) } else { TOLD_EVERY });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        let standing = watch.standing();
        let first = standing.first_end.map_or_else(String::new, |(manner, after)| {
            format!(", the first end after {:.1} s ({})", after.as_secs_f64(), manner.as_str())
        });
        let state = format!(
            "{} quiet, {} answered, {} ended{first}",
            standing.quiet, standing.answered, standing.ended
        );
        if drawn {
            bar.set_position(begun.elapsed().as_secs().min(idle_max.as_secs()));
            bar.set_message(state);
        } else {
            eprintln!("{:.0} of {} s: {state}", begun.elapsed().as_secs_f64(), idle_max.as_secs());
        }
    }
}
