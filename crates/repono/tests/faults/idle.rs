//! Rows 1 to 8 and 32: what befalls connections that idle in a client's pool.

use std::sync::Arc;
use std::time::Duration;

use repono_client::{ClientError, Limits};
use repono_relay::Order;
use repono_relay::Side;
use repono_relay::faults::{Deed, Effect, Fins, Plan, Reach};
use repono_testkit::system::send;
use repono_testkit::wait;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::LIMIT;
use crate::journal::ended;
use crate::stand::{Plain, Stand, ticket};

/// Any time is quiet enough.
const AT_ONCE: Order = Order::Finish { quiet: Duration::ZERO, spread: Duration::ZERO };

#[tokio::test(flavor = "multi_thread")]
async fn a_fin_evicts_the_idle_connection_at_once() {
    let stand = Stand::warm().await;
    stand.relay.order(AT_ONCE);
    stand.caller.evicted().await;
    stand.relay.order(Order::Continue);
    let before = stand.relay.accepted();
    stand.caller.get().await.expect("on a fresh connection");
    assert!(stand.relay.accepted() > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rst_evicts_the_idle_connection_at_once() {
    let stand = Stand::warm().await;
    stand.relay.order(Order::Reset { silent: Duration::ZERO });
    stand.caller.evicted().await;
    stand.relay.order(Order::Continue);
    stand.caller.get().await.expect("on a fresh connection");
}

/// As a network load balancer of AWS does: nothing at expiry, RST for what comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_rst_for_the_next_request_costs_a_reader_nothing() {
    let stand = Stand::warm().await;
    stand.relay.doom(Effect::Reset);
    stand.caller.get().await.expect("read again on a fresh connection");
    let record = ended(&stand.system, "balancer", stand.sufferer());
    assert_eq!((&record["closed_by"], &record["manner"]), (&"client".into(), &"rst".into()), "{record}");
    assert_eq!(record["phase"], "idle", "the request did not reach the balancer: {record}");
    let head = ended(&stand.system, "head", stand.sufferer());
    assert_eq!(head["phase"], "idle", "the balancer has passed it on, and the head is free: {head}");
}

/// The box has read the request and closes: to the server the connection was idle,
/// to the client it was in use.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_races_a_request_is_survived_by_a_reader() {
    let stand = Stand::warm().await;
    stand.relay.doom(Effect::Fin);
    stand.caller.get().await.expect("read again on a fresh connection");
    assert_eq!(stand.relay.injections().first().map(|i| i.deed), Some(Deed::Doomed(Effect::Fin)));
    let record = ended(&stand.system, "balancer", stand.sufferer());
    assert_eq!((&record["closed_by"], &record["phase"]), (&"client".into(), &"idle".into()), "{record}");
}

/// Whether a write took effect cannot be known: it is told, never half done.
#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_races_a_write_leaves_it_whole_or_absent() {
    for effect in [Effect::Fin, Effect::Reset] {
        let stand = Stand::warm().await;
        stand.relay.doom(effect);
        match stand.caller.put("raced", vec![7; 1_000]).await {
            Ok(uploaded) => assert_eq!(uploaded.bytes, 1_000),
            Err(error) => assert!(matches!(error, ClientError::Broken(_)), "{effect:?}: {error:?}"),
        }
        match stand.caller.size("raced").await {
            Ok(bytes) => assert_eq!(bytes, 1_000),
            Err(error) => assert!(matches!(error, ClientError::NotFound(_)), "{error:?}"),
        }
    }
}

/// The box acknowledges and says nothing, as one that has lost its server.
#[tokio::test(flavor = "multi_thread")]
async fn silence_on_an_idle_connection_does_not_hold_a_reader_up() {
    let stand = Stand::warm().await;
    stand.relay.doom(Effect::Silence(Reach::Both));
    let got = timeout(Limits::DEFAULT.first_byte / 2, stand.caller.get()).await;
    got.expect("long before the dead connection would be given up").expect("on a fresh connection");
    assert_eq!(stand.relay.injections().len(), 1);
}

/// What holds already: the wait has an end, and the next request is served.
#[tokio::test(flavor = "multi_thread")]
async fn silence_on_an_idle_connection_is_given_up_within_its_limit() {
    let limits = Limits { first_byte: Duration::from_secs(3), ..Limits::DEFAULT };
    let stand = Stand::start(1_000, limits).await;
    stand.caller.get().await.expect("the first request");
    stand.relay.doom(Effect::Silence(Reach::Both));
    let got = timeout(LIMIT, stand.caller.get()).await.expect("bounded");
    assert!(matches!(got, Ok(()) | Err(ClientError::TimedOut(_))), "{got:?}");
    assert_eq!(stand.relay.injections().len(), 1, "the connection was used, and it was silent");
    stand.caller.get().await.expect("a fresh connection");
}

/// The balancer dies, and its FIN is lost: the client believes in a connection that
/// nobody has, and its request meets the RST of the one that came after.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_fin_of_a_dead_balancer_is_found_by_the_next_request() {
    let stand = Stand::start(1_000, Limits::DEFAULT).await;
    stand.relay.set_plan(Plan { fins: Fins::Lost(Side::Server), ..Plan::default() });
    stand.caller.get().await.expect("the first request");
    send(stand.system.pid("balancer"), Signal::KILL).expect("killed");
    let lost = async {
        while stand.relay.injections().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, lost).await.expect("the FIN is lost");
    assert!(stand.caller.client.idle_connections() > 0, "nobody has told the client");
    let ticket = ticket(&stand.system);
    wait::until("the next balancer serves", LIMIT, || {
        Plain::connect(&stand.system, stand.system.balancer(), &ticket).ok()?.get("object").ok()
    })
    .expect("in time");
    timeout(LIMIT, stand.caller.get()).await.expect("no silence").expect("read again on a fresh connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mass_close_is_followed_by_answers_only() {
    const READERS: usize = 12;
    let stand = Stand::start(1_000, Limits::DEFAULT).await;
    let all = || async {
        let mut gets = JoinSet::new();
        for _ in 0..READERS {
            let caller = Arc::clone(&stand.caller);
            gets.spawn(async move { caller.get().await });
        }
        gets.join_all().await
    };
    assert!(all().await.iter().all(Result::is_ok));
    stand.relay.order(AT_ONCE);
    stand.caller.evicted().await;
    stand.relay.order(Order::Continue);
    let again = all().await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
}
