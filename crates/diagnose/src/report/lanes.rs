//! The steps of a finding as lanes over time: one for each connection and side.

use crate::event::Instant;
use crate::finding::{Step, Tone};

/// How far beside the client's own steps a time of another side is drawn, in shares of
/// theirs: what lies farther away stands at the margin.
const MARGIN: f64 = 0.15;

/// Lanes, and what the way along them means.
#[derive(Debug)]
pub(super) struct Lanes<'s> {
    pub(super) lanes: Vec<(&'s str, Vec<Dot>)>,
    /// The first and the last time of the client's steps; `None` where only the order
    /// is known.
    pub(super) times: Option<(Instant, Instant)>,
}

/// A step on its lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dot {
    /// Its number among the steps, from 1.
    pub(super) number: usize,
    /// Where along the lane, from 0 to 1.
    pub(super) along: f64,
    pub(super) tone: Tone,
}

impl<'s> Lanes<'s> {
    pub(super) fn of(steps: &'s [Step]) -> Self {
        let times = span(steps);
        let last = steps.len().saturating_sub(1).max(1) as f64;
        let mut lanes: Vec<(&str, Vec<Dot>)> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let along = match times {
                Some(span) => share(span, step.mark.at),
                None => at as f64 / last,
            };
            let dot = Dot { number: at + 1, along, tone: step.tone };
            match lanes.iter_mut().find(|(name, _)| *name == step.lane) {
                Some((_, dots)) => dots.push(dot),
                None => lanes.push((&step.lane, vec![dot])),
            }
        }
        for (_, dots) in &mut lanes {
            dots.sort_by(|one, other| one.along.total_cmp(&other.along));
        }
        Self { lanes, times }
    }
}

/// Where the dots of a lane stand that is so long, each so far from the next at least.
pub(super) fn apart(dots: &[Dot], length: f64, least: f64) -> Vec<f64> {
    let mut places: Vec<f64> = dots.iter().map(|dot| dot.along * length).collect();
    for at in 1..places.len() {
        places[at] = places[at].max(places[at - 1] + least);
    }
    let mut most = length;
    for place in places.iter_mut().rev() {
        *place = place.min(most).max(0.0);
        most = *place - least;
    }
    places
}

/// From the first to the last of the steps that went well or badly or led there: other
/// sides' records may be of hours later.
fn span(steps: &[Step]) -> Option<(Instant, Instant)> {
    let own = |step: &&Step| !matches!(step.lane.as_str(), "client" | "balancer" | "head");
    let times: Option<Vec<_>> = steps.iter().filter(own).map(|step| step.mark.at).collect();
    let times = times?;
    let (first, last) = (times.iter().min().copied()?, times.iter().max().copied()?);
    (first < last).then_some((first, last))
}

fn share((first, last): (Instant, Instant), at: Option<Instant>) -> f64 {
    let length = (last.0 - first.0) as f64;
    let inner = at.map_or(0.0, |at| (at.0 - first.0) as f64 / length);
    let whole = 1.0 + 2.0 * MARGIN;
    ((inner + MARGIN) / whole).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::{Dot, Lanes, MARGIN, apart};
    use crate::event::{Instant, Place};
    use crate::finding::{Step, Tone};
    use crate::timeline::Mark;

    fn step(lane: &str, at: Option<i128>) -> Step {
        let mark = Mark { place: Place { file: 0, line: 1 }, at: at.map(Instant), text: "".into() };
        Step { lane: lane.into(), what: String::new(), tone: Tone::Plain, mark }
    }

    #[test]
    fn times_scale_and_what_is_far_away_stands_at_the_margin() {
        let steps = [
            step("c1", Some(100)),
            step("c1", Some(200)),
            step("balancer", Some(90_000)),
            step("c2", Some(150)),
        ];
        let lanes = Lanes::of(&steps);
        let names: Vec<_> = lanes.lanes.iter().map(|(name, dots)| (*name, dots.len())).collect();
        assert_eq!(names, [("c1", 2), ("balancer", 1), ("c2", 1)]);
        let along = |lane: usize, dot: usize| lanes.lanes[lane].1[dot].along;
        assert!((along(2, 0) - 0.5).abs() < 1e-9 && (along(1, 0) - 1.0).abs() < 1e-9);
        assert!((along(0, 0) - MARGIN / (1.0 + 2.0 * MARGIN)).abs() < 1e-9);
    }

    #[test]
    fn dots_keep_apart_and_within_their_lane() {
        let dot = |along| Dot { number: 1, along, tone: Tone::Plain };
        assert_eq!(apart(&[dot(0.0), dot(0.5), dot(0.5), dot(1.0)], 100.0, 10.0), [0.0, 50.0, 60.0, 100.0]);
        assert_eq!(apart(&[dot(0.95), dot(1.0), dot(1.0)], 100.0, 10.0), [80.0, 90.0, 100.0]);
        assert!(apart(&[], 100.0, 10.0).is_empty());
    }

    #[test]
    fn without_times_the_order_is_drawn() {
        let steps = [step("c1", None), step("c1", None), step("c2", None)];
        let lanes = Lanes::of(&steps);
        assert_eq!(lanes.times, None);
        assert_eq!(lanes.lanes[0].1.iter().map(|dot| dot.along).collect::<Vec<_>>(), [0.0, 0.5]);
    }
}
