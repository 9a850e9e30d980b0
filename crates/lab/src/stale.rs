//! `stale-keepalive`: the incident. A box on the way forgets connections that were
//! idle for a while and tells nobody; a client sends its next request on one of them.
//!
//! All runs go side by side through one box, each with clients and an entrance of its
//! own, so that they differ by nothing but the remedy.

use std::net::SocketAddr;
use std::time::Duration;

use repono_diagnose::finding::Finding;

use crate::clients::{CLIENTS, Client, Pool, Setup};
use crate::evidence::{diagnosed, journal_of};
use crate::middlebox::{Middlebox, Unknown};
use crate::report::{Report, Run};
use crate::scenario::{LabError, Options, Scenario};
use crate::side_by_side::{RunPlan, SideBySide};
use crate::stand::{Process, Setting, Stand, StandError};

/// When the box forgets; 240 to 350 s at the clouds' balancers. This alone is scaled,
/// and with it what has to come before it.
const FORGETS_AFTER: Duration = Duration::from_secs(4);

/// The pauses of the clients: half of them are longer than the box remembers.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// An end or a question that comes before the box forgets.
const BEFORE_S: i64 = 1;

/// The port of the first run's entrance, on a machine that is the lab's alone.
const FIRST_PORT: u16 = 7500;

/// The balancer-only listener of a further head.
const BALANCED_OFFSET: u16 = 100;

/// Above this a remedy is none.
const FLAT_MS: f64 = 1000.0;

/// The runs, the fault first.
const RUNS: [Plan; 8] = [
    Plan {
        run: RunPlan {
            name: "fault",
            remedy: None,
            title: "fault: the client keeps its connection, the box forgets it",
            client: Client::Keeps,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "client-restarted",
            remedy: None,
            title: "false lead: the client is restarted half way, and is well for a while",
            client: Client::Restarted,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "one-shot-curl",
            remedy: None,
            title: "false lead: one cURL per request never sees it",
            client: Client::OneShot,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "client-closes",
            remedy: Some("client-closes"),
            title: "remedy: the client closes after each file",
            client: Client::Closes,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "client-pool",
            remedy: Some("client-pool"),
            title: "remedy: repono's own pool",
            client: Client::Pool,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "head-keepalive",
            remedy: Some("head-keepalive"),
            title: "remedy: TCP keepalive from the head",
            client: Client::Keeps,
        },
        entrance: Entrance::Head(&[("keepalive_s", BEFORE_S)]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "balancer-fin",
            remedy: Some("balancer-fin"),
            title: "remedy: the balancer ends idle connections with FIN",
            client: Client::Keeps,
        },
        entrance: Entrance::Balancer(&[("idle_ms", BEFORE_S * 1000)]),
        unknown: Unknown::Dropped,
    },
    Plan {
        run: RunPlan {
            name: "balancer-rst",
            remedy: Some("balancer-rst"),
            title: "remedy: the box answers with RST what it does not know",
            client: Client::Keeps,
        },
        entrance: Entrance::Balancer(&[]),
        unknown: Unknown::Reset,
    },
];

/// One run, and what it goes through.
struct Plan {
    run: RunPlan,
    entrance: Entrance,
    unknown: Unknown,
}

/// What the clients connect to, and its settings.
#[derive(Clone, Copy)]
enum Entrance {
    Balancer(&'static [(&'static str, i64)]),
    Head(&'static [(&'static str, i64)]),
}

/// The plans, each with the port of its entrance.
fn plans() -> impl Iterator<Item = (u16, &'static Plan)> {
    (FIRST_PORT..).zip(&RUNS)
}

pub(crate) async fn play(
    options: &Options,
    pool: &impl Pool,
    told: &dyn Fn(&str),
) -> Result<Report, LabError> {
    told("building a network with a box that forgets connections after 4 s of quiet");
    let mut middlebox = Middlebox::build(options.ground, FORGETS_AFTER)?;
    told("starting repono behind it");
    let stand = Stand::start(&middlebox, &options.program, &options.data, 2).await?;
    let setup = Setup::prepare(&stand, &options.data).await?;
    let (mut entrances, mut each) = (Vec::new(), Vec::new());
    for (port, plan) in plans() {
        let address = middlebox.entrance(port).map_err(|source| LabError::file(&options.data, source))?;
        entrances.push(open(&stand, &middlebox, plan, address).await?);
        each.push((plan.run, middlebox.way(address, plan.unknown).await?));
    }
    let side_by_side = SideBySide::gather(&setup, each, pool, options.seed).await?;
    told(&format!(
        "{} runs side by side for {} s, {CLIENTS} clients each, with pauses of up to {} s",
        RUNS.len(),
        options.length.as_secs(),
        PAUSE_MAX.as_secs()
    ));
    let mut runs = side_by_side.play(&setup, options.length, PAUSE_MAX).await?;
    if !middlebox.passes_keepalive() {
        hide_keepalive(&mut runs);
    }
    for entrance in entrances {
        // What it knows of its connections it writes down when they end.
        entrance.stop().await?;
    }
    let journals = stand.facts().journal.clone();
    stand.stop().await?;
    let [Plan { run: fault, .. }, ..] = &RUNS;
    let theirs = ["head-1", "head-2", &entrance_name(fault)].map(|name| journal_of(&journals, name));
    let journals: Vec<_> = theirs.into_iter().chain([setup.journal_of(fault.name)]).collect();
    let what = diagnosed(&journals)?;
    Ok(Report {
        scenario: Scenario::StaleKeepalive.name(),
        diagnosis: sentence(what.findings.first(), &runs),
        runs,
        svg: Vec::new(),
    })
}

