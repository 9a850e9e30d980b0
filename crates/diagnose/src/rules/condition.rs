//! What rules ask of an attempt, and how it is decided.

use std::time::Duration;

use serde::Deserialize;

use super::captured::Captured;
use super::proxied::Proxied;
use super::span::Span;
use crate::event::{After, Failure, Heard};
use crate::timeline::{Attempt, Origin, Request, Seen};
use crate::witness::{BalancerSays, Ender, HeadSays, Testimony};

/// What may be asked of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Condition {
    /// What the log of the attempt tells.
    Own(Own),
    /// What only other sides' records tell.
    Told(Told),
    /// What a proxy's own record tells.
    Proxied(Proxied),
    /// What packets tell.
    Captured(Captured),
}

/// What the log of an attempt tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Own {
    /// Its connection came from the pool.
    KeptConnection,
    /// Its connection was made for it.
    FreshConnection,
    /// Its head was written.
    HeadSent,
    /// No reply began.
    NoReply,
    /// A reply began.
    Replied,
    /// The reply lets the connection be used again.
    ReplyKeeps,
    /// The reply announces the end of the connection.
    ReplyCloses,
    /// It failed in a way in which connections end.
    ConnectionLost,
    /// Nobody accepted a connection.
    FailedToConnect,
    /// Its name had no address.
    FailedToResolve,
    /// TLS was refused.
    FailedInTls,
    /// The client gave it up.
    TimedOut,
    /// The library sent it again.
    SentAgain,
    /// It did not.
    NotSentAgain,
    /// The application got the error.
    HeardByApplication,
    /// A reply was no longer wanted, or its body could not be taken.
    BodyCut,
    /// Its method is not GET, HEAD, OPTIONS or TRACE (RFC 9110 section 9.2.1).
    MayHaveEffect,
    /// Nothing says that it is a write of whose failure the application heard.
    NoFailedWrite,
    /// Its connection carried another request when it got it.
    Queued,
    /// Its reply was never closed, in a log that tells of that.
    NeverClosed,
    /// The server asked for another handshake.
    Renegotiated,
    /// The reply was no HTTP.
    FailedInProtocol,
    /// The ticket that it showed was over by the server's clock.
    TicketExpired,
    /// The status of the reply.
    Status(u16),
    /// A part of it took at least so long.
    #[serde(rename = "queue_took_ms")]
    QueueTook(u64),
    /// See [`Span`].
    #[serde(rename = "connect_took_ms")]
    ConnectTook(u64),
    /// See [`Span`].
    #[serde(rename = "handshake_took_ms")]
    HandshakeTook(u64),
    /// See [`Span`].
    #[serde(rename = "continue_took_ms")]
    ContinueTook(u64),
    /// See [`Span`].
    #[serde(rename = "transfer_took_ms")]
    TransferTook(u64),
    /// Bytes of its body were written by themselves.
    BodyWritten,
    /// From the last piece of its body to the reply it took as long as in one of these
    /// ranges, their ends included.
    #[serde(rename = "replied_after_write_ms")]
    RepliedAfterWrite([(u64, u64); 2]),
    /// From its head to its failure it took at least so long.
    #[serde(rename = "failed_after_ms")]
    FailedAfter(u64),
    /// At most so long.
    #[serde(rename = "failed_within_ms")]
    FailedWithin(u64),
    /// From its head to the reply it took at least so long.
    #[serde(rename = "replied_after_ms")]
    RepliedAfter(u64),
}

/// What other sides' records tell of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Told {
    /// The peer's kernel did not acknowledge it.
    Unacknowledged,
    /// It did.
    Acknowledged,
    /// The balancer still held the connection, and no byte of the request arrived.
    BalancerHeardNothing,
    /// Bytes moved on the connection at the balancer after the request was sent.
    BalancerHeard,
    /// The balancer had ended the connection before.
    BalancerHadEnded,
    /// The client was told that its peer ended the connection.
    ClientHeardEnd,
    /// It was not.
    ClientHeardNoEnd,
    /// The balancer ended the connection.
    BalancerEndedIt,
    /// The head ended it.
    HeadEndedIt,
    /// The head knows the connection, and the balancer, whose journal is there, has no
    /// record of its end: it did not live to write one.
    BalancerHasNoRecord,
    /// The balancer says that the client ended it, and the client that its peer did.
    BothToldOfTheOther,
    /// At the balancer, no turn of the connection took half as long as the wait.
    BalancerQuick,
    /// One did.
    BalancerWaited,
    /// A head read the request.
    HeadHeard,
    /// None did.
    HeadHeardNothing,
    /// The head worked for at least so long before it replied.
    #[serde(rename = "head_took_ms")]
    HeadTook(u64),
    /// The head read the request within so long after it was sent, and worked no longer.
    #[serde(rename = "head_done_within_ms")]
    HeadDoneWithin(u64),
    /// The head read the request at least so long after it was sent.
    #[serde(rename = "head_late_ms")]
    HeadLate(u64),
}

/// An answer, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Yes,
    No,
    /// The log does not say.
    Unknown,
}

