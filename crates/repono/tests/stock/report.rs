//! What the clients met: judged, and as the table of the docs.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::client::Request;
use crate::crowd::Met;
use crate::scenario::{Outcome, Scenario};

/// What a person notices.
const NOTICED: Duration = Duration::from_secs(1);

/// How many connections these requests used; `None` for a client that does not tell.
fn connections(requests: &[Request]) -> Option<usize> {
    let named: HashSet<_> = requests.iter().map(|r| r.connection.as_str()).filter(|c| c.len() > 1).collect();
    (!named.is_empty()).then_some(named.len())
}

/// How many clients had to leave a connection.
pub(crate) fn moved(outcome: &Outcome) -> usize {
    outcome.met.iter().filter(|met| connections(&met.requests) > Some(1)).count()
}

/// How many requests were in the hands of a head that died.
pub(crate) fn held(outcome: &Outcome) -> usize {
    let held = |met: &Met| met.requests.iter().filter(|request| outcome.was_held(request)).count();
    outcome.met.iter().map(held).sum()
}

/// That nobody stalled, and nothing failed that may not.
pub(crate) fn judge(scenario: Scenario, outcome: &Outcome, stall: Duration) {
    let mut wrong = Vec::new();
    for Met { client, requests } in &outcome.met {
        println!("{scenario:?}: {}", row(client, requests, outcome));
        // The first request pays for the start of a client, many at once; it must end, as all must.
        for (n, request) in requests.iter().enumerate() {
            let stalled = n > 0 && request.took >= stall;
            let failed = request.failure.is_some() && !scenario.may_fail(outcome, request);
            if stalled || failed {
                wrong.push((client, n, request));
            }
        }
    }
    assert!(wrong.is_empty(), "{scenario:?}: {} of all: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
}

fn row(client: &str, requests: &[Request], outcome: &Outcome) -> String {
    let rest = requests.get(1..).unwrap_or_default();
    let failed = requests.iter().filter(|request| request.failure.is_some()).count();
    let slow = rest.iter().filter(|request| request.took >= NOTICED).count();
    let worst = rest.iter().map(|request| request.took).max().unwrap_or_default().as_millis();
    let used = connections(requests).map_or_else(|| "?".to_owned(), |used| used.to_string());
    let mut row = format!("| {client} | {} | {used} | {failed} |", requests.len());
    if !outcome.deaths.is_empty() {
        let held = requests.iter().filter(|request| outcome.was_held(request));
        let (lost, sent_again): (Vec<_>, Vec<_>) = held.partition(|request| request.failure.is_some());
        let _ = write!(row, " {} | {} |", lost.len(), sent_again.len());
    }
    let _ = write!(row, " {slow} | {worst} |");
    row
}

const ABOUT: &str = "# Stock clients

What stock clients meet, their defaults untouched, behind our balancer and three heads. This page is written by
`cargo xtask stock`; the tests play the same scenarios shortly. All clients are at work at the same time, each with one
request after another for an object of 50,000 bytes by its pre-authorized URI.

`connections`: how many the client used, by `X-Repono-Connection` (`?`: it does not tell). `worst` and what took longer than
a second leave out a client's first request, which pays for its start. curl and wget read their list at once, so what they
had in flight is not known; wget tells the end of a request in whole seconds.

";

/// Writes the page of the docs.
pub(crate) fn write_table(played: &[(Scenario, Outcome)], requests: usize) {
    let mut page = ABOUT.to_owned();
    for (scenario, outcome) in played {
        let (title, says) = match scenario {
            Scenario::Rolling => (
                "Restarts, reload, successor, drain",
                "Three times: all heads are restarted one after another (SIGTERM), the balancer reloads its configuration (SIGHUP)\nand is replaced by a successor (`--take-over`), the operator drains a head and gives it back.",
            ),
            Scenario::Kill => (
                "Killed heads",
                "Two heads, one after the other, stand still (SIGSTOP) with requests in their hands and are killed (SIGKILL).\n`lost`: failed in the client's hands; `sent again`: the client sent it again by itself, and succeeded.",
            ),
            Scenario::Limits => (
                "Limits of connections",
                "Heads end a connection after 20 requests or 5 s, the balancer after 60 s.",
            ),
            Scenario::Idle => (
                "Idle connections",
                "Heads advertise 2 s and close after 13 s (as they do 55 and 650 s). Gaps lie between 1.5 and 2.5 s.",
            ),
        };
        let _ = write!(page, "## {title}\n\n{says}\n\n");
        let kill = if outcome.deaths.is_empty() { ("", "") } else { (" lost | sent again |", "---|---|") };
        let _ =
            writeln!(page, "| client | requests | connections | failed |{} over 1 s | worst, ms |", kill.0);
        let _ = writeln!(page, "|---|---|---|---|{}---|---|", kill.1);
        for Met { client, requests } in &outcome.met {
            let _ = writeln!(page, "{}", row(client, requests, outcome));
        }
        page.push('\n');
    }
    let _ = writeln!(page, "Versions: {}.", versions());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients.md");
    fs::write(&path, page).expect("written");
    println!("{} for {requests} requests of each client", path.display());
}

/// What the clients call themselves, in their order.
fn versions() -> String {
    let first = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().ok()?;
        let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        let said = String::from_utf8_lossy(&said).into_owned();
        said.lines()
            .next()
            .map(|line| line.split(" (").next().unwrap_or(line).trim().trim_end_matches('.').to_owned())
    };
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let packages = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in \
                    ('requests', 'urllib3', 'httpx', 'aiohttp', 'botocore')), sep=', ')";
    let all = [
        first(&python.to_string_lossy(), &["-c", packages]),
        first("node", &["--version"]).map(|version| format!("Node {version}")),
        first("java", &["-version"]),
        first("perl", &["-MLWP", "-e", "print 'LWP ', LWP->VERSION, \"\\n\""]),
        first("go", &["version"]),
        first("mono", &["--version"]),
        first("curl", &["--version"]),
        first("wget", &["--version"]),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}
