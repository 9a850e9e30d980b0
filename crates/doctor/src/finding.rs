//! What is wrong with an endpoint, in the words of a diagnosis.

use repono_diagnose::finding::{Confidence, Hop, Remedy, Who};
use serde::Serialize;

use crate::examination::Examination;
use crate::limits::Expect;
use crate::stranger::Stranger;
use repono_probe::conversation::Manner;

/// Below this a limit is met by people who pause, not only by pools.
const SHORT_S: f64 = 60.0;
/// Ends of the same limit lie closer together than this share of it.
const SPREAD_SHARE: f64 = 0.1;
/// Whoever waits longer than this takes it for a stall.
const SLOW_S: f64 = 1.0;
/// Heads that share their keys resume every session; one in ten may come too late.
const RESUMED_SHARE: f64 = 0.9;

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its name.
    pub rule: &'static str,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where the cause lies.
    pub hop: Hop,
    /// In one sentence.
    pub title: String,
    /// What says so.
    pub evidence: Vec<Evidence>,
    /// How many probes met it, and what it costs.
    pub impact: Impact,
    /// What to change.
    pub remedies: Vec<Remedy>,
    /// What it is not, and why.
    pub ruled_out: Vec<String>,
}

/// A measurement that says so.
#[derive(Clone, Debug, Serialize)]
pub struct Evidence {
    /// The endpoint, where a diagnosis has a file.
    pub file: String,
    /// There is none.
    pub line: Option<u64>,
    /// The measurement, in words.
    pub text: String,
}

/// What it costs.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Impact {
    /// How many connections met it.
    pub count: usize,
    /// What each of their requests lost, milliseconds; `None` where that is the
    /// client's own time-out.
    pub added_ms: Option<f64>,
}

impl Finding {
    pub(crate) fn new(
        examination: &Examination,
        rule: &'static str,
        (confidence, hop): (Confidence, Hop),
        title: String,
        evidence: Vec<String>,
    ) -> Self {
        let file = &examination.target;
        let evidence = evidence.into_iter().map(|text| Evidence { file: file.clone(), line: None, text });
        Self {
            rule,
            confidence,
            hop,
            title,
            evidence: evidence.collect(),
            impact: Impact::default(),
            remedies: Vec::new(),
            ruled_out: Vec::new(),
        }
    }

    fn meets(mut self, count: usize) -> Self {
        self.impact.count = count;
        self
    }

    pub(crate) fn remedy(mut self, who: Who, what: impl Into<String>) -> Self {
        self.remedies.push(Remedy { who, what: what.into(), of: None });
        self
    }

    /// Rules something out, where there is something.
    pub(crate) fn not(mut self, what: impl Into<Option<&'static str>>) -> Self {
        self.ruled_out.extend(what.into().map(str::to_owned));
        self
    }
}

