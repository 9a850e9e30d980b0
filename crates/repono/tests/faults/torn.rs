//! Rows 12, 24 and 26: bytes that are cut short, stop, or come slowly.

use std::time::Duration;

use repono_client::{ClientError, Limits};
use repono_relay::Side;
use repono_relay::faults::{Effect, Pace, Plan, Rate, Reach, When};
use tokio::time::timeout;

use crate::journal::ended;
use crate::stand::Stand;

const MIB: usize = 1 << 20;
/// Past the handshake and the HEAD, within the body.
const WITHIN: u64 = 300_000;

/// Slow is not dead: limits for a path on which each byte takes its time.
const PATIENT: Limits = Limits {
    connect: Duration::from_secs(60),
    tls: Duration::from_secs(60),
    first_byte: Duration::from_secs(60),
    ..Limits::DEFAULT
};

/// The next connection suffers this, the ones after it do not.
fn next_one(stand: &Stand, when: When, effect: Effect) {
    stand.relay.set_plan(Plan::strike_first(stand.relay.accepted() + 1, when, effect));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_cut_short_is_resumed_and_never_published_short() {
    for (when, effect) in [
        (When::Bytes(Side::Server, WITHIN), Effect::Fin),
        (When::Bytes(Side::Server, WITHIN), Effect::Reset),
        (When::MidRecord(Side::Server, WITHIN), Effect::Fin),
        (When::MidRecord(Side::Server, WITHIN), Effect::Reset),
    ] {
        let stand = Stand::start(MIB, Limits::DEFAULT).await;
        next_one(&stand, when, effect);
        stand.caller.get_file(&stand.system).await.expect("resumed");
        assert_eq!(stand.relay.injections().len(), 1, "{when:?} {effect:?}");
        assert!(stand.relay.accepted() >= 2, "on another connection");
    }
}

/// What went out cannot be taken back: the rest is asked for under `If-Match`.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_short_goes_on_where_it_stopped() {
    for effect in [Effect::Fin, Effect::Reset] {
        let stand = Stand::start(MIB, Limits::DEFAULT).await;
        next_one(&stand, When::Bytes(Side::Server, WITHIN), effect);
        stand.caller.get().await.expect("whole and verified");
        assert_eq!(stand.relay.injections().len(), 1);
        assert!(stand.relay.accepted() >= 2, "on another connection");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_short_is_wholly_there_or_not_at_all() {
    for effect in [Effect::Fin, Effect::Reset] {
        let stand = Stand::start(1_000, Limits::DEFAULT).await;
        next_one(&stand, When::Bytes(Side::Client, WITHIN), effect);
        let put = stand.caller.put("torn", vec![7; MIB]).await;
        assert_eq!(stand.relay.injections().len(), 1);
        match (put, stand.caller.size("torn").await) {
            (Ok(uploaded), Ok(bytes)) => assert_eq!((uploaded.bytes, bytes), (MIB as u64, MIB as u64)),
            (Err(ClientError::Broken(_)), Err(ClientError::NotFound(_))) => {}
            (put, size) => panic!("{effect:?}: {put:?}, then {size:?}"),
        }
        let record = ended(&stand.system, "balancer", stand.sufferer());
        assert_eq!(record["closed_by"], "client", "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_for_a_while_arrives() {
    let stand = Stand::start(MIB, Limits::DEFAULT).await;
    let stall = Effect::Stall(Reach::From(Side::Server), Duration::from_secs(2));
    next_one(&stand, When::Bytes(Side::Server, WITHIN), stall);
    stand.caller.get().await.expect("late and whole");
    assert_eq!(stand.relay.injections().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stalls_for_ever_is_resumed_elsewhere() {
    let limits = Limits { progress: Duration::from_secs(4), ..Limits::DEFAULT };
    let stand = Stand::start(MIB, limits).await;
    next_one(&stand, When::Bytes(Side::Server, WITHIN), Effect::Silence(Reach::From(Side::Server)));
    let got = stand.caller.get_file(&stand.system).await;
    got.expect("resumed on another connection");
    assert_eq!(stand.relay.injections().len(), 1);
    assert!(stand.relay.accepted() >= 2);
}

/// The head's clocks count what a request takes as a whole, and these few thousand
/// bytes at a byte a millisecond are within them.
#[tokio::test(flavor = "multi_thread")]
async fn a_dribble_in_both_directions_is_read_and_answered() {
    let stand = Stand::start(100, PATIENT).await;
    let slow = Pace { rate: Some(Rate::dribble(Duration::from_millis(1))), ..Pace::default() };
    stand.relay.set_plan(Plan { up: slow, down: slow, ..Plan::default() });
    stand.caller.get().await.expect("byte by byte");
    assert!(stand.relay.injections().len() >= 2, "both directions were slowed");
}

/// The client does not wait for `100 Continue` for ever, and a late one does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_100_is_not_waited_for() {
    let stand = Stand::start(100, PATIENT).await;
    let late = Pace { delay: PATIENT.continue_wait.mul_f32(1.5), ..Pace::default() };
    stand.relay.set_plan(Plan { down: late, ..Plan::default() });
    let uploaded = stand.caller.put("large", vec![7; 2 * MIB]).await.expect("sent all the same");
    assert_eq!(uploaded.bytes, 2 * MIB as u64);
    stand.relay.set_plan(Plan::default());
    let size = timeout(PATIENT.first_byte, stand.caller.size("large")).await.expect("in time");
    assert_eq!(size.expect("there"), 2 * MIB as u64);
}
