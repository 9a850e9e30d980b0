//! What the accounts say of one attempt.

use std::time::Duration;

use super::{Account, Ledger, Work, Works};
use crate::event::Instant;
use crate::finding::Step;
use crate::journal::clocks::Boot;
use crate::timeline::{Attempt, Mark};
use crate::witness::{BalancerSays, HeadSays, Testimony};

/// What two clocks of one host, or two looks at one clock, may differ by.
const SLACK: Duration = Duration::from_millis(20);

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
        testimony.steps.extend(
            own.map(|own| step("the client's record of the connection", own.place, own.ended, &own.text)),
        );
        let Some(span) = Span::of(attempt) else { return testimony };
        let Some(peer) = names.peer_connection.or_else(|| self.by_source(attempt, span)) else {
            return testimony;
        };
        if let Some(account) = self.balancers.get(&peer) {
            let (says, step) = self.balancer(account, span);
            testimony.balancer = Some(says);
            testimony.steps.push(step);
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
        (opened <= span.ended && ended.after(SLACK) >= span.sent).then_some(*key)
    }

    fn balancer(&self, account: &Account, span: Span) -> (BalancerSays, Step) {
        let [heard, ended] = [account.heard, account.ended].map(|at| self.on(span, account.boot, at));
        let says = BalancerSays {
            held: ended > span.sent,
            heard: heard.after(SLACK) >= span.sent,
            ender: account.ender,
            worst_turn: account.worst_turn,
        };
        let what = match (says.held, says.heard) {
            (false, _) => "the balancer had ended the connection before",
            (true, false) => "the balancer held the connection, and no byte of the request arrived there",
            (true, true) => "the balancer held the connection, and bytes moved on it",
        };
        (says, step(what, account.place, ended, &account.text))
    }

    fn head(&self, works: &Works, known: Option<&Work>, span: Span) -> Option<(HeadSays, Step)> {
        let heard_at = |work: &Work| self.on(span, works.boot, work.begun);
        let within = |work: &Work| {
            heard_at(work).after(SLACK) >= span.sent && heard_at(work) <= span.ended.after(SLACK)
        };
        let late = |work: &Work| heard_at(work).after(SLACK) >= span.sent;
        let work = known.or_else(|| [&works.worst, &works.last].into_iter().find(|work| within(work)));
        let (work, what) = match work {
            Some(work) => (work, "a head read the request"),
            None if late(&works.last) => {
                (&works.last, "a head read the request when nobody waited for it any more")
            }
            None => (&works.last, "no head read the request: this is the last one it read on the connection"),
        };
        let heard = late(work);
        let says = HeadSays { heard, took: work.took, late: heard_at(work).since(span.sent) };
        Some((says, step(what, work.place, heard_at(work), &work.text)))
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

fn step(what: &str, place: crate::event::Place, at: Instant, text: &str) -> Step {
    Step { what: what.to_owned(), mark: Mark { place, at: Some(at), text: text.into() } }
}
