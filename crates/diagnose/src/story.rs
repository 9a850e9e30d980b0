//! What happened to one request, in sentences and line by line.

use crate::event::{Extent, Place};
use crate::finding::{Step, Tone};
use crate::proxy::Ending;
use crate::rules::Case;
use crate::timeline::{Attempt, Origin, Seen};

/// How a place is named.
pub(crate) type Where<'a> = &'a dyn Fn(Place) -> String;

/// What happened, in one sentence.
pub(crate) fn summary(case: &Case<'_>, at: Where<'_>) -> String {
    let attempt = case.attempt;
    let mut said: Vec<_> = sent(attempt, at).into_iter().collect();
    said.extend(
        attempt
            .answered
            .as_ref()
            .map(|(mark, status)| format!("was answered{} at {}", with(*status, " with "), at(mark.place))),
    );
    if let Some((mark, _, _)) = &attempt.failed {
        let before = if attempt.answered.is_some() { "" } else { " before any response" };
        said.push(format!("failed at {}{before}", at(mark.place)));
    }
    if let Some((mark, ending)) = ending(attempt) {
        said.push(format!("ended at {}: {ending}", at(mark.place)));
    }
    said.extend(attempt.wire.as_ref().and_then(|wire| wire.trouble).map(|trouble| trouble.to_string()));
    if let Some(next) = case.next {
        said.push(format!("was sent again unseen on {}", resent(next, at)));
        match (&next.answered, &next.failed) {
            (Some((mark, _)), None) => said.push(format!("succeeded at {}", at(mark.place))),
            (_, Some((mark, _, _))) => said.push(format!("failed again at {}", at(mark.place))),
            (None, None) => {}
        }
    }
    let last = said.pop().unwrap_or_default();
    let name = &case.request.name;
    if said.is_empty() {
        format!("{name} {last}.")
    } else {
        format!("{name} {} and {last}.", said.join(", "))
    }
}

/// The first of several places: `lines 3`, and `a.log:3` as it is.
fn several(place: String) -> String {
    match place.split_once(' ') {
        Some((unit, number)) if number.parse::<u64>().is_ok() => format!("{unit}s {number}"),
        Some(_) | None => place,
    }
}

/// A status, where it is known.
fn with(status: Option<u16>, word: &str) -> String {
    status.map(|status| format!("{word}{status}")).unwrap_or_default()
}

/// How it ended, as a proxy says.
fn ending(attempt: &Attempt) -> Option<&(Seen, Ending)> {
    attempt.proxied.as_ref()?.ending.as_ref()
}

fn sent(attempt: &Attempt, place: Where<'_>) -> Option<String> {
    let connection = &attempt.connection_name;
    let at = |mark: &Option<Seen>| mark.as_ref().map(|mark| place(mark.place)).unwrap_or_default();
    match attempt.origin {
        Origin::Kept => Some(format!("was sent on the reused {connection} ({})", at(&attempt.assigned))),
        Origin::KeptUnseen => Some(format!(
            "was sent on the reused {connection} ({}, never created in this log)",
            at(&attempt.assigned)
        )),
        Origin::Fresh => Some(format!("was sent on the new {connection} ({})", at(&attempt.connected))),
        Origin::Unknown => None,
    }
}

fn resent(next: &Attempt, at: Where<'_>) -> String {
    let name = &next.connection_name;
    let (Origin::Fresh, Some(connected)) = (next.origin, &next.connected) else { return format!("{name}") };
    match &next.handshake_done {
        Some((done, extent)) => {
            let how = match extent {
                Extent::Full => "a full TLS handshake",
                Extent::Resumed => "a resumed TLS session",
                Extent::Unknown => "a TLS handshake",
            };
            if connected.place == done.place {
                return format!("the new {name} with {how} ({})", at(done.place));
            }
            format!("the new {name} with {how} ({} to {})", several(at(connected.place)), done.place.line)
        }
        None => format!("the new {name} ({})", at(connected.place)),
    }
}

/// What happened, line by line.
pub(crate) fn steps(case: &Case<'_>) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    let (request, attempt) = (&case.request.name, case.attempt);
    let connection = &attempt.connection_name;
    match attempt.origin {
        Origin::Kept => {
            steps.plain(
                attempt,
                attempt.assigned.as_ref(),
                format!("{request} gets {connection} from the pool"),
            );
        }
        Origin::KeptUnseen => steps.plain(
            attempt,
            attempt.assigned.as_ref(),
            format!("{request} gets {connection} from the pool (it was never created in this log)"),
        ),
        Origin::Fresh => {
            steps.plain(attempt, attempt.connected.as_ref(), format!("{connection} is opened for {request}"));
        }
        Origin::Unknown => {}
    }
    steps.plain(attempt, attempt.head_sent.as_ref(), "the head of the request is written".to_owned());
    steps.plain(attempt, attempt.body_sent.as_ref(), "its body is being written".to_owned());
    if let Some((mark, status)) = &attempt.answered {
        steps.add(attempt, Tone::Well, Some(mark), format!("the reply begins{}", with(*status, ": ")));
    }
    if let Some((mark, _, _)) = &attempt.failed {
        let before = if attempt.answered.is_some() { "" } else { " before any reply" };
        steps.add(attempt, Tone::Badly, Some(mark), format!("the attempt fails{before}"));
    }
    if let Some((mark, ending)) = ending(attempt) {
        steps.add(attempt, Tone::Badly, Some(mark), format!("it ends: {ending}"));
    }
    let told = attempt.testimony.steps.iter().cloned();
    if attempt.wire.is_some() {
        // Packets stand in the order in which things happened, and say why an attempt fails.
        steps.0.splice(..0, told);
        steps.0.sort_by_key(|step| step.mark.place);
    } else {
        steps.0.extend(told);
    }
    if let Some(next) = case.next {
        steps.again(next);
    }
    steps.0
}

struct Steps(Vec<Step>);

impl Steps {
    fn plain(&mut self, attempt: &Attempt, seen: Option<&Seen>, what: String) {
        self.add(attempt, Tone::Plain, seen, what);
    }

    fn add(&mut self, attempt: &Attempt, tone: Tone, seen: Option<&Seen>, what: String) {
        let lane = if attempt.connection_name.is_empty() { "client" } else { &attempt.connection_name };
        self.0.extend(seen.map(|seen| Step { lane: lane.to_owned(), what, tone, mark: seen.mark() }));
    }

    fn again(&mut self, next: &Attempt) {
        let name = &next.connection_name;
        match (next.origin, &next.connected) {
            (Origin::Fresh, Some(mark)) => {
                self.plain(next, Some(mark), format!("it is sent again on the new {name}"));
            }
            _ => self.plain(next, next.assigned.as_ref(), format!("it is sent again on {name}")),
        }
        if let Some((mark, extent)) = &next.handshake_done {
            let how = match extent {
                Extent::Full => "a full TLS handshake is done",
                Extent::Resumed => "a TLS session is resumed",
                Extent::Unknown => "a TLS handshake is done",
            };
            self.plain(next, Some(mark), how.to_owned());
        }
        if let Some((mark, status)) = &next.answered {
            self.add(next, Tone::Well, Some(mark), format!("the reply begins{}", with(*status, ": ")));
        }
        if let Some((mark, _, _)) = &next.failed {
            self.add(next, Tone::Badly, Some(mark), "it fails again".to_owned());
        }
    }
}
