//! Rows 7, 15, 17, 19, 20 and 27: hosts that are gone, and wires that lose packets.

use repono_client::Limits;
use repono_testkit::network::{Packets, Place, Rules};
use repono_testkit::wait;
use repono_testkit::wire::End;

use crate::LIMIT;
use crate::heads::{all_served, answers, is_reset};
use crate::journal::ended;
use crate::net::scenario;
use crate::own::{self, state};
use crate::stand::{Plain, ticket};

/// All packets between two places.
fn cut(a: Place, b: Place) -> Rules {
    Rules { drops: vec![(a, b, Packets::All), (b, a, Packets::All)], ..Rules::default() }
}

/// No FIN, no RST, no answer: the balancer finds out, tells those who wait, and sends
/// nobody there.
#[test]
fn a_host_that_is_gone_is_found_and_its_clients_are_told() {
    scenario("hosts::a_host_that_is_gone_is_found_and_its_clients_are_told", |net| {
        Box::pin(async {
            let (balancer, _heads) = net.spread();
            let ticket = ticket(&net.system);
            balancer.order(&net.system, &["only", "head-a"]);
            let mut caught = Plain::connect(&net.system, &balancer.url, &ticket).expect("connected");
            assert_eq!(caught.get("small").expect("answered").status, 200);
            balancer.order(&net.system, &["only", "off"]);
            net.network.set(cut(Place::Servers, Place::HeadA)).expect("set");
            let error = caught.get("small").expect_err("nobody answers");
            assert!(is_reset(&error), "{error:?}");
            balancer.wait(&net.system, "head-a is down", |heads| state(heads, "head-a") == "down");
            all_served(&answers(&net.system, &balancer.url, &ticket));
            net.network.set(Rules::default()).expect("set");
            balancer.wait(&net.system, "head-a is back", |heads| state(heads, "head-a") == "ready");
        })
    });
}

/// Its connects are not answered; the other head takes each client meanwhile.
#[test]
fn a_lost_syn_to_a_head_is_not_seen_by_any_client() {
    scenario("hosts::a_lost_syn_to_a_head_is_not_seen_by_any_client", |net| {
        Box::pin(async {
            let (balancer, _heads) = net.spread();
            let ticket = ticket(&net.system);
            let lost = Rules::dropping(Place::Servers, Place::HeadA, Packets::Syn);
            net.network.set(lost).expect("set");
            all_served(&answers(&net.system, &balancer.url, &ticket));
            balancer.wait(&net.system, "head-a is left out", |heads| state(heads, "head-a") != "ready");
            assert!(net.network.hits().expect("listed") > 0);
        })
    });
}

/// TCP repairs it; nobody is taken for dead.
#[test]
fn loss_fails_nothing_and_ejects_nobody() {
    scenario("hosts::loss_fails_nothing_and_ejects_nobody", |net| {
        Box::pin(async {
            let caller = net.caller(20_000, Limits::DEFAULT);
            let some = Packets::Permille(20);
            let drops = vec![(Place::Client, Place::Servers, some), (Place::Servers, Place::Client, some)];
            net.network.set(Rules { drops, ..Rules::default() }).expect("set");
            for number in 0..100 {
                caller.get().await.unwrap_or_else(|error| panic!("request {number}: {error:?}"));
            }
            assert!(net.network.hits().expect("listed") > 0, "packets were lost");
            let heads = own::heads(&net.system);
            assert!(heads.iter().all(|head| head["state"] == "ready"), "{heads:?}");
        })
    });
}

/// Large packets vanish and nobody says so: small answers come, and who waits for a
/// large one is told after some seconds, because to the balancer such a client is one
/// that has vanished. (`net.ipv4.tcp_mtu_probing` finds the size in 3 to 7 s, which is
/// too late as often as not.) Smaller packets from the servers' side are the remedy.
#[test]
fn an_mtu_black_hole_is_told_and_passed_by_smaller_packets() {
    scenario("hosts::an_mtu_black_hole_is_told_and_passed_by_smaller_packets", |net| {
        Box::pin(async {
            net.caller(200_000, Limits::DEFAULT);
            let ticket = ticket(&net.system);
            let connect = || Plain::connect(&net.system, net.system.balancer(), &ticket).expect("connected");
            let mut plain = connect();
            assert_eq!(plain.get("small").expect("answered").status, 200);
            let hole = Rules::dropping(Place::Servers, Place::Client, Packets::Longer(1_400));
            net.network.set(hole).expect("set");
            assert_eq!(plain.get("small").expect("small packets pass").status, 200);
            let error = plain.get("object").expect_err("large ones do not");
            assert!(is_reset(&error), "{error:?}");
            let source = plain.wire.tcp().local_addr().expect("open");
            let record = ended(&net.system, "balancer", source);
            assert_eq!(record["end_code"], "cD", "the client acknowledged nothing: {record}");
            assert!(net.network.hits().expect("listed") > 0);

            net.network.set_mtu(Place::Servers, 1_400).expect("set");
            assert_eq!(connect().get("object").expect("in smaller packets").body.len(), 200_000);
        })
    });
}

/// The balancer's FIN is lost on the way; its kernel says it again.
#[test]
fn a_fin_that_is_dropped_is_said_again() {
    scenario("hosts::a_fin_that_is_dropped_is_said_again", |net| {
        Box::pin(async {
            let balancer = net.changed(|table| _ = table.insert("idle_ms".into(), 3_000.into()));
            let ticket = ticket(&net.system);
            let mut plain = Plain::connect(&net.system, &balancer.url, &ticket).expect("connected");
            assert_eq!(plain.get("small").expect("answered").status, 200);
            net.network.set(Rules::dropping(Place::Servers, Place::Client, Packets::Fin)).expect("set");
            let lost = || (net.network.hits().expect("listed") > 0).then_some(());
            wait::until("the FIN is lost", LIMIT, lost).expect("in time");
            net.network.set(Rules::default()).expect("set");
            assert_eq!(plain.wire.end().expect("no reset"), End::Fin);
        })
    });
}

/// A client that took bytes and is gone without a word: its place becomes free, by
/// the evidence of `TCP_INFO`, long before the kernel would give up.
#[test]
fn a_client_that_is_gone_leaves_its_place() {
    scenario("hosts::a_client_that_is_gone_leaves_its_place", |net| {
        Box::pin(async {
            net.caller(64 << 20, Limits::DEFAULT);
            let ticket = ticket(&net.system);
            let mut plain = Plain::connect(&net.system, net.system.balancer(), &ticket).expect("connected");
            plain.ask("object").expect("asked");
            plain.wire.exactly(1 << 20).expect("the beginning");
            let source = plain.wire.tcp().local_addr().expect("open");
            // It reads as long as something comes: a closed window would be a pause, no death.
            let reader = std::thread::spawn(move || while plain.wire.exactly(4_096).is_ok() {});
            net.network.set(cut(Place::Client, Place::Servers)).expect("set");
            let record = ended(&net.system, "balancer", source);
            assert_eq!(
                (&record["closed_by"], &record["manner"]),
                (&"unknown".into(), &"timeout".into()),
                "{record}"
            );
            let head = ended(&net.system, "head", source);
            assert_ne!(head["phase"], "idle", "the head has learned of it: {head}");
            reader.join().expect("it gave up waiting");
        })
    });
}
