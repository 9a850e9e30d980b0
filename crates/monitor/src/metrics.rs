//! The text for Prometheus.
//!
//! *Source*: Prometheus text exposition format 0.0.4.

pub(crate) mod board;

use tokio::time::Instant;

use crate::heads::{Answer, Freshness, HeadStatus};

/// A family's kind.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Up and down.
    Gauge,
    /// Only up, and from zero again when the head is started again.
    Counter,
    /// Buckets by their upper bounds, a sum and a count.
    Histogram,
}

/// The media type of [`text`].
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every metric, as of `now`.
///
/// *Shape*: a stale answer keeps `repono_head_up`, as 0, and the age; states and
/// counts that nobody knows any more are left out, so that no graph shows them as
/// if they were known. Without any answer there are no heads and no age.
pub(crate) fn text(latest: Option<&Answer>, now: Instant) -> String {
    let fresh = latest.filter(|answer| match answer.freshness(now) {
        Freshness::Fresh => true,
        Freshness::Stale => false,
    });
    let last = latest.map_or(&[][..], |answer| answer.heads.as_slice());
    let known = fresh.map_or(&[][..], |answer| answer.heads.as_slice());
    let up = last.iter().map(|head| {
        let serves = fresh.is_some() && head.state.serves();
        (labels(head), u8::from(serves).to_string())
    });
    let states = known.iter().map(|head| {
        let labels = format!("{{head=\"{}\",state=\"{}\"}}", escaped(&head.name), head.state.as_str());
        (labels, "1".to_owned())
    });
    let connections = known.iter().map(|head| (labels(head), head.connections.to_string()));
    let events = known.iter().flat_map(|head| {
        let labels =
            |event: &str| format!("{{head=\"{}\",event=\"{}\"}}", escaped(&head.name), escaped(event));
        head.counters.iter().map(move |(event, count)| (labels(event), count.to_string()))
    });
    let age = latest.map(|answer| (String::new(), format!("{:.3}", answer.age(now).as_secs_f64())));
    let balancer = std::iter::once((String::new(), u8::from(fresh.is_some()).to_string()));
    [
        gauge("repono_head_up", "Whether the head serves, as the balancer sees it.", up),
        gauge("repono_head_state", "The state of the head: 1 for the one it is in.", states),
        gauge("repono_lb_connections", "Connections that the head has from the balancer.", connections),
        family(
            Kind::Counter,
            "repono_head_events_total",
            "What the head has counted since its start, such as requests that it refused or shed.",
            events,
        ),
        gauge("repono_lb_up", "Whether the balancer has answered within the last 5 s.", balancer),
        gauge("repono_lb_scrape_age_seconds", "Age of the balancer's last answer.", age),
    ]
    .concat()
}

fn gauge(name: &str, help: &str, samples: impl IntoIterator<Item = (String, String)>) -> String {
    family(Kind::Gauge, name, help, samples)
}

fn family(kind: Kind, name: &str, help: &str, samples: impl IntoIterator<Item = (String, String)>) -> String {
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Histogram => "histogram",
    };
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    for (labels, value) in samples {
        text.extend([name, &labels, " ", &value, "\n"]);
    }
    text
}

fn labels(head: &HeadStatus) -> String {
    format!("{{head=\"{}\"}}", escaped(&head.name))
}

/// A label's value: these three characters are the ones that the format escapes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::text;
    use crate::heads::{Answer, HeadStatus, State};
    use crate::limits::STALE;

    fn answer(heads: &[(&str, State)]) -> Answer {
        let head = |(name, state): &(&str, State)| HeadStatus {
            in_flight: None,
            name: (*name).to_owned(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            state: *state,
            weight: 1,
            connections: 7,
            only: false,
            failing: None,
            counters: BTreeMap::from([("requests-shed-by-age".to_owned(), 3)]),
        };
        Answer { heads: heads.iter().map(head).collect(), asked: Instant::now() }
    }

    fn samples(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).collect()
    }

    #[test]
    fn a_fresh_answer_is_told_whole() {
        let answer = answer(&[("a", State::Ready), ("b", State::Draining), ("c", State::Down)]);
        let text = text(Some(&answer), answer.asked + Duration::from_millis(1250));
        assert!(text.starts_with(
            "# HELP repono_head_up Whether the head serves, as the balancer sees it.\n\
             # TYPE repono_head_up gauge\n\
             repono_head_up{head=\"a\"} 1\n"
        ));
        assert_eq!(
            samples(&text),
            [
                r#"repono_head_up{head="a"} 1"#,
                r#"repono_head_up{head="b"} 1"#,
                r#"repono_head_up{head="c"} 0"#,
                r#"repono_head_state{head="a",state="ready"} 1"#,
                r#"repono_head_state{head="b",state="draining"} 1"#,
                r#"repono_head_state{head="c",state="down"} 1"#,
                r#"repono_lb_connections{head="a"} 7"#,
                r#"repono_lb_connections{head="b"} 7"#,
                r#"repono_lb_connections{head="c"} 7"#,
                r#"repono_head_events_total{head="a",event="requests-shed-by-age"} 3"#,
                r#"repono_head_events_total{head="b",event="requests-shed-by-age"} 3"#,
                r#"repono_head_events_total{head="c",event="requests-shed-by-age"} 3"#,
                "repono_lb_up 1",
                "repono_lb_scrape_age_seconds 1.250",
            ]
        );
    }

    #[test]
    fn after_5_s_no_head_is_up() {
        let answer = answer(&[("a", State::Ready)]);
        let just_before = text(Some(&answer), answer.asked + STALE - Duration::from_nanos(1));
        assert!(just_before.contains("repono_head_up{head=\"a\"} 1\n"));
        assert_eq!(
            samples(&text(Some(&answer), answer.asked + STALE)),
            [r#"repono_head_up{head="a"} 0"#, "repono_lb_up 0", "repono_lb_scrape_age_seconds 5.000"]
        );
    }

    #[test]
    fn a_head_that_was_started_again_counts_from_zero() {
        let mut answer = answer(&[("a", State::Ready)]);
        answer.heads[0].counters.insert("requests-shed-by-age".to_owned(), 0);
        let text = text(Some(&answer), answer.asked);
        assert!(text.contains("# TYPE repono_head_events_total counter\n"), "a reset is the reader's to see");
        assert!(text.contains("event=\"requests-shed-by-age\"} 0\n"), "{text}");
    }

    #[test]
    fn without_an_answer_there_is_no_age() {
        assert_eq!(samples(&text(None, Instant::now())), ["repono_lb_up 0"]);
    }

    #[test]
    fn a_name_cannot_leave_its_label() {
        let answer = answer(&[("a\\\"} 1\nb", State::Ready)]);
        let text = text(Some(&answer), answer.asked);
        assert!(text.contains("repono_head_up{head=\"a\\\\\\\"} 1\\nb\"} 1\n"), "{text}");
        assert_eq!(samples(&text).len(), 6);
    }
}