/// Everything that one examination shows by itself.
pub(crate) fn found(examination: &Examination) -> Vec<Finding> {
    [
        not_kept(examination),
        lost_unseen(examination),
        below_advertised(examination),
        short(examination),
        varies(examination),
        by_rst(examination),
        unannounced(examination),
        close_not_done(examination),
        not_resumed(examination),
        expect_ignored(examination),
        aged(examination),
        strangers_dropped(examination),
        lost_during(examination),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn not_kept(e: &Examination) -> Option<Finding> {
    let said = format!("HEAD was answered by {} with Connection: close", e.advertised.status);
    e.advertised.closes.then(|| {
        let title = "Each request costs a connection: the answer announces its end.".to_owned();
        Finding::new(e, "not-kept-alive", (Confidence::Certain, Hop::Unknown), title, vec![said]).remedy(
            Who::Client,
            "if only this path or status does so, probe another one, or send what authorizes you with -H",
        )
    })
}

/// The connection is gone, and nobody was told.
fn lost_unseen(e: &Examination) -> Option<Finding> {
    let limit = e.idle.limit_s?;
    let lasted = e.idle.at_least_s.unwrap_or(limit);
    let (rule, hop, what, not) = match e.idle.manner {
        Manner::Silent => (
            "idle-silent",
            Hop::Path,
            "is forgotten without a word: nothing acknowledges the next request, and it stalls until its own time-out",
            "A server or balancer that is merely slow: its kernel would have acknowledged the request.",
        ),
        Manner::AckedSilent => (
            "idle-acked-silent",
            Hop::Unknown,
            "is of no use any more: the next request is acknowledged and never answered",
            "A box that drops packets: the request was acknowledged.",
        ),
        Manner::RstOnSend => (
            "idle-rst-on-send",
            Hop::Unknown,
            "is forgotten: nothing is said at its end, and the next request is answered by RST",
            "A clock of the server that ends connections: it would have sent its FIN when the time was over.",
        ),
        Manner::Fin | Manner::FinCloseNotify | Manner::Rst | Manner::None => return None,
    };
    let title = format!("A connection that is quiet for some {limit:.1} s {what}.");
    let mut evidence = vec![
        format!("the longest quiet after which a request was answered: {lasted:.1} s"),
        format!("after longer quiet: {}", e.idle.manner.as_str()),
    ];
    if let Some(extends) = e.idle.keepalive_extends {
        let so = if extends { "outlast it" } else { "do not outlast it" };
        evidence.push(format!("connections with TCP keepalive each second {so}"));
    }
    let seconds = (lasted * 0.8).floor().max(1.0);
    let mut finding = Finding::new(e, rule, (Confidence::Certain, hop), title, evidence)
        .meets(e.idle.failures())
        .remedy(
            Who::Network,
            "send RST or FIN to both sides when a flow expires, and RST for packets of unknown flows",
        )
        .remedy(
            Who::Client,
            format!("give up pooled connections after {seconds:.0} s of quiet; see the table of clients"),
        )
        .not(not);
    if e.idle.keepalive_extends == Some(true) {
        let half = (lasted / 2.0).floor().max(1.0);
        finding = finding.remedy(
            Who::Server,
            format!("TCP keepalive after {half:.0} s of quiet holds connections open here"),
        );
    }
    Some(finding)
}

fn below_advertised(e: &Examination) -> Option<Finding> {
    let limit = e.idle.limit_s?;
    let told = e.advertised.keep_alive_timeout_s?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a header")]
    let short = limit + 0.5 < told as f64;
    short.then(|| {
        let title = format!(
            "Connections are advertised to last {told} s and last {limit:.1} s: clients that heed the header lose requests."
        );
        let evidence = vec![
            format!("Keep-Alive: timeout={told}"),
            format!("the limit: {limit:.1} s ({})", e.idle.manner.as_str()),
        ];
        Finding::new(e, "idle-below-advertised", (Confidence::Certain, e.ended_by()), title, evidence)
            .meets(e.idle.failures())
            .remedy(Who::Server, format!("advertise at most {:.0} s, or keep connections for more than {told} s", (limit * 0.8).floor()))
            .remedy(Who::Balancer, format!("an idle limit above {told} s"))
            .not(e.ended_by_word())
    })
}

/// An end that everybody sees, and yet so early that requests meet it.
fn short(e: &Examination) -> Option<Finding> {
    let limit = e.idle.limit_s.filter(|limit| *limit < SHORT_S && e.idle.manner.is_announced())?;
    if e.advertised.keep_alive_timeout_s.is_some() {
        return None;
    }
    let title = format!(
        "Quiet connections are ended after {limit:.1} s, and no header says so: a request that is sent at that moment fails in clients that do not send again."
    );
    let mut evidence = vec![format!("the limit: {limit:.1} s ({})", e.idle.manner.as_str())];
    evidence.push("no Keep-Alive header".to_owned());
    Some(
        Finding::new(e, "idle-short", (Confidence::Likely, e.ended_by()), title, evidence)
            .meets(e.idle.failures())
            .remedy(
                Who::Server,
                "keep quiet connections longer than clients do: 650 s is above every usual pool",
            )
            .remedy(
                Who::Server,
                format!("advertise Keep-Alive: timeout={:.0}", (limit * 0.8).floor().max(1.0)),
            )
            .not(e.ended_by_word()),
    )
}

fn varies(e: &Examination) -> Option<Finding> {
    let (first, last) = e.idle.spread_s?;
    (last - first > (last * SPREAD_SHARE).max(0.5)).then(|| {
        let title = format!(
            "The limit is not one: connections were ended after {first:.1} to {last:.1} s. Servers behind one address have different settings, or a clock is coarse."
        );
        let evidence = vec![format!("the first end after {first:.2} s, the last after {last:.2} s")];
        Finding::new(e, "idle-varies", (Confidence::Likely, Hop::Unknown), title, evidence)
            .meets(e.idle.failures())
            .remedy(Who::Server, "compare the settings of the servers; probe each with --head")
    })
}

fn by_rst(e: &Examination) -> Option<Finding> {
    (e.idle.manner == Manner::Rst).then(|| {
        let limit = e.idle.limit_s.unwrap_or_default();
        let title = format!(
            "Quiet connections are ended by RST after {limit:.1} s: .NET 6 and later do not send a request again that meets it, as they would after a FIN."
        );
        let evidence = vec![format!("RST after {limit:.1} s of quiet, unasked")];
        Finding::new(e, "idle-rst", (Confidence::Certain, Hop::Unknown), title, evidence)
            .meets(e.idle.failures())
            .remedy(Who::Balancer, "end quiet connections by FIN")
    })
}

fn unannounced(e: &Examination) -> Option<Finding> {
    let limits = e.limits.as_ref()?;
    let requests = limits.requests?;
    (limits.end_announced == Some(false)).then(|| {
        let title = format!(
            "A connection ends after {requests} requests, and no answer announces it: the next request is lost."
        );
        let evidence = vec![format!("request {} on one connection was not answered", requests + 1)];
        Finding::new(e, "end-unannounced", (Confidence::Certain, Hop::Unknown), title, evidence)
            .meets(1)
            .remedy(Who::Server, "Connection: close in the last answer (RFC 9112 section 9.6)")
    })
}

fn close_not_done(e: &Examination) -> Option<Finding> {
    let close = e.limits.as_ref()?.close;
    let what = match (close.announced, close.manner) {
        (_, Manner::None) => "is not followed by the end of the connection within 5 s",
        (false, _) => "is not confirmed by the answer, though the connection ends",
        (true, _) => return None,
    };
    let title = format!("Connection: close {what}.");
    let evidence = vec![format!(
        "the answer {} close; the end: {}",
        if close.announced { "says" } else { "does not say" },
        close.manner.as_str()
    )];
    Some(
        Finding::new(e, "close-not-done", (Confidence::Certain, Hop::Unknown), title, evidence)
            .meets(1)
            .remedy(Who::Server, "confirm Connection: close in the answer, and end the connection after it (RFC 9112 section 9.6)"),
    )
}

fn not_resumed(e: &Examination) -> Option<Finding> {
    let share = e.advertised.resumption.filter(|share| *share < RESUMED_SHARE)?;
    let title = if share == 0.0 {
        "No TLS session is resumed: each connection pays a full handshake.".to_owned()
    } else {
        format!(
            "Only {:.0} % of TLS sessions are resumed: servers behind one address do not share their keys.",
            share * 100.0
        )
    };
    let evidence = vec![format!("share of resumed handshakes, of 8: {share:.2}")];
    Some(
        Finding::new(e, "tls-not-resumed", (Confidence::Likely, Hop::Tls), title, evidence)
            .meets(1)
            .remedy(Who::Server, "session tickets under keys that all servers share and rotate"),
    )
}

fn expect_ignored(e: &Examination) -> Option<Finding> {
    (e.limits.as_ref()?.expect == Expect::Nothing).then(|| {
        let title = "Expect: 100-continue is not answered: each upload waits for its client's clock (.NET 350 ms, curl and botocore 1 s).".to_owned();
        let evidence = vec!["nothing came within 1.5 s of a PUT that expects 100".to_owned()];
        let mut finding = Finding::new(e, "expect-ignored", (Confidence::Certain, Hop::Unknown), title, evidence)
            .meets(1)
            .remedy(Who::Server, "answer 100, or the final status, at once (RFC 9110 section 10.1.1)")
            .remedy(Who::Client, ".NET: ServicePointManager.Expect100Continue = false; curl: -H 'Expect:'");
        finding.impact.added_ms = Some(350.0);
        finding
    })
}

fn aged(e: &Examination) -> Option<Finding> {
    let limits = e.limits.as_ref()?;
    let age = limits.age_s?;
    (limits.age_announced == Some(false)).then(|| {
        let title = format!(
            "A connection in use is ended after {age:.0} s, and no answer announces it: a request that is sent at that moment is lost."
        );
        let mut evidence = vec![format!("asked each second, a connection ended after {age:.1} s")];
        // Connections are asked once a second, which is how much later it is seen.
        if e.idle.limit_s.is_some_and(|limit| (age - limit).abs() <= limit * SPREAD_SHARE + 1.0) {
            evidence.push("quiet connections end at the same age: the idle limit found here is one of age".to_owned());
        }
        Finding::new(e, "age-unannounced", (Confidence::Likely, Hop::Unknown), title, evidence)
            .meets(1)
            .remedy(Who::Server, "Connection: close in the last answer (RFC 9112 section 9.6)")
    })
}

/// A forgotten connection will be met with the same silence.
fn strangers_dropped(e: &Examination) -> Option<Finding> {
    (e.stranger == Some(Stranger::Silence)).then(|| {
        let title = "Packets of connections that nobody knows are dropped without a word: once a box on the way has forgotten a connection, its next request stalls until its own time-out.".to_owned();
        let evidence = vec!["three ACKs of a connection that does not exist: no RST within 0.7 s each".to_owned()];
        Finding::new(e, "unknown-flow-dropped", (Confidence::Likely, Hop::Path), title, evidence)
            .meets(1)
            .remedy(Who::Network, "answer packets of unknown flows by RST (RFC 9293 section 3.5.2)")
            .remedy(Who::Server, "TCP keepalive below the idle limit of every box on the way")
    })
}

fn lost_during(e: &Examination) -> Option<Finding> {
    let during = e.during.as_ref()?;
    let failed = during.lost + during.refused;
    let slow = during.slowest_s > SLOW_S;
    (failed > 0 || slow).then(|| {
        let title = if failed > 0 {
            format!(
                "While the command ran, {} requests were lost and {} connections refused; {} requests were answered.",
                during.lost, during.refused, during.answered
            )
        } else {
            format!("While the command ran, a request took {:.1} s.", during.slowest_s)
        };
        let evidence = vec![format!("the slowest answer: {:.3} s; ends that were seen in time: {}", during.slowest_s, during.seen)];
        let mut finding = Finding::new(e, "lost-during-command", (Confidence::Certain, Hop::Unknown), title, evidence)
            .meets(usize::try_from(failed).unwrap_or(usize::MAX))
            .remedy(Who::Server, "pass listening sockets on, announce ends by Connection: close, and end connections at a quiet moment");
        finding.impact.added_ms = slow.then_some(during.slowest_s * 1000.0);
        finding
    })
}
