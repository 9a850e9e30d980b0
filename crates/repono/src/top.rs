//! `repono top`: heads, rates, percentiles, slow requests and closes, live.

mod draw;
mod facts;
mod poll;
mod screen;
mod view;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use repono_client::{Client, Options as ClientOptions, TicketWish};

use crate::connect::load;
use crate::output::{Form, failure, print, say, usage};

use facts::Level;
use poll::Told;
use view::{Paint, View};

/// Looking at the monitor, and nothing at heads, which have no such path. Without POST it
/// makes a reader, whatever the user may do. A source cannot be asked for: who asks does not
/// know the address that is seen of it.
const TICKET_SCOPE: &str = "m=GET;p=/monitor";
/// It is vended anew a minute before its end.
const TICKET_LIFE_S: u64 = 300;
/// The verdict is bad.
const EXIT_BAD: u8 = 1;
/// Columns of what is printed where no terminal says how many it has.
const COLUMNS: u16 = 120;
/// And its lines: nothing is left out for want of room.
const LINES: u16 = 60;

/// Options of `repono top`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Asks the monitor once a second, with a ticket of the profile's user, who needs the action \
                  repono:ViewMonitor. Keys: space freezes what is shown, c and h switch between what clients and what heads \
                  saw, s sorts the slow requests, H the heads, / filters both, arrows choose a slow request and Enter \
                  shows all of it, q ends; ? shows them all. Where standard input or output is no terminal it prints once, \
                  as with --once. Its ticket is good for looking at the monitor alone, for 5 minutes.\n\n\
                  Exits with 1 where the verdict is bad or the monitor does not answer (--once, --json).\n\nExamples:\n  \
                  repono top\n  repono top --once\n  repono top --json | jq '.heads.heads[] | {name, state}'\n  \
                  repono top --monitor https://monitor.example.net:7445"
)]
pub(crate) struct Options {
    /// Profile with monitor and credentials; else REPONO_PROFILE, else
    /// ~/.config/repono/profile.toml
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// The monitor, if not the profile's
    #[arg(long, value_name = "URL")]
    monitor: Option<String>,
    /// Print what is known now, and end
    #[arg(long)]
    once: bool,
}

/// Shows it until somebody has seen enough.
pub(crate) fn run(options: &Options, form: Form) -> Result<ExitCode> {
    let mut profile = load(options.profile.as_deref())?;
    if let Some(monitor) = &options.monitor {
        profile
            .use_monitor(monitor)
            .map_err(|error| usage(format!("--monitor is not the URL of a monitor: {error}")))?;
    }
    let Some(monitor) = profile.monitor() else {
        return Err(usage("the profile names no `monitor`: add its URL there, or use --monitor URL"));
    };
    let client = Client::new(&profile, ClientOptions { ticket: narrow(), ..ClientOptions::default() })
        .map_err(|error| usage(format!("the certificates to trust cannot be used: {error}")))?;
    let view = View::new(monitor, paint());
    match form {
        Form::Text if !options.once && is_terminal() => screen::run(client, view),
        Form::Text | Form::Json => once(&client, view, form),
    }
}

/// Keys come from one, and frames go to the other.
fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// What its ticket is good for: looking, and not for long.
fn narrow() -> TicketWish {
    TicketWish { life_s: Some(TICKET_LIFE_S), scope: Some(TICKET_SCOPE.to_owned()) }
}

fn paint() -> Paint {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !io::stdout().is_terminal() { Paint::Plain } else { Paint::Colours }
}

fn once(client: &Client, mut view: View, form: Form) -> Result<ExitCode> {
    let told = crate::block_on(async {
        let told = poll::once(client).await;
        client.close().await;
        Ok(told)
    })?;
    let facts = match told {
        Told::Facts(facts) => facts,
        Told::Nothing(why) | Told::Refused(why) => {
            let hint = "is the monitor running, and may this user view it (repono:ViewMonitor)?";
            return Err(failure("Monitor", format!("{} does not tell: {why}", view.monitor), hint));
        }
    };
    let bad = facts.verdict().is_some_and(|verdict| verdict.level == Level::Bad);
    match form {
        Form::Json => say(facts.json())?,
        Form::Text => {
            let now = Instant::now();
            view.take(Told::Facts(facts), now);
            print(draw::plain(&view, now, COLUMNS, LINES))?;
        }
    }
    Ok(if bad { ExitCode::from(EXIT_BAD) } else { ExitCode::SUCCESS })
}
