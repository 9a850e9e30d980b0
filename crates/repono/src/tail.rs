//! `repono tail`: requests as they end, from the journals.

mod asked;
mod filter;
mod line;
mod source;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use repono_journal::follow::{Batch, Follower, POLL_EVERY, Rest, Start};
use repono_journal::read::{self, Record};
use tokio::time::{MissedTickBehavior, interval};

use crate::length::span;
use crate::output::{Form, print, say};
use crate::service::shutdown_signal;

use filter::{Filter, Kind, Statuses};
use line::{Paint, written};

/// Options of `repono tail`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Each line is one request, when it has ended: time (UTC), who wrote it, method and path, status, duration \
                  with the phases that took most of it, whether its connection was new or reused and how long that had been \
                  idle, which attempt it was if not the first, the first digits of the connection's id, and the user. Of a \
                  request there is a line from each side that keeps a journal.\n\nFilters add up. Those that name \
                  requests (--slow, --reused, --new, --status, --method, --failed) leave alone what --connections and \
                  --changes add.\n\nExamples:\n  \
                  repono tail\n  \
                  repono tail --slow 1s --reused\n  \
                  repono tail --head 2 --status 5xx\n  \
                  repono tail --since 10m --failed --connections --changes\n  \
                  repono tail --since 1h --slow 5s --json | jq .repono.phase_ns\n  \
                  repono tail repono-data/journal client-journal --method GET -n 20"
)]
pub(crate) struct Options {
    /// Folders of journals; by default the folder `journal` beside the profile, or
    /// ./repono-data/journal
    #[arg(value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Requests that took so long or longer: 250ms, 1s, 10m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    slow: Option<Duration>,
    /// Requests on connections that had served one before
    #[arg(long, conflicts_with = "new")]
    reused: bool,
    /// Requests that were the first on their connections
    #[arg(long)]
    new: bool,
    /// What this head wrote, or what is known to have gone to it: 2, or head-2
    #[arg(long, value_name = "HEAD")]
    head: Option<String>,
    /// Statuses of the reply: 404, or 5xx; several with commas
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<Statuses>,
    /// The method; several with commas
    #[arg(long, value_name = "METHOD", value_delimiter = ',')]
    method: Vec<String>,
    /// Whose journals: client, balancer, head, vending or recorder; several with commas
    #[arg(long, value_name = "SIDE", value_delimiter = ',', value_parser = filter::side)]
    side: Vec<repono_journal::Side>,
    /// Requests that broke, or that the service failed to carry out (5xx)
    #[arg(long)]
    failed: bool,
    /// Ends of connections too: who ended them, and how
    #[arg(long)]
    connections: bool,
    /// Changes of configuration too
    #[arg(long)]
    changes: bool,
    /// What was written in this span until now too: 10m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    since: Option<Duration>,
    /// End after so many lines
    #[arg(short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

/// Prints lines until Ctrl-C, or until nobody reads them.
pub(crate) fn run(options: &Options, form: Form) -> Result<ExitCode> {
    let folders = source::folders(&options.folders)?;
    let since = options.since.map(|span| SystemTime::now().checked_sub(span).unwrap_or(UNIX_EPOCH));
    let mut follower = Follower::new(folders, since.map_or(Start::End, Start::WrittenSince));
    let mut tail = Tail {
        filter: options.filter(since),
        form: if form == Form::Json { Written::AsItIs } else { Written::Line(paint()) },
        left: options.count,
        damaged: 0,
    };
    crate::block_on(async {
        let mut stop = shutdown_signal()?;
        let mut turns = interval(POLL_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = turns.tick() => {}
            }
            match tail.turn(&follower.poll())? {
                Next::Turn => {}
                Next::AtOnce => turns.reset_immediately(),
                Next::End => break,
            }
            if source::is_abandoned(&io::stdout()) {
                break;
            }
        }
        Ok(())
    })?;
    if tail.damaged > 0 {
        eprintln!("repono: {} lines of the journals could not be read", tail.damaged);
    }
    Ok(ExitCode::SUCCESS)
}

impl Options {
    fn filter(&self, since: Option<SystemTime>) -> Filter {
        let from = since.unwrap_or_else(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default();
        Filter {
            from_wall_ns: u64::try_from(from.as_nanos()).unwrap_or(u64::MAX),
            slow: self.slow,
            reuse: match (self.new, self.reused) {
                (true, _) => Some(filter::Reused::No),
                (false, true) => Some(filter::Reused::Yes),
                (false, false) => None,
            },
            head: self.head.as_deref().map(filter::head_name),
            statuses: self.status.clone(),
            methods: self.method.iter().map(|method| method.to_ascii_uppercase()).collect(),
            sides: self.side.clone(),
            failed: self.failed,
            more: [(self.connections, Kind::Connection), (self.changes, Kind::Change)]
                .into_iter()
                .filter_map(|(wanted, kind)| wanted.then_some(kind))
                .collect(),
        }
    }
}

fn paint() -> Paint {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if io::stdout().is_terminal() && !plain { Paint::Colours } else { Paint::Plain }
}

/// How a line is written.
enum Written {
    /// For people.
    Line(Paint),
    /// As the journal has it.
    AsItIs,
}

/// When the next turn is.
#[derive(PartialEq, Eq)]
enum Next {
    /// When there may be something new.
    Turn,
    /// There is more now.
    AtOnce,
    /// Never: all that was wanted is printed.
    End,
}

struct Tail {
    filter: Filter,
    form: Written,
    /// Lines that are still wanted; `None` for all.
    left: Option<u64>,
    damaged: u64,
}

impl Tail {
    /// Prints a batch of what has come.
    fn turn(&mut self, batch: &Batch<'_>) -> Result<Next> {
        let next = self.print(batch)?;
        Ok(match (next, batch.rest) {
            (Next::Turn, Rest::More) => Next::AtOnce,
            (next, Rest::More | Rest::Nothing) => next,
        })
    }

    fn print(&mut self, batch: &Batch<'_>) -> Result<Next> {
        for (record, line) in self.in_order(batch) {
            match self.form {
                Written::AsItIs => say(String::from_utf8_lossy(line))?,
                Written::Line(paint) => print(written(&record, paint))?,
            }
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    return Ok(Next::End);
                }
            }
        }
        Ok(Next::Turn)
    }

    /// The records that are wanted, in the order of their ends: journals of several
    /// processes come one after the other.
    fn in_order<'a>(&mut self, batch: &Batch<'a>) -> Vec<(Record<'a>, &'a [u8])> {
        let mut records = Vec::new();
        for line in batch.lines() {
            match read::record(line) {
                Ok(record) if self.filter.takes(&record) => records.push((record, line)),
                Ok(_) => {}
                Err(_) => self.damaged += 1,
            }
        }
        records.sort_by_key(|(record, _)| record.fact.ended().map(|at| at.wall_ns));
        records
    }
}
