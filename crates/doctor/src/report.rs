//! Examinations as text and as JSON.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::clients::{self, Advice, Verdict};
use crate::compared::{self, Baseline};
use crate::examination::Examination;
use crate::finding::{self, Finding};
use crate::limits::{Expect, Limits};
use crate::stranger::Stranger;
use repono_probe::conversation::Manner;
use repono_probe::ladder::{End, Idle, Kind};

/// Everything that is said of an endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was measured.
    #[serde(flatten)]
    pub examination: Examination,
    /// The same of the heads behind it.
    pub heads: Vec<Examination>,
    /// What is wrong, and what has changed.
    pub findings: Vec<Finding>,
    /// Which clients are safe.
    pub clients: Vec<Advice>,
}

impl Report {
    /// Judges what was measured. `client` narrows the table of clients.
    ///
    /// *Errors*: the table of clients is not well formed, which a test rules out.
    pub fn new(
        examination: Examination,
        heads: Vec<Examination>,
        baseline: Option<&Baseline>,
        client: Option<&str>,
    ) -> Result<Self, toml::de::Error> {
        let mut findings = baseline.map(|baseline| baseline.changes(&examination)).unwrap_or_default();
        findings.extend(finding::found(&examination));
        findings.extend(compared::twins(&examination, &heads));
        let clients = clients::advise(&examination.idle, &examination.advertised, client)?;
        Ok(Self { examination, heads, findings, clients })
    }

    /// One JSON value.
    ///
    /// *Errors*: none that its types allow.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        examined(f, &self.examination)?;
        for head in &self.heads {
            writeln!(f)?;
            examined(f, head)?;
        }
        for (number, finding) in (1..).zip(&self.findings) {
            found(f, number, finding)?;
        }
        if self.findings.is_empty() {
            writeln!(f, "\nNothing is wrong with it, as far as this was tested.")?;
        }
        let width = self.clients.iter().map(|advice| advice.client.len()).max().unwrap_or_default();
        if !self.clients.is_empty() {
            writeln!(f, "\nClients")?;
        }
        for advice in &self.clients {
            let verdict = match advice.verdict {
                Verdict::Safe => "safe  ",
                Verdict::Unsafe => "UNSAFE",
            };
            writeln!(f, "  {:width$}  {verdict}  {}", advice.client, advice.why)?;
            if let Some(setting) = &advice.setting {
                writeln!(f, "  {:width$}          set: {setting}", "")?;
            }
        }
        if !self.examination.skipped.is_empty() {
            writeln!(f, "\nNot tested")?;
        }
        for skipped in &self.examination.skipped {
            writeln!(f, "  {skipped}")?;
        }
        Ok(())
    }
}

fn row(f: &mut Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "  {name:22}{value}")
}

fn examined(f: &mut Formatter<'_>, e: &Examination) -> fmt::Result {
    writeln!(f, "{} ({})", e.target, e.address)?;
    let advertised = &e.advertised;
    let server = advertised.server.as_deref().unwrap_or("no Server header");
    row(f, "answers", format_args!("{} to HEAD, {server}", advertised.status))?;
    row(f, "HTTP", advertised.http.join(", "))?;
    if let Some(share) = advertised.resumption {
        let tls = advertised.tls.join(", ");
        row(f, "TLS", format_args!("{tls}; {:.0} % of sessions resumed", share * 100.0))?;
    }
    let told = advertised.keep_alive_timeout_s.map_or_else(|| "nothing".to_owned(), |s| format!("{s} s"));
    row(f, "Keep-Alive says", told)?;
    row(f, "idle limit", limit(&e.idle))?;
    if e.idle.limit_s.is_some() {
        row(f, "manner of the end", manner(e.idle.manner))?;
    }
    if let Some(extends) = e.idle.keepalive_extends {
        row(
            f,
            "TCP keepalive",
            if extends { "lets a connection outlast the limit" } else { "changes nothing" },
        )?;
    }
    if let Some(limits) = &e.limits {
        limited(f, limits)?;
    }
    for race in &e.race {
        let sent = race.answered + race.lost;
        row(
            f,
            &format!("{} at the limit", race.method.as_str()),
            format_args!("{} of {sent} requests lost; {} ends seen in time", race.lost, race.seen),
        )?;
    }
    match e.stranger {
        Some(Stranger::Rst { after_s }) => {
            row(f, "unknown connection", format_args!("RST after {:.1} ms", after_s * 1000.0))?;
        }
        Some(Stranger::Silence) => row(f, "unknown connection", "its packets are dropped without a word")?,
        None => {}
    }
    if let Some(during) = &e.during {
        let status =
            during.exit_status.map_or_else(|| "was ended".to_owned(), |code| format!("ended with {code}"));
        let met = format!(
            "{} requests answered, {} lost, {} connections refused; the slowest after {:.3} s",
            during.answered, during.lost, during.refused, during.slowest_s
        );
        row(f, "during the command", format_args!("which {status}: {met}"))?;
    }
    Ok(())
}

