use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use super::{Chance, Deed, Door, Effect, FaultRelay, Fins, Injection, Pace, Plan, Rate, Reach, Strike, When};
use crate::orders::Order;
use crate::outcome::Side;

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(20);

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A server behind a relay with a plan.
struct Stage {
    relay: FaultRelay,
    server: TcpListener,
}

impl Stage {
    async fn new(plan: Plan) -> Self {
        let server = TcpListener::bind(any_port()).await.expect("bind");
        let behind = server.local_addr().expect("bound");
        let relay = FaultRelay::start(any_port(), behind, plan, 1).await.expect("listens");
        Self { relay, server }
    }

    /// A client and what the server has of it.
    async fn pair(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.relay.address()).await.expect("connected");
        let (server, _) = timeout(LONG, self.server.accept()).await.expect("in time").expect("accepted");
        (client, server)
    }

    async fn deed(&self) -> Injection {
        timeout(LONG, async {
            loop {
                if let Some(first) = self.relay.injections().first() {
                    return *first;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("something was done")
    }
}

async fn say(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).await.expect("write");
    let mut got = vec![0; bytes.len()];
    timeout(LONG, to.read_exact(&mut got)).await.expect("in time").expect("read");
    assert_eq!(got, bytes);
}

async fn eof(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read(&mut [0; 1])).await.expect("in time");
    assert_eq!(read.expect("a FIN, not an RST"), 0);
}

async fn rst(stream: &mut TcpStream) {
    let read = timeout(LONG, stream.read(&mut [0; 1])).await.expect("in time");
    assert_eq!(read.expect_err("an RST, not a FIN").kind(), io::ErrorKind::ConnectionReset);
}

/// Nothing comes although something was sent: what "never" means here.
async fn nothing(stream: &mut TcpStream) {
    let read = timeout(SHORT * 6, stream.read(&mut [0; 1])).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test]
async fn without_a_fault_it_is_a_relay() {
    let stage = Stage::new(Plan::default()).await;
    let (mut client, mut server) = stage.pair().await;
    say(&mut client, &mut server, b"question").await;
    say(&mut server, &mut client, b"answer").await;
    client.shutdown().await.expect("FIN");
    eof(&mut server).await;
    drop(server);
    eof(&mut client).await;
    assert_eq!((stage.relay.accepted(), stage.relay.injections().len()), (1, 0));
}

#[tokio::test]
async fn an_idle_connection_ends_as_planned_on_both_sides() {
    for effect in [Effect::Fin, Effect::Reset] {
        let stage = Stage::new(Plan::strike(When::Idle(SHORT), effect)).await;
        let begun = Instant::now();
        let (mut client, mut server) = stage.pair().await;
        match effect {
            Effect::Fin => tokio::join!(eof(&mut client), eof(&mut server)),
            _ => tokio::join!(rst(&mut client), rst(&mut server)),
        };
        assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
        let deed = stage.deed().await;
        assert_eq!(deed.deed, Deed::Struck(When::Idle(SHORT), effect));
        assert_eq!(deed.subject.client, client.local_addr().expect("open"));
        assert_eq!(deed.subject.towards_server, server.peer_addr().ok().or(deed.subject.towards_server));
    }
}

#[tokio::test]
async fn a_silent_box_passes_on_neither_bytes_nor_ends() {
    let stage = Stage::new(Plan::strike(When::Idle(SHORT), Effect::Silence(Reach::Both))).await;
    let (mut client, mut server) = stage.pair().await;
    stage.deed().await;
    client.write_all(b"lost").await.expect("the kernel takes it");
    nothing(&mut server).await;
    drop(server);
    nothing(&mut client).await;
}

#[tokio::test]
async fn one_direction_can_be_silent_alone() {
    let silence = Effect::Silence(Reach::From(Side::Server));
    let stage = Stage::new(Plan::strike(When::Bytes(Side::Client, 8), silence)).await;
    let (mut client, mut server) = stage.pair().await;
    say(&mut client, &mut server, b"question").await;
    say(&mut client, &mut server, b"still heard").await;
    server.write_all(b"answer").await.expect("write");
    nothing(&mut client).await;
}

#[tokio::test]
async fn the_first_request_after_a_rest_is_reset_as_an_nlb_does() {
    let stage = Stage::new(Plan::strike(When::SendAfterIdle(LONG), Effect::Reset)).await;
    let (mut client, mut server) = stage.pair().await;
    say(&mut client, &mut server, b"question").await;
    say(&mut server, &mut client, b"answer").await;

    stage.relay.set_plan(Plan::strike(When::SendAfterIdle(SHORT), Effect::Reset));
    let (mut client, mut server) = stage.pair().await;
    // Idle for longer than the box remembers; nothing announces it.
    tokio::time::sleep(SHORT * 2).await;
    client.write_all(b"question").await.expect("the kernel takes it");
    tokio::join!(rst(&mut client), rst(&mut server));
}

#[tokio::test]
async fn a_request_that_raced_a_close_is_read_and_not_answered() {
    let soon = Duration::from_millis(20);
    let stage = Stage::new(Plan::strike(When::SendAfterIdle(soon), Effect::Fin)).await;
    let (mut client, mut server) = stage.pair().await;
    tokio::time::sleep(soon * 2).await;
    client.write_all(b"raced").await.expect("write");
    eof(&mut client).await;
    eof(&mut server).await;
}

#[tokio::test]
async fn a_body_is_cut_at_the_byte_and_in_the_middle_of_a_record() {
    for (when, whole) in
        [(When::Bytes(Side::Server, 7_000), 7_000), (When::MidRecord(Side::Server, 10), 1_522)]
    {
        for effect in [Effect::Fin, Effect::Reset] {
            let stage = Stage::new(Plan::strike(when, effect)).await;
            let (mut client, mut server) = stage.pair().await;
            // Records of 1,013 bytes: 23, version, 1,008.
            let record = [vec![23, 3, 3, 3, 240], vec![1; 1_008]].concat();
            server.write_all(&record.repeat(20)).await.expect("write");
            let mut got = Vec::new();
            let read = timeout(LONG, client.read_to_end(&mut got)).await.expect("in time");
            assert_eq!(read.is_ok(), effect == Effect::Fin, "{when:?} {effect:?}");
            assert_eq!(got.len(), whole, "{when:?} {effect:?}");
        }
    }
}

#[tokio::test]
async fn a_stalled_body_goes_on_afterwards() {
    let stall = Effect::Stall(Reach::From(Side::Server), SHORT * 4);
    let stage = Stage::new(Plan::strike(When::Bytes(Side::Server, 100), stall)).await;
    let (mut client, mut server) = stage.pair().await;
    server.write_all(&[7; 200]).await.expect("write");
    let mut half = [0; 100];
    client.read_exact(&mut half).await.expect("the first half");
    let stalled = Instant::now();
    client.read_exact(&mut half).await.expect("the second half");
    assert!(stalled.elapsed() >= SHORT * 3, "{:?}", stalled.elapsed());
    say(&mut client, &mut server, b"next").await;
}

#[tokio::test]
async fn each_direction_has_its_own_pace() {
    let up = Pace { delay: SHORT, jitter: SHORT, rate: None };
    let down = Pace { rate: Some(Rate::dribble(Duration::from_millis(5))), ..Pace::default() };
    let stage = Stage::new(Plan { up, down, ..Plan::default() }).await;
    let (mut client, mut server) = stage.pair().await;
    let begun = Instant::now();
    say(&mut client, &mut server, b"question").await;
    assert!(begun.elapsed() >= SHORT);
    let begun = Instant::now();
    server.write_all(&[7; 20]).await.expect("write");
    let mut pieces = 0;
    let mut got = 0;
    while got < 20 {
        got += client.read(&mut [0; 20]).await.expect("read");
        pieces += 1;
    }
    assert!(begun.elapsed() >= Duration::from_millis(95), "{:?}", begun.elapsed());
    assert!(pieces > 1, "it came at once");
    let paced: Vec<Deed> = stage.relay.injections().iter().map(|i| i.deed).collect();
    assert_eq!(paced, [Deed::Paced(Side::Client, up), Deed::Paced(Side::Server, down)], "each told once");
}

#[tokio::test]
async fn a_rate_is_kept_over_many_pieces() {
    let rate = Rate::bytes_per_second(NonZeroU32::new(1_000_000).expect("not zero"));
    assert_eq!((rate.piece_bytes.get(), rate.every), (10_000, Duration::from_millis(10)));
    let down = Pace { rate: Some(rate), ..Pace::default() };
    let stage = Stage::new(Plan { down, ..Plan::default() }).await;
    let (mut client, mut server) = stage.pair().await;
    let begun = Instant::now();
    server.write_all(&[7; 200_000]).await.expect("write");
    drop(server);
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.expect("all of it");
    assert_eq!(got.len(), 200_000);
    assert!(begun.elapsed() >= Duration::from_millis(185), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn fins_can_be_lost_or_turned_into_rst() {
    let stage = Stage::new(Plan { fins: Fins::Lost(Side::Server), ..Plan::default() }).await;
    let (mut client, mut server) = stage.pair().await;
    server.shutdown().await.expect("FIN");
    assert_eq!(stage.deed().await.deed, Deed::FinLost(Side::Server));
    nothing(&mut client).await;
    say(&mut client, &mut server, b"it believes in the connection").await;
    drop(server);
    client.write_all(b"and nobody is there").await.expect("the kernel takes it");
    rst(&mut client).await;

    let stage = Stage::new(Plan { fins: Fins::AsReset(Side::Server), ..Plan::default() }).await;
    let (mut client, server) = stage.pair().await;
    drop(server);
    rst(&mut client).await;
    assert_eq!(stage.deed().await.deed, Deed::FinAsReset(Side::Server));
}

#[tokio::test]
async fn every_door_is_what_it_says() {
    let stage = Stage::new(Plan::door(Door::Reset)).await;
    let address = stage.relay.address();
    // The RST may come while the connect is being reported.
    if let Ok(mut client) = TcpStream::connect(address).await {
        rst(&mut client).await;
    }
    stage.relay.set_plan(Plan::door(Door::Unanswered));
    let mut client = wait_for(address, |c| c.ok()).await;
    client.write_all(b"hello").await.expect("the kernel takes it");
    nothing(&mut client).await;

    stage.relay.set_plan(Plan::door(Door::Refused));
    wait_for(address, |c| c.err().filter(|e| e.kind() == io::ErrorKind::ConnectionRefused)).await;

    stage.relay.set_plan(Plan::door(Door::QueueFull));
    timeout(LONG, async { while timeout(SHORT * 6, TcpStream::connect(address)).await.is_ok() {} })
        .await
        .expect("handshakes are dropped");

    stage.relay.set_plan(Plan::default());
    timeout(LONG, async {
        loop {
            let connecting = async { timeout(SHORT * 6, TcpStream::connect(address)).await.ok()?.ok() };
            if let Some(mut client) = connecting.await
                && let Ok(Ok((mut server, _))) = timeout(SHORT * 6, stage.server.accept()).await
            {
                return say(&mut client, &mut server, b"open again").await;
            }
        }
    })
    .await
    .expect("relayed again");
}

async fn wait_for<T>(address: SocketAddr, wanted: impl Fn(io::Result<TcpStream>) -> Option<T>) -> T {
    timeout(LONG, async {
        loop {
            if let Some(found) = wanted(TcpStream::connect(address).await) {
                return found;
            }
        }
    })
    .await
    .expect("in time")
}

#[tokio::test]
async fn what_is_open_can_be_doomed_and_ordered_while_the_rest_goes_on() {
    let stage = Stage::new(Plan::default()).await;
    let (mut old, mut old_server) = stage.pair().await;
    say(&mut old, &mut old_server, b"before").await;
    stage.relay.doom(Effect::Silence(Reach::Both));
    old.write_all(b"after").await.expect("the kernel takes it");
    nothing(&mut old_server).await;
    assert_eq!(stage.deed().await.deed, Deed::Doomed(Effect::Silence(Reach::Both)));
    let (mut new, mut new_server) = stage.pair().await;
    say(&mut new, &mut new_server, b"fresh").await;
    stage.relay.doom(Effect::Reset);
    new.write_all(b"doomed").await.expect("the kernel takes it");
    tokio::join!(rst(&mut new), rst(&mut new_server));
    let (mut new, mut new_server) = stage.pair().await;
    say(&mut new, &mut new_server, b"fresh").await;
    stage.relay.order(Order::Reset { silent: Duration::ZERO });
    tokio::join!(rst(&mut new), rst(&mut new_server));
}

#[tokio::test]
async fn the_seed_decides_whom_it_befalls() {
    async fn befallen(seed: u64) -> Vec<u64> {
        let server = TcpListener::bind(any_port()).await.expect("bind");
        let behind = server.local_addr().expect("bound");
        let strike = Strike {
            chance: Chance::Permille(400),
            when: When::Bytes(Side::Client, 1),
            effect: Effect::Reset,
        };
        let plan = Plan { strikes: vec![strike], ..Plan::default() };
        let relay = FaultRelay::start(any_port(), behind, plan, seed).await.expect("listens");
        for _ in 0..32 {
            let mut client = TcpStream::connect(relay.address()).await.expect("connected");
            let (mut server, _) = server.accept().await.expect("accepted");
            client.write_all(b"x").await.expect("write");
            let _reset_or_read = server.read_exact(&mut [0; 1]).await;
            drop((client, server));
        }
        timeout(LONG, async {
            while relay.accepted() < 32 {
                tokio::task::yield_now().await
            }
        })
        .await
        .expect("all came");
        relay.injections().iter().map(|injection| injection.subject.number).collect()
    }
    let (one, again, other) = tokio::join!(befallen(7), befallen(7), befallen(8));
    assert_eq!(one, again);
    assert_ne!(one, other);
    assert!((4..28).contains(&one.len()), "{one:?}");
}
