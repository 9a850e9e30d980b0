//! What the accounts say of one attempt.

use std::time::Duration;

use super::{Account, Ledger, Work, Works};
use crate::event::{Instant, Place};
use crate::finding::{Step, Tone};
use crate::journal::clocks::Boot;
use crate::journal::record::Side;
use crate::timeline::{Attempt, Mark};
use crate::witness::{BalancerSays, HeadSays, Testimony};

/// What the times of one host may be wrong by: a record is stamped where it is made.
const SLACK_AT_HOME: Duration = Duration::from_millis(1);

/// What is left of the difference of two hosts' clocks when it has been made up for.
const SLACK_ABROAD: Duration = Duration::from_millis(20);

fn slack(one: Boot, other: Boot) -> Duration {
    if one == other { SLACK_AT_HOME } else { SLACK_ABROAD }
}

/// A span in which an attempt was under way, on its client's clock.
#[derive(Clone, Copy)]
struct Span {
    clock: Boot,
    sent: Instant,
    ended: Instant,
}

impl Ledger {
    /// What other sides say of an attempt.
    pub(crate) fn testimony(&self, attempt: &Attempt) -> Testimony {
        let names = &attempt.names;
        let own = names.connection.and_then(|key| self.clients.get(&key));
        let mut testimony = Testimony {
            acknowledged: names.acknowledged.or(own.map(|own| !own.unacknowledged)),
            peer_ended: own.map(|own| own.peer_ended),
            ..Testimony::default()
        };
        testimony.steps.extend(own.map(|own| {
            let (lane, what) = match own.side {
                Side::Recorder => ("recorder", "the recorder's record of the connection"),
                Side::Client | Side::Balancer | Side::Head | Side::Vending => {
                    ("client", "the client's record of the connection")
                }
            };
            step(lane, what, own.place, own.ended, &own.text)
        }));
        let Some(span) = Span::of(attempt) else { return testimony };
        let Some(peer) = names.peer_connection.or_else(|| self.by_source(attempt, span)) else {
            return testimony;
        };
        if let Some(account) = self.balancers.get(&peer) {
            let (says, step) = self.balancer(account, span);
            testimony.balancer = Some(says);
            testimony.steps.push(step);
        }
        if let Some(end) = self.ends.get(&peer).filter(|_| !self.balancers.is_empty()) {
            testimony.balancer_gone = Some(testimony.balancer.is_none());
            let ended = self.on(span, end.boot, end.ended);
            testimony.steps.push(step(
                "head",
                "the head's record of the connection",
                end.place,
                ended,
                &end.text,
            ));
        }
        let known = names.trans_id.as_ref().and_then(|id| self.slow.get(id));
        if let Some((says, step)) = self.heads.get(&peer).and_then(|works| self.head(works, known, span)) {
            testimony.head = Some(says);
            testimony.steps.push(step);
        }
        testimony
    }

    /// The connection that the balancer accepted from the attempt's address, if it
    /// lived at that time.
    fn by_source(&self, attempt: &Attempt, span: Span) -> Option<u128> {
        let key = self.sources.get(&attempt.names.source?)?;
        let account = self.balancers.get(key)?;
        let [opened, ended] = [account.opened, account.ended].map(|at| self.on(span, account.boot, at));
        (opened <= span.ended && ended.after(slack(span.clock, account.boot)) >= span.sent).then_some(*key)
    }

    fn balancer(&self, account: &Account, span: Span) -> (BalancerSays, Step) {
        let [heard, ended] = [account.heard, account.ended].map(|at| self.on(span, account.boot, at));
        let says = BalancerSays {
            held: ended > span.sent,
            heard: heard.after(slack(span.clock, account.boot)) >= span.sent,
            ender: account.ender,
            worst_turn: account.worst_turn,
        };
        let what = match (says.held, says.heard) {
            (false, _) => "the balancer had ended the connection before",
            (true, false) => "the balancer held the connection, and no byte of the request arrived there",
            (true, true) => "the balancer held the connection, and bytes moved on it",
        };
        (says, step("balancer", what, account.place, ended, &account.text))
    }

    fn head(&self, works: &Works, known: Option<&Work>, span: Span) -> Option<(HeadSays, Step)> {
        let slack = slack(span.clock, works.boot);
        let heard_at = |work: &Work| self.on(span, works.boot, work.begun);
        let after = |work: &&Work| heard_at(work).after(slack) >= span.sent;
        let within = |work: &&Work| after(work) && heard_at(work) <= span.ended.after(slack);
        let all = || works.last.iter().chain([&works.worst]);
        let (work, what) = if let Some(work) = known.or_else(|| all().find(within)) {
            (work, "a head read the request")
        } else if let Some(work) = all().find(after) {
            (work, "a head read the request when nobody waited for it any more")
        } else {
            (works.last.back()?, "no head read the request: this is the last one it read on the connection")
        };
        let says = HeadSays { heard: after(&work), took: work.took, late: heard_at(work).since(span.sent) };
        Some((says, step("head", what, work.place, heard_at(work), &work.text)))
    }

    /// A time by the attempt's clock.
    fn on(&self, span: Span, clock: Boot, at: Instant) -> Instant {
        self.clocks.translated(span.clock, clock, at)
    }
}

impl Span {
    fn of(attempt: &Attempt) -> Option<Self> {
        let sent = attempt.head_sent.as_ref()?.at?;
        let failed = attempt.failed.as_ref().and_then(|(mark, _, _)| mark.at);
        let answered = attempt.answered.as_ref().and_then(|(mark, _)| mark.at);
        let ended = failed.or(answered).unwrap_or(sent);
        Some(Self { clock: Boot(attempt.names.clock), sent, ended })
    }
}

fn step(lane: &str, what: &str, place: Place, at: Instant, text: &str) -> Step {
    let mark = Mark { place, at: Some(at), text: text.into() };
    Step { lane: lane.to_owned(), what: what.to_owned(), tone: Tone::Plain, mark }
}
