//! Rows 4, 5, 6 and 21: boxes that forget connections, made of conntrack.

use std::thread::sleep;
use std::time::Duration;

use repono_client::{ClientError, Limits};
use repono_net::socket::tcp_info;
use repono_testkit::network::{Packets, Place, Rules, Source, Unknown};
use repono_testkit::wait;
use tokio::time::timeout;

use crate::LIMIT;
use crate::net::scenario;
use crate::stand::{Plain, ticket};

/// What the box remembers, and a rest that is longer: the kernel's clock is coarse.
const REMEMBERS_S: u32 = 2;
const REST: Duration = Duration::from_secs(5);

/// The exact black hole: nothing is said at expiry, nothing comes back, and the
/// kernel of the sender is the first to know.
#[test]
fn a_forgetful_box_says_nothing_and_the_kernel_can_tell() {
    scenario("forgetful::a_forgetful_box_says_nothing_and_the_kernel_can_tell", |net| {
        Box::pin(async {
            net.network.set(Rules::forgetting(REMEMBERS_S, Unknown::Dropped)).expect("set");
            let ticket = ticket(&net.system);
            let mut plain = Plain::connect(&net.system, net.system.balancer(), &ticket).expect("connected");
            assert_eq!(plain.get("small").expect("answered").status, 200);
            let before = net.network.hits().expect("listed");
            sleep(REST);
            plain.ask("small").expect("the kernel takes it");
            let told = wait::until("the kernel knows", LIMIT, || {
                let info = tcp_info(plain.wire.tcp()).expect("told");
                (info.retransmits >= 2 && info.unacked >= 1).then_some(info)
            });
            let info = told.expect("in time");
            assert!(info.last_ack_recv_ms >= 5_000, "nothing came since the rest began: {info:?}");
            assert!(net.network.hits().expect("listed") > before, "the box has dropped it");
        })
    });
}

/// Whoever asks the kernel to ask is not forgotten.
#[test]
fn keepalive_holds_a_connection_through_a_forgetful_box() {
    scenario("forgetful::keepalive_holds_a_connection_through_a_forgetful_box", |net| {
        Box::pin(async {
            let balancer = net.changed(|table| _ = table.insert("keepalive_s".into(), 1.into()));
            net.network.set(Rules::forgetting(4, Unknown::Dropped)).expect("set");
            let ticket = ticket(&net.system);
            let mut plain = Plain::connect(&net.system, &balancer.url, &ticket).expect("connected");
            assert_eq!(plain.get("small").expect("answered").status, 200);
            sleep(Duration::from_secs(10));
            assert_eq!(plain.get("small").expect("on the same connection").status, 200);
        })
    });
}

#[test]
fn a_forgetful_box_does_not_hold_a_reader_up() {
    scenario("forgetful::a_forgetful_box_does_not_hold_a_reader_up", |net| {
        Box::pin(async {
            net.network.set(Rules::forgetting(REMEMBERS_S, Unknown::Dropped)).expect("set");
            let caller = net.caller(1_000, Limits::DEFAULT);
            for _ in 0..3 {
                let got = timeout(Limits::DEFAULT.first_byte / 2, caller.get()).await;
                got.expect("long before the dead connection would be given up").expect("answered");
                sleep(REST);
            }
        })
    });
}

/// What holds already: the wait has an end, and the next request is served.
#[test]
fn a_forgetful_box_costs_one_wait_at_most() {
    scenario("forgetful::a_forgetful_box_costs_one_wait_at_most", |net| {
        Box::pin(async {
            net.network.set(Rules::forgetting(REMEMBERS_S, Unknown::Dropped)).expect("set");
            let caller = net.caller(1_000, Limits { first_byte: Duration::from_secs(3), ..Limits::DEFAULT });
            caller.get().await.expect("the first request");
            let before = net.network.hits().expect("listed");
            sleep(REST);
            let got = timeout(LIMIT, caller.get()).await.expect("bounded");
            assert!(matches!(got, Ok(()) | Err(ClientError::TimedOut(_))), "{got:?}");
            assert!(net.network.hits().expect("listed") > before, "the box has dropped it");
            caller.get().await.expect("on a fresh connection");
        })
    });
}

/// As a network load balancer of AWS does.
#[test]
fn a_box_that_resets_what_it_forgot_costs_a_reader_nothing() {
    scenario("forgetful::a_box_that_resets_what_it_forgot_costs_a_reader_nothing", |net| {
        Box::pin(async {
            net.network.set(Rules::forgetting(REMEMBERS_S, Unknown::Reset)).expect("set");
            let caller = net.caller(1_000, Limits::DEFAULT);
            caller.get().await.expect("the first request");
            let before = net.network.hits().expect("listed");
            for _ in 0..2 {
                sleep(REST);
                caller.get().await.expect("read again on a fresh connection");
            }
            assert!(net.network.hits().expect("listed") > before, "the box has reset it");
        })
    });
}

/// Another box takes over, and knows none of the connections.
#[test]
fn a_failover_that_resets_costs_a_reader_nothing() {
    scenario("forgetful::a_failover_that_resets_costs_a_reader_nothing", |net| {
        Box::pin(async {
            net.network.set(Rules::forgetting(600, Unknown::Reset)).expect("set");
            let caller = net.caller(1_000, Limits::DEFAULT);
            caller.get().await.expect("the first request");
            for _ in 0..3 {
                net.network.forget_all().expect("set");
                caller.get().await.expect("read again on a fresh connection");
                assert!(net.network.hits().expect("listed") > 0, "the box has reset it");
            }
        })
    });
}

/// The balancer's host knows no connection from the new address, and says so.
#[test]
fn a_rebound_nat_costs_a_reader_nothing() {
    scenario("forgetful::a_rebound_nat_costs_a_reader_nothing", |net| {
        Box::pin(async {
            net.network.set(Rules { nat: Some(Source::First), ..Rules::default() }).expect("set");
            let caller = net.caller(1_000, Limits::DEFAULT);
            caller.get().await.expect("the first request");
            for source in [Source::Second, Source::First] {
                net.network.change(|rules| rules.nat = Some(source)).expect("set");
                net.network.forget_all().expect("set");
                caller.get().await.expect("read again on a fresh connection");
            }
        })
    });
}

/// The second SYN, a second later, opens the connection.
#[test]
fn a_lost_syn_delays_a_reader_and_fails_nothing() {
    scenario("forgetful::a_lost_syn_delays_a_reader_and_fails_nothing", |net| {
        Box::pin(async {
            let caller = net.caller(1_000, Limits::DEFAULT);
            let lost = Rules::dropping(Place::Client, Place::Servers, Packets::Syn);
            net.network.set(lost).expect("set");
            let mend = async {
                while net.network.hits().expect("listed") == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                net.network.set(Rules::default()).expect("set");
            };
            let (got, ()) = tokio::join!(caller.get(), mend);
            got.expect("the next SYN got through");
        })
    });
}
