//! Row 18 as the client meets it: an entrance that refuses, resets, never answers or
//! has a full queue.

use std::time::Duration;

use repono_client::{ClientError, Limits};
use repono_relay::Order;
use repono_relay::faults::{Door, Plan};
use tokio::time::timeout;

use crate::LIMIT;
use crate::stand::Stand;

/// Each step is given up soon.
const SHORT: Limits =
    Limits { connect: Duration::from_secs(2), tls: Duration::from_secs(2), ..Limits::DEFAULT };

/// No wait is without an end, nothing is sent twice in vain, and the client is none
/// the worse for it when the door is open again.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_door_is_an_error_soon_and_forgotten_when_it_opens() {
    let stand = Stand::start(1_000, SHORT).await;
    for door in [Door::Refused, Door::Reset, Door::Unanswered, Door::QueueFull] {
        stand.relay.set_plan(Plan::door(door));
        // A connect may come before the door is shut.
        let refused = async {
            loop {
                match stand.caller.get().await {
                    Ok(()) => evict(&stand).await,
                    Err(error) => break error,
                }
            }
        };
        let error = timeout(LIMIT, refused).await.expect("bounded");
        let told = matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::Tls { .. } | ClientError::Broken(_)
        );
        assert!(told, "{door:?}: {error:?}");
        stand.relay.set_plan(Plan::default());
        let open = async {
            while stand.caller.get().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(LIMIT, open).await.expect("served again");
        evict(&stand).await;
    }
}

/// Ends what idles in the client's pool.
async fn evict(stand: &Stand) {
    stand.relay.order(Order::Finish { quiet: Duration::ZERO, spread: Duration::ZERO });
    stand.caller.evicted().await;
    stand.relay.order(Order::Continue);
}

/// The first entrance is silent, the next try finds it open: a fresh connection holds
/// nothing of the request's, so trying again repeats nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_handshake_is_tried_again() {
    let stand = Stand::start(1_000, SHORT).await;
    stand.relay.set_plan(Plan::door(Door::Unanswered));
    let opened = async {
        while stand.relay.accepted() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stand.relay.set_plan(Plan::default());
    };
    let (got, ()) = tokio::join!(stand.caller.get(), opened);
    got.expect("on another connection");
}
