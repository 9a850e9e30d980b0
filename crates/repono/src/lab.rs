//! `repono lab`: the incident, replayed on one machine.

use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use rand::TryRngCore;
use repono_client::{Client, ObjectAddress, Profile};
use repono_core::time::{Timestamp, utc_seconds};
use repono_journal::SharedRecorder;
use repono_lab::{Enclosure, Fetch, FetchError, Ground, Pool, Scenario, Stage};
use serde_json::json;

use crate::output::{Form, failure, say, usage};

/// Options of `repono lab`.
#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// List the scenarios
    List,
    /// Play a scenario: its charts, a table and what happened
    Run(RunOptions),
}

#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono lab run stale-keepalive\n  repono lab run stale-keepalive --seconds 120 --data /tmp/lab\n  repono --json lab run stale-keepalive"
)]
struct RunOptions {
    /// The scenario, of `repono lab list`
    #[arg(value_name = "NAME")]
    name: String,
    /// Where the system, its journals and the charts are kept, a directory for each run
    #[arg(long, value_name = "DIR", default_value = "./repono-lab")]
    data: PathBuf,
    /// How long requests are made, in seconds
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u16).range(10..=3600))]
    seconds: u16,
    /// Plays the same pauses again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Play the box on the way by a relay, as where namespaces are not allowed
    #[arg(long)]
    relay: bool,
    /// This process is in namespaces of its own
    #[arg(long, hide = true, conflicts_with = "relay")]
    enclosed: bool,
}

/// Lists or plays.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    match &options.command {
        Command::List => list(form),
        Command::Run(options) => {
            let scenario = scenario(&options.name)?;
            match scenario.stage() {
                Stage::Middlebox if options.enclosed => play(scenario, options, Ground::Enclosure, form),
                Stage::Middlebox if !options.relay => match Enclosure::check() {
                    Ok(()) => enclose(scenario, options, form),
                    Err(error) => {
                        eprintln!(
                            "no namespaces here ({:#}): a relay plays the box; for a real one install util-linux, \
                             iproute2 and nftables, and allow user namespaces",
                            anyhow::Error::from(error)
                        );
                        play(scenario, options, Ground::Loopback, form)
                    }
                },
                Stage::Middlebox | Stage::Loopback => play(scenario, options, Ground::Loopback, form),
            }
        }
    }
}

fn list(form: Form) -> Result<()> {
    match form {
        Form::Json => {
            let all = Scenario::ALL.map(|it| json!({"name": it.name(), "shows": it.shows()}));
            say(serde_json::to_string(&all)?)?;
        }
        Form::Text => {
            Scenario::ALL.iter().try_for_each(|it| say(format_args!("{:<21}{}", it.name(), it.shows())))?;
        }
    }
    Ok(())
}

fn scenario(name: &str) -> Result<Scenario> {
    Scenario::named(name).ok_or_else(|| {
        let names = Scenario::ALL.map(Scenario::name);
        usage(format!("no scenario is named `{name}`: there are {}", names.join(", ")))
    })
}

/// Becomes the same command in namespaces of its own.
fn enclose(scenario: Scenario, options: &RunOptions, form: Form) -> Result<()> {
    let program = std::env::current_exe().context("this program's own file is unknown")?;
    let mut command = Enclosure::command(&program);
    if form == Form::Json {
        command.arg("--json");
    }
    command.args(["lab", "run", scenario.name(), "--enclosed", "--data"]).arg(&options.data);
    command.args(["--seconds", &options.seconds.to_string()]);
    if let Some(seed) = options.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    Err(command.exec()).context("cannot run `unshare`")
}

fn play(scenario: Scenario, options: &RunOptions, ground: Ground, form: Form) -> Result<()> {
    let seed = match options.seed {
        Some(seed) => seed,
        None => rand::rngs::OsRng.try_next_u64().context("the system gave no random bytes")?,
    };
    let data = directory(options)?;
    let staged = repono_lab::Options {
        program: std::env::current_exe().context("this program's own file is unknown")?,
        data: data.clone(),
        ground,
        length: Duration::from_secs(options.seconds.into()),
        seed,
    };
    let told = |text: &str| {
        if form == Form::Text || std::io::stderr().is_terminal() {
            eprintln!("{text}");
        }
    };
    let mut report = crate::block_on(async {
        tokio::select! {
            played = scenario.play(&staged, &OwnPool, &told) => played.map_err(anyhow::Error::from),
            _ = tokio::signal::ctrl_c() => Err(failure("Interrupted", "interrupted", "")),
        }
    })?;
    report.draw(&data)?;
    match form {
        Form::Json => say(serde_json::to_string(&report)?)?,
        Form::Text => say(report.for_people())?,
    }
    Ok(())
}

/// A new directory for this run: what an earlier one left is evidence.
fn directory(options: &RunOptions) -> Result<PathBuf> {
    let now = utc_seconds(Timestamp::now().unix_seconds()).replace([':', '-'], "");
    let data = options.data.join(format!("{}-{now}", options.name));
    std::fs::create_dir_all(&data)
        .with_context(|| format!("cannot make the directory {}", data.display()))?;
    data.canonicalize().with_context(|| format!("cannot resolve {}", data.display()))
}

/// The client library as a client under the lab.
struct OwnPool;

struct PooledClient {
    client: Client,
    object: ObjectAddress,
}

impl Pool for OwnPool {
    fn client(
        &self,
        profile: &Path,
        object: &str,
        recorder: SharedRecorder,
    ) -> Result<Box<dyn Fetch>, Box<dyn std::error::Error + Send + Sync>> {
        let profile = Profile::load(Some(profile), &|_| None)?;
        let options = repono_client::Options { recorder: Some(recorder), ..Default::default() };
        let client = Client::new(&profile, options)?;
        Ok(Box::new(PooledClient { client, object: object.parse()? }))
    }
}

#[async_trait]
impl Fetch for PooledClient {
    async fn fetch(&mut self) -> Result<(), FetchError> {
        let stat = self.client.stat(&self.object).await;
        stat.map(drop).map_err(|error| FetchError::Connection(error.into()))
    }

    async fn finish(&mut self) {
        self.client.close().await;
    }
}
