//! What the probes of the path found, and the idle time-outs of the parties beside it.

use super::{Family, Sample, label};
use crate::path::Told;

/// *Shape*: nothing but the success of the last probe where nothing was measured, and no
/// limit where none was met. One series each: the manner is one of seven words.
pub(super) fn families(told: &Told) -> Vec<Family> {
    let number = |value: Option<f64>| value.map(|value| Sample::number(Vec::new(), value));
    let time = |ms: Option<u64>| ms.map(|ms| Sample::number(Vec::new(), seconds(ms)));
    let manner = told.manner.map(|manner| Sample::truth(vec![label("manner", manner)], true.into()));
    let tried = told.failed.is_some() || told.probed_ms.is_some();
    let up = tried.then(|| Sample::truth(Vec::new(), told.failed.is_none().into()));
    vec![
        Family::gauge(
            "repono_path_idle_limit_seconds",
            "How long a connection may be idle on the path; absent where the last probe met no limit.",
            number(told.limit_s),
        ),
        Family::gauge(
            "repono_path_idle_tested_seconds",
            "The longest quiet that the last probe of the path tried.",
            number(told.tested_to_s),
        ),
        Family::gauge(
            "repono_path_idle_end",
            "How an idle connection ends on the path: 1 for the manner that the last probe found.",
            manner,
        ),
        Family::gauge("repono_path_probe_up", "Whether the last probe of the path measured something.", up),
        Family::gauge(
            "repono_path_probe_timestamp_seconds",
            "When the path was last measured, in Unix time.",
            time(told.probed_ms),
        ),
        Family::gauge(
            "repono_path_changed_timestamp_seconds",
            "When the idle limit of the path was last found to be another one, in Unix time.",
            time(told.changed_ms),
        ),
    ]
}

/// After how long each party closes idle connections.
pub(crate) fn timeouts(parties: impl IntoIterator<Item = (&'static str, u64)>) -> Family {
    let sample = |(party, ms)| Sample::number(vec![label("party", party)], seconds(ms));
    Family::gauge(
        "repono_idle_timeout_seconds",
        "After how long a party closes idle connections: as the balancer and heads say, or as records show.",
        parties.into_iter().map(sample),
    )
}

#[expect(clippy::cast_precision_loss, reason = "Unix time in ms is exact up to 2^53")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}
