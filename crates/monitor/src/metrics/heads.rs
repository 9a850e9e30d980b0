//! What the balancer says of its heads.

use tokio::time::Instant;

use super::{Family, Labels, Sample, Truth, label};
use crate::heads::{Answer, Freshness, HeadStatus};

/// Every metric of heads.
///
/// *Shape*: a stale answer keeps `repono_head_up`, as 0, and the age; states and
/// counts that nobody knows any more are left out, so that no graph shows them as
/// if they were known. Without any answer there are no heads and no age.
pub(super) fn families(latest: Option<&Answer>, now: Instant) -> Vec<Family> {
    let fresh = latest.filter(|answer| match answer.freshness(now) {
        Freshness::Fresh => true,
        Freshness::Stale => false,
    });
    let last = latest.map_or(&[][..], |answer| answer.heads.as_slice());
    let known = fresh.map_or(&[][..], |answer| answer.heads.as_slice());
    let up = last.iter().map(|head| Sample::truth(of(head), (fresh.is_some() && head.state.serves()).into()));
    let states = known.iter().map(|head| {
        let labels = vec![label("head", &head.name), label("state", head.state.as_str())];
        Sample::truth(labels, Truth::Yes)
    });
    let events = known.iter().flat_map(|head| {
        head.counters.iter().map(|(event, count)| {
            Sample::count(vec![label("head", &head.name), label("event", event)], *count)
        })
    });
    let in_flight = known.iter().filter_map(|head| Some(Sample::count(of(head), head.in_flight?)));
    let age = latest.map(|answer| Sample::number(Vec::new(), answer.age(now).as_secs_f64()));
    vec![
        Family::gauge("repono_head_up", "Whether the head serves, as the balancer sees it.", up),
        Family::gauge("repono_head_state", "The state of the head: 1 for the one it is in.", states),
        Family::gauge(
            "repono_lb_connections",
            "Connections that the head has from the balancer.",
            known.iter().flat_map(connections),
        ),
        Family::gauge(
            "repono_head_requests_in_flight",
            "Requests that the head has under way, as it said at its last check.",
            in_flight,
        ),
        Family::counter(
            "repono_head_events_total",
            "What the head has counted since its start, such as requests that it refused or shed.",
            events,
        ),
        Family::gauge(
            "repono_lb_up",
            "Whether the balancer has answered within the last 5 s.",
            [Sample::truth(Vec::new(), fresh.is_some().into())],
        ),
        Family::gauge("repono_lb_scrape_age_seconds", "Age of the balancer's last answer.", age),
    ]
}

fn of(head: &HeadStatus) -> Labels {
    vec![label("head", &head.name)]
}

/// Those whose client waits and the others, where the balancer tells them apart.
fn connections(head: &HeadStatus) -> Vec<Sample> {
    let of = |state, count| Sample::count(vec![label("head", &head.name), label("state", state)], count);
    match head.waiting {
        Some(active) => {
            vec![of("active", active), of("idle", head.connections.saturating_sub(active))]
        }
        None => vec![of("open", head.connections)],
    }
}
