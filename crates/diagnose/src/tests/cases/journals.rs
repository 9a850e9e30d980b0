//! What only the journals of several sides can tell.

use repono_journal::ClosedBy;

use super::{Case, Log};
use crate::synthetic::journals::{Attempt, Balancer, Client, Ended, Heads, MS, S};

/// When the request was sent that the case is about.
const SENT: u64 = 100 * S;

/// Of a connection that the balancer held and heard nothing on.
const HELD: Balancer =
    Balancer { heard_ns: SENT - 90 * S, ended_ns: SENT + 60 * S, by: ClosedBy::Client, worst_turn_ns: MS };

const HEARD: Balancer = Balancer { heard_ns: SENT + MS, ..HELD };

/// An attempt without a reply. What a head read long before tells that it read nothing
/// since.
fn lost(code: &'static str, balancer: Balancer, by: ClosedBy, head: Option<(u64, u64)>) -> Attempt {
    let client = Client::Lost { after_ns: 300 * MS, code, by };
    Attempt { client, balancer, head, ..Attempt::healthy(1, SENT) }
}

/// The same, sent again.
fn again(attempt: Attempt) -> Log {
    let second = Attempt { attempt: 2, asked_ns: SENT, ..Attempt::healthy(2, SENT + 300 * MS) };
    Log::Journals(vec![attempt, second], Heads::OnTheSameHost)
}

/// A reply after so long; what the head did, in time since the request.
fn answered(after_ns: u64, worst_turn_ns: u64, (late, took): (u64, u64)) -> Attempt {
    let healthy = Attempt::healthy(1, SENT);
    let balancer = Balancer { heard_ns: SENT + after_ns, worst_turn_ns, ..healthy.balancer };
    Attempt { client: Client::Answered { after_ns }, balancer, head: Some((SENT + late, took)), ..healthy }
}

/// A reply that ended in its middle.
fn cut(balancer: Balancer, by: ClosedBy, ended: Ended) -> Attempt {
    let client = Client::Cut { after_ns: 300 * MS, by };
    Attempt { client, balancer, ended, head: Some((SENT + MS, 200 * MS)), ..Attempt::healthy(1, SENT) }
}

fn row(rule: &'static str, variant: &'static str, positive: Log, near_miss: Log) -> Case {
    let others: Vec<_> = (10..16).map(|n| Attempt::healthy(n, (200 + u64::from(n)) * S)).collect();
    let others = Log::Journals(others, Heads::OnTheSameHost);
    Case { rule, variant: Some(variant), count: 1, positive, near_miss, others }
}

/// Each near miss differs in one side's record.
fn without_a_reply() -> Vec<Case> {
    let read = |late: u64, took: u64| Some((SENT + late, took));
    let (broken, silent) = ("ConnectionBroken", "PeerSilent");
    let (us, peer) = (ClosedBy::Us, ClosedBy::Peer);
    let gave_up = |variant, one, near| row("client-gave-up", variant, again(one), again(near));
    let stale = |variant, one, near| row("stale-keepalive", variant, again(one), again(near));
    let had_ended = Balancer { ended_ns: SENT - 10 * S, ..HELD };
    let raced = Balancer { ended_ns: SENT - MS, by: ClosedBy::Us, ..HELD };
    let ended_by = |by| lost(silent, Balancer { by, ..HEARD }, us, None);
    let worked = |head| lost(silent, HEARD, us, head);
    let gone = Attempt { ended: Ended::ToldByHeadAlone, ..worked(None) };
    vec![
        gave_up("silent-drop", lost("PathSilent", HELD, us, None), lost(silent, HELD, us, None)),
        gave_up("swallowed", lost(silent, HELD, us, None), lost("PathSilent", HELD, us, None)),
        gave_up("balancer-ended", ended_by(ClosedBy::Us), ended_by(ClosedBy::Head)),
        gave_up("head-gone", ended_by(ClosedBy::Head), ended_by(ClosedBy::Client)),
        gave_up("head-slow", worked(read(MS, 900 * MS)), worked(read(MS, 400 * MS))),
        gave_up("head-stood-still", worked(read(600 * MS, MS)), worked(read(400 * MS, MS))),
        gave_up("head-silent", worked(Some((SENT - 50 * S, MS))), worked(read(MS, MS))),
        gave_up("reply-lost", worked(read(MS, 2 * MS)), worked(read(MS, 600 * MS))),
        gave_up("balancer-gone", gone, worked(None)),
        stale("end-not-heard", lost(broken, had_ended, us, None), lost(broken, HELD, us, None)),
        stale("cut-between", lost(broken, HEARD, peer, None), lost(broken, HEARD, us, None)),
        stale("close-race", lost(broken, raced, peer, None), lost(broken, HEARD, peer, None)),
    ]
}

fn with_a_reply() -> Vec<Case> {
    let one = |attempt| Log::Journals(vec![attempt], Heads::OnTheSameHost);
    let slow = |variant, attempt, near| row("slow-reply", variant, one(attempt), one(near));
    let by = |by, ended| {
        let balancer = Balancer { by, ended_ns: SENT + 300 * MS, heard_ns: SENT + 200 * MS, ..HELD };
        // The balancer has written of another connection.
        let attempts = vec![cut(balancer, ClosedBy::Peer, ended), Attempt::healthy(3, SENT + 30 * S)];
        Log::Journals(attempts, Heads::OnTheSameHost)
    };
    let broken = |variant, one, near| row("reply-cut", variant, one, near);
    let alone = |after_ns| {
        Log::Journals(vec![answered(after_ns, after_ns - MS, (MS, after_ns - 9 * MS))], Heads::Silent)
    };
    let told = Ended::ToldByBalancer;
    vec![
        slow(
            "head-slow",
            answered(2 * S, 2 * S - MS, (MS, 1_900 * MS)),
            answered(900 * MS, 890 * MS, (MS, 850 * MS)),
        ),
        slow(
            "head-stood-still",
            answered(2 * S, 2 * S - MS, (1_900 * MS, 50 * MS)),
            answered(2 * S, 3 * MS, (1_900 * MS, 50 * MS)),
        ),
        slow(
            "path-slow",
            answered(2 * S, 3 * MS, (900 * MS, 2 * MS)),
            answered(900 * MS, 3 * MS, (400 * MS, 2 * MS)),
        ),
        row("slow-reply", "behind-balancer", alone(2 * S), alone(900 * MS)),
        broken("cut-between", by(ClosedBy::Client, told), by(ClosedBy::Head, told)),
        broken("head-gone", by(ClosedBy::Head, told), by(ClosedBy::Us, told)),
        broken("balancer-ended", by(ClosedBy::Us, told), by(ClosedBy::Head, told)),
        broken("balancer-gone", by(ClosedBy::Us, Ended::ToldByHeadAlone), by(ClosedBy::Us, told)),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    without_a_reply().into_iter().chain(with_a_reply()).collect()
}