fn entrance_name(run: &RunPlan) -> String {
    format!("entrance-{}", run.name)
}

/// A relay keeps two connections, and the keepalive of one is not that of the other.
fn hide_keepalive(runs: &mut [Run]) {
    for (run, (_, plan)) in runs.iter_mut().zip(plans()) {
        if let Entrance::Head(_) = plan.entrance {
            run.not_shown = Some("a relay that plays the box passes no keepalive on".to_owned());
        }
    }
}

/// Starts what the clients of a run connect to.
async fn open(
    stand: &Stand,
    middlebox: &Middlebox,
    plan: &Plan,
    address: SocketAddr,
) -> Result<Process, StandError> {
    let (port, address) = (address.port(), address.to_string());
    let (kind, like, mut settings, own): (_, _, Vec<Setting>, _) = match plan.entrance {
        Entrance::Balancer(own) => ("balancer", "balancer", vec![("listen", address.into())], own),
        Entrance::Head(own) => {
            let balanced = format!("127.0.0.1:{}", port.wrapping_add(BALANCED_OFFSET));
            ("head", "head-1", vec![("direct", address.into()), ("balanced", balanced.into())], own)
        }
    };
    settings.extend(own.iter().map(|(key, value)| (*key, (*value).into())));
    let config = stand.configure(like, &entrance_name(&plan.run), &settings)?;
    stand.serve(middlebox, kind, &config, &[]).await
}

/// What happened, as far as the journals show it.
fn sentence(finding: Option<&Finding>, runs: &[Run]) -> String {
    let Some(Finding { count, worst, title, hop, confidence, .. }) = finding else {
        return "No request waited on a connection that had died: run it for longer.".to_owned();
    };
    format!(
        "{count} of {} requests waited up to {:.1} s: {title}. Where: {hop} ({confidence}). {}",
        runs.first().map_or(0, |run| run.summary.requests),
        worst.unwrap_or_default().as_secs_f64(),
        remedies(runs),
    )
}

fn remedies(runs: &[Run]) -> String {
    let tried: Vec<&Run> =
        runs.iter().filter(|run| run.remedy.is_some() && run.not_shown.is_none()).collect();
    let helps = |run: &&&Run| run.summary.failures == 0 && run.summary.max_ms < FLAT_MS;
    let vain: Vec<_> = tried.iter().filter(|run| !helps(run)).map(|run| run.name).collect();
    if vain.is_empty() {
        let worst = tried.iter().map(|run| run.summary.max_ms).fold(0.0, f64::max);
        format!("With each remedy alone no request took more than {worst:.0} ms.")
    } else {
        format!("No remedy here: {}.", vain.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::{RUNS, Run, remedies, sentence};
    use crate::sample::Summary;

    fn run(name: &'static str, remedy: Option<&'static str>, max_ms: f64) -> Run {
        let summary = Summary { requests: 40, max_ms, ..Summary::default() };
        Run { name, remedy, title: name, summary, tls_handshakes: 1, not_shown: None, samples: Vec::new() }
    }

    #[test]
    fn remedies_that_do_not_help_are_named() {
        let runs = [run("fault", None, 10_004.0), run("client-closes", Some("client-closes"), 35.0)];
        assert!(remedies(&runs).ends_with("no request took more than 35 ms."));
        let slow = [run("fault", None, 10_004.0), run("client-pool", Some("client-pool"), 3000.0)];
        assert!(remedies(&slow).ends_with("No remedy here: client-pool."));
        assert!(sentence(None, &runs).contains("run it for longer"));
    }

    #[test]
    fn every_remedy_is_alone_and_bears_its_name() {
        assert!(RUNS[0].run.remedy.is_none());
        for plan in RUNS.iter().filter(|plan| plan.run.remedy.is_some()) {
            assert_eq!(plan.run.remedy, Some(plan.run.name));
        }
    }
}