impl From<bool> for Answer {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

impl From<Option<bool>> for Answer {
    fn from(known: Option<bool>) -> Self {
        known.map_or(Self::Unknown, Self::from)
    }
}

/// The attempt that is looked at, among those at its request.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) request: &'a Request,
    pub(crate) attempt: &'a Attempt,
    pub(crate) next: Option<&'a Attempt>,
}

impl Case<'_> {
    /// How long a part took; `None` where it did not take place, or no times are known.
    pub(crate) fn took(&self, span: Span) -> Option<Duration> {
        match span {
            Span::Written => {
                let (answered, _) = self.attempt.answered.as_ref()?;
                Some(answered.at?.since(self.attempt.last_written?))
            }
            Span::ProxyQueue => self.attempt.proxied.as_ref()?.waits.queue,
            Span::ProxyConnect => self.attempt.proxied.as_ref()?.waits.connect,
            Span::Reply | Span::Queue | Span::Connect | Span::Handshake | Span::Continue | Span::Transfer => {
                let (from, to) = self.ends(span)?;
                to.since(from)
            }
        }
    }

    fn ends(&self, span: Span) -> Option<(&Seen, &Seen)> {
        let Self { request, attempt, .. } = self;
        let answered = attempt.answered.as_ref().map(|(mark, _)| mark);
        let (from, to) = match span {
            Span::Reply => {
                let failed = attempt.failed.as_ref().map(|(mark, _, _)| mark);
                let ended = attempt.proxied.as_ref().and_then(|proxied| proxied.ending.as_ref());
                (&attempt.head_sent, failed.or(answered).or(ended.map(|(mark, _)| mark)))
            }
            Span::Queue if attempt.queued => (&attempt.assigned, attempt.begun.as_ref()),
            Span::Connect if attempt.origin == Origin::Fresh => {
                (&attempt.assigned, attempt.connected.as_ref())
            }
            Span::Handshake => {
                (&attempt.handshake_begun, attempt.handshake_done.as_ref().map(|(mark, _)| mark))
            }
            Span::Continue if attempt.expects_continue => (&attempt.head_sent, attempt.body_sent.as_ref()),
            Span::Transfer => return answered.zip(request.released.as_ref()),
            Span::Queue
            | Span::Connect
            | Span::Continue
            | Span::Written
            | Span::ProxyQueue
            | Span::ProxyConnect => return None,
        };
        from.as_ref().zip(to)
    }

    /// Whether a part took at least so long.
    fn took_ms(&self, span: Span, ms: u64) -> Answer {
        match self.ends(span) {
            None => Answer::No,
            Some((from, to)) => to.since(from).map(|took| took >= Duration::from_millis(ms)).into(),
        }
    }

    fn answer(&self, condition: Condition) -> Answer {
        match condition {
            Condition::Own(condition) => self.own(condition),
            Condition::Proxied(condition) => condition.answer(self.attempt),
            Condition::Captured(condition) => condition.answer(self.attempt),
            // What nobody testifies to makes no candidate: all hops would be candidates.
            Condition::Told(condition) => match self.told(condition) {
                Answer::Unknown => Answer::No,
                known => known,
            },
        }
    }

    fn own(&self, condition: Own) -> Answer {
        let Self { request, attempt, next } = self;
        let failure = attempt.failed.as_ref().map(|(_, failure, _)| *failure);
        let waited = |of: bool, holds: &dyn Fn(Duration) -> bool| match (of, self.took(Span::Reply)) {
            (false, _) => Answer::No,
            (true, Some(wait)) => holds(wait).into(),
            (true, None) => Answer::Unknown,
        };
        match condition {
            Own::KeptConnection => matches!(attempt.origin, Origin::Kept | Origin::KeptUnseen).into(),
            Own::FreshConnection => (attempt.origin == Origin::Fresh).into(),
            Own::HeadSent => attempt.head_sent.is_some().into(),
            Own::NoReply => attempt.answered.is_none().into(),
            Own::Replied => attempt.answered.is_some().into(),
            Own::ReplyKeeps => (attempt.after == Some(After::Kept)).into(),
            Own::ReplyCloses => (attempt.after == Some(After::Closed)).into(),
            Own::ConnectionLost => failure.is_some_and(Failure::is_of_connection).into(),
            Own::FailedToConnect => (failure == Some(Failure::Connect)).into(),
            Own::FailedToResolve => (failure == Some(Failure::Name)).into(),
            Own::FailedInTls => (failure == Some(Failure::Tls)).into(),
            Own::TimedOut => (failure == Some(Failure::TimedOut)).into(),
            Own::SentAgain => next.is_some().into(),
            Own::NotSentAgain => next.is_none().into(),
            Own::HeardByApplication => {
                let heard = attempt.failed.as_ref().map(|(_, _, heard)| *heard);
                (heard == Some(Heard::Application)).into()
            }
            Own::BodyCut => (attempt.answered.is_some() && attempt.failed.is_some()).into(),
            Own::MayHaveEffect => match &*request.method {
                // What is not read may be any.
                "" => Answer::Unknown,
                method => (!matches!(method, "GET" | "HEAD" | "OPTIONS" | "TRACE")).into(),
            },
            Own::NoFailedWrite => {
                let heard = self.own(Own::HeardByApplication) == Answer::Yes;
                (!(heard && self.own(Own::MayHaveEffect) == Answer::Yes)).into()
            }
            Own::Queued => attempt.queued.into(),
            Own::NeverClosed => {
                (request.releases_told && request.released.is_none() && attempt.failed.is_none()).into()
            }
            Own::Renegotiated => attempt.renegotiated.is_some().into(),
            Own::FailedInProtocol => (failure == Some(Failure::Protocol)).into(),
            Own::TicketExpired => {
                attempt.expires.zip(attempt.clock).is_some_and(|(until, now)| until <= now).into()
            }
            Own::Status(wanted) => {
                attempt.answered.as_ref().is_some_and(|(_, status)| *status == Some(wanted)).into()
            }
            Own::QueueTook(ms) => self.took_ms(Span::Queue, ms),
            Own::ConnectTook(ms) => self.took_ms(Span::Connect, ms),
            Own::HandshakeTook(ms) => self.took_ms(Span::Handshake, ms),
            Own::ContinueTook(ms) => self.took_ms(Span::Continue, ms),
            Own::TransferTook(ms) => self.took_ms(Span::Transfer, ms),
            Own::BodyWritten => attempt.body_sent.is_some().into(),
            // A rhythm is none without a clock.
            Own::RepliedAfterWrite(ranges) => self
                .took(Span::Written)
                .is_some_and(|wait| {
                    let ms = wait.as_millis();
                    ranges.iter().any(|(from, to)| (u128::from(*from)..=u128::from(*to)).contains(&ms))
                })
                .into(),
            Own::FailedAfter(ms) => waited(failure.is_some(), &|wait| wait >= Duration::from_millis(ms)),
            Own::FailedWithin(ms) => waited(failure.is_some(), &|wait| wait <= Duration::from_millis(ms)),
            // Not the time until a reply that began soon was cut off.
            Own::RepliedAfter(ms) => match (&attempt.head_sent, &attempt.answered) {
                (Some(sent), Some((answered, _))) => {
                    answered.since(sent).map(|wait| wait >= Duration::from_millis(ms)).into()
                }
                (None, _) | (_, None) => Answer::No,
            },
        }
    }

    fn told(&self, condition: Told) -> Answer {
        let Testimony { acknowledged, peer_ended, balancer, balancer_gone, head, .. } =
            &self.attempt.testimony;
        let of_balancer = |holds: &dyn Fn(&BalancerSays) -> bool| balancer.as_ref().map(holds).into();
        let of_head = |holds: &dyn Fn(&HeadSays) -> bool| head.as_ref().map(holds).into();
        let half = || self.took(Span::Reply).unwrap_or_default() / 2;
        match condition {
            Told::Unacknowledged => acknowledged.map(|yes| !yes).into(),
            Told::Acknowledged => (*acknowledged).into(),
            Told::BalancerHeardNothing => of_balancer(&|it| it.held && !it.heard),
            Told::BalancerHeard => of_balancer(&|it| it.heard),
            Told::BalancerHadEnded => of_balancer(&|it| !it.held),
            Told::ClientHeardEnd => (*peer_ended).into(),
            Told::ClientHeardNoEnd => peer_ended.map(|told| !told).into(),
            Told::BalancerEndedIt => of_balancer(&|it| it.ender == Ender::Balancer),
            Told::HeadEndedIt => of_balancer(&|it| it.ender == Ender::Head),
            Told::BalancerHasNoRecord => (*balancer_gone).into(),
            Told::BothToldOfTheOther => match (peer_ended, balancer) {
                (Some(peer), Some(balancer)) => (*peer && balancer.ender == Ender::Client).into(),
                (None, _) | (_, None) => Answer::Unknown,
            },
            Told::BalancerQuick => of_balancer(&|it| it.worst_turn < half()),
            Told::BalancerWaited => of_balancer(&|it| it.worst_turn >= half()),
            Told::HeadHeard => of_head(&|it| it.heard),
            Told::HeadHeardNothing => of_head(&|it| !it.heard),
            Told::HeadTook(ms) => of_head(&|it| it.heard && it.took >= Duration::from_millis(ms)),
            Told::HeadDoneWithin(ms) => {
                let within = Duration::from_millis(ms);
                of_head(&|it| it.heard && it.late < within && it.took < within)
            }
            Told::HeadLate(ms) => of_head(&|it| it.heard && it.late >= Duration::from_millis(ms)),
        }
    }

    pub(super) fn all(&self, conditions: &[Condition]) -> Answer {
        let mut all = Answer::Yes;
        for condition in conditions {
            match self.answer(*condition) {
                Answer::Yes => {}
                Answer::No => return Answer::No,
                Answer::Unknown => all = Answer::Unknown,
            }
        }
        all
    }
}