fn limited(f: &mut Formatter<'_>, limits: &Limits) -> fmt::Result {
    let requests = match (limits.requests, limits.end_announced) {
        (Some(requests), Some(true)) => format!("{requests} on a connection, then an announced end"),
        (Some(requests), _) => format!("{requests} on a connection, then an end without a word"),
        (None, _) => format!("no limit up to {}", limits.requests_tested),
    };
    row(f, "requests", requests)?;
    match limits.age_s {
        Some(age) => row(f, "age", format_args!("a connection in use ends after {age:.0} s"))?,
        None => row(f, "age", format_args!("no limit up to {:.0} s", limits.age_tested_s))?,
    }
    let close = limits.close;
    let said = if close.announced { "confirmed" } else { "not confirmed" };
    match close.after_s {
        Some(after) => {
            row(f, "Connection: close", format_args!("{said}, {} after {after:.3} s", close.manner.as_str()))?
        }
        None => row(f, "Connection: close", format_args!("{said}, and no end within 5 s"))?,
    }
    match limits.expect {
        Expect::Continue { after_s } => {
            row(f, "Expect: 100-continue", format_args!("100 after {after_s:.3} s"))
        }
        Expect::Final { status, after_s } => {
            row(f, "Expect: 100-continue", format_args!("{status} at once, after {after_s:.3} s"))
        }
        Expect::Nothing => row(f, "Expect: 100-continue", "no answer within 1.5 s"),
        Expect::Ended => row(f, "Expect: 100-continue", "the connection ended"),
    }
}

fn limit(idle: &Idle) -> String {
    match (idle.limit_s, idle.at_least_s) {
        _ if idle.is_unknown() => "unknown: no connection stayed open after its first answer".to_owned(),
        (Some(limit), Some(at_least)) => format!("about {limit:.1} s (answered after {at_least:.1} s)"),
        (Some(limit), None) => format!("{limit:.2} s"),
        (None, _) => {
            let longest = idle
                .rungs
                .iter()
                .rev()
                .find(|rung| rung.kind == Kind::Quiet && matches!(rung.end, End::Answered { .. }));
            format!("none up to {:.0} s", longest.map_or(idle.tested_to_s, |rung| rung.idle_s))
        }
    }
}

/// What happens, in words.
const fn manner(manner: Manner) -> &'static str {
    match manner {
        Manner::Fin => "fin: it is ended by FIN, without a close_notify",
        Manner::FinCloseNotify => "fin+close_notify: it is ended by close_notify and FIN",
        Manner::Rst => "rst: it is ended by RST",
        Manner::RstOnSend => "rst-on-send: nothing is said, and the next request is answered by RST",
        Manner::Silent => "silent: nothing is said, and nothing acknowledges the next request",
        Manner::AckedSilent => "acked-silent: the next request is acknowledged and never answered",
        Manner::None => "none",
    }
}

fn found(f: &mut Formatter<'_>, number: usize, finding: &Finding) -> fmt::Result {
    writeln!(f, "\n{number}. {}", finding.title)?;
    writeln!(f, "   where: {} ({})", finding.hop, finding.confidence)?;
    for evidence in &finding.evidence {
        writeln!(f, "   seen: {}", evidence.text)?;
    }
    for ruled_out in &finding.ruled_out {
        writeln!(f, "   not: {ruled_out}")?;
    }
    for remedy in &finding.remedies {
        writeln!(f, "   {}: {}", remedy.who, remedy.what)?;
    }
    Ok(())
}
