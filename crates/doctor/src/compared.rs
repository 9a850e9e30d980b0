//! An endpoint held against another examination: its own of another day, or of a head
//! behind it.

use repono_diagnose::finding::{Confidence, Hop, Who};
use serde::Deserialize;

use crate::advertised::Advertised;
use crate::examination::Examination;
use crate::finding::Finding;
use crate::limits::Limits;
use repono_probe::conversation::Manner;

/// Two measurements of the same limit lie closer together than this share of it.
const SAME_SHARE: f64 = 0.1;
/// Sessions may be resumed so much less often by chance.
const SAME_RESUMPTION: f64 = 0.2;

/// An examination of another day, as it was printed.
#[derive(Clone, Debug, Deserialize)]
pub struct Baseline {
    target: String,
    advertised: Advertised,
    idle: EarlierIdle,
    limits: Option<Limits>,
}

#[derive(Clone, Debug, Deserialize)]
struct EarlierIdle {
    limit_s: Option<f64>,
    tested_to_s: f64,
    manner: Manner,
}

impl Baseline {
    /// Reads what `--json` printed.
    ///
    /// *Errors*: those of JSON, and of fields that are missing.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// What has changed since, each change a finding.
    #[must_use]
    pub fn changes(&self, now: &Examination) -> Vec<Finding> {
        let mut changes = Vec::new();
        let mut changed = |what: &'static str, from: String, to: String| {
            if from != to {
                changes.push((what, from, to));
            }
        };
        changed("endpoint", self.target.clone(), now.target.clone());
        let (then, advertised) = (&self.advertised, &now.advertised);
        changed(
            "Keep-Alive: timeout",
            or_none(then.keep_alive_timeout_s),
            or_none(advertised.keep_alive_timeout_s),
        );
        changed("Keep-Alive: max", or_none(then.keep_alive_max), or_none(advertised.keep_alive_max));
        changed("versions of HTTP", then.http.join(", "), advertised.http.join(", "));
        changed("versions of TLS", then.tls.join(", "), advertised.tls.join(", "));
        changed("Server", or_none(then.server.as_ref()), or_none(advertised.server.as_ref()));
        changed("Via", or_none(then.via.as_ref()), or_none(advertised.via.as_ref()));
        changed("status of HEAD", then.status.to_string(), advertised.status.to_string());
        changed(
            "announces the end with every answer",
            then.closes.to_string(),
            advertised.closes.to_string(),
        );
        if let (Some(from), Some(to)) = (then.resumption, advertised.resumption)
            && (from - to).abs() > SAME_RESUMPTION
        {
            changed("share of resumed sessions", format!("{from:.2}"), format!("{to:.2}"));
        }
        if let (Some(then), Some(limits)) = (&self.limits, &now.limits) {
            changed("requests of a connection", or_none(then.requests), or_none(limits.requests));
            changed(
                "end after Connection: close",
                then.close.manner.as_str().into(),
                limits.close.manner.as_str().into(),
            );
        }
        changes.extend(self.idle_change(now));
        changes.into_iter().map(|(what, from, to)| change(now, what, &from, &to)).collect()
    }

    /// The limit and the manner, as far as both examinations reach.
    fn idle_change(&self, now: &Examination) -> Option<(&'static str, String, String)> {
        let shown = |limit: Option<f64>, tested: f64, manner: Manner| match limit {
            Some(limit) => format!("{limit:.1} s ({})", manner.as_str()),
            None => format!("none up to {tested:.0} s"),
        };
        let same = match (self.idle.limit_s, now.idle.limit_s) {
            (Some(from), Some(to)) => {
                (from - to).abs() <= SAME_SHARE * from.max(to) && self.idle.manner == now.idle.manner
            }
            (Some(from), None) => from > now.idle.tested_to_s,
            (None, Some(to)) => to > self.idle.tested_to_s,
            (None, None) => true,
        };
        (!same).then(|| {
            (
                "idle limit",
                shown(self.idle.limit_s, self.idle.tested_to_s, self.idle.manner),
                shown(now.idle.limit_s, now.idle.tested_to_s, now.idle.manner),
            )
        })
    }
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn change(now: &Examination, what: &str, from: &str, to: &str) -> Finding {
    let title = format!("Changed since the baseline: {what}, from {from} to {to}.");
    let evidence = vec![format!("{what} then: {from}"), format!("{what} now: {to}")];
    Finding::new(now, "changed", (Confidence::Certain, Hop::Unknown), title, evidence).remedy(
        Who::Server,
        "ask who changed it, and when; the journal of a Repono keeps every change of configuration",
    )
}

/// What the heads behind an endpoint say of where its limit comes from.
#[must_use]
pub fn twins(front: &Examination, heads: &[Examination]) -> Vec<Finding> {
    heads.iter().filter_map(|head| twin(front, head)).collect()
}

fn twin(front: &Examination, head: &Examination) -> Option<Finding> {
    let limit = front.idle.limit_s?;
    let behind = head.idle.limit_s;
    let earlier = behind.is_none_or(|behind| limit < behind * (1.0 - SAME_SHARE));
    let same = behind.is_some_and(|behind| (limit - behind).abs() <= SAME_SHARE * behind);
    let shown = behind.map_or_else(
        || format!("no end up to {:.0} s", head.idle.tested_to_s),
        |behind| format!("{behind:.1} s ({})", head.idle.manner.as_str()),
    );
    let evidence = vec![
        format!("{}: {limit:.1} s ({})", front.target, front.idle.manner.as_str()),
        format!("{}: {shown}", head.target),
    ];
    if earlier {
        let (hop, who) = match front.idle.manner {
            Manner::Silent => (Hop::Path, "what lies before the head"),
            _ => (Hop::Balancer, "the balancer"),
        };
        let title = format!(
            "Quiet connections are ended by {who}, after {limit:.1} s: {} itself keeps them longer.",
            head.target
        );
        return Some(
            Finding::new(front, "ended-before-head", (Confidence::Likely, hop), title, evidence)
                .remedy(
                    Who::Balancer,
                    "an idle limit above that of the heads, so that only they end connections",
                )
                .not("The head: asked directly, it kept the connection longer."),
        );
    }
    same.then(|| {
        let title = format!(
            "Quiet connections are ended by the head, after {limit:.1} s: asked directly, {} does the same.",
            head.target
        );
        Finding::new(front, "ended-by-head", (Confidence::Likely, Hop::Head), title, evidence)
            .not("The balancer: without it the limit is the same.")
    })
}
