use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use rand::{RngCore, SeedableRng, rngs::StdRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{
    Age, Clocks, End, EndedBy, Manner, Observer, Order, Orders, Outcome, Pass, Phase, Side, Silent, Stagger,
    Stall, Verdict, relay_under,
};

const SHORT: Duration = Duration::from_millis(50);

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("bind");
    let address = listener.local_addr().expect("bound");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("connect"), far.expect("accept").0)
}

/// A client and a server with a relay between them.
struct Stage {
    client: TcpStream,
    server: TcpStream,
    relay: JoinHandle<Outcome>,
}

impl Stage {
    async fn new(clocks: Clocks, orders: Orders, mut observer: impl Observer + Send + 'static) -> Self {
        let ((client, near), (far, server)) = (pair().await, pair().await);
        let relay = tokio::spawn(async move { relay_under(near, far, &mut observer, clocks, orders).await });
        Self { client, server, relay }
    }

    async fn plain() -> Self {
        Self::new(Clocks::DEFAULT, Orders::none(), Silent).await
    }

    /// The client asks, and the server has read the question.
    async fn ask(&mut self) {
        self.client.write_all(b"question").await.expect("write");
        self.server.read_exact(&mut [0; 8]).await.expect("read");
    }

    async fn answer(&mut self) {
        self.server.write_all(b"answer").await.expect("write");
        self.client.read_exact(&mut [0; 6]).await.expect("read");
    }
}

async fn eof(stream: &mut TcpStream) {
    assert_eq!(stream.read(&mut [0; 1]).await.expect("a FIN, not an RST"), 0);
}

async fn rst(stream: &mut TcpStream) {
    let error = stream.read(&mut [0; 1]).await.expect_err("an RST, not a FIN");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

fn end(by: EndedBy, manner: Manner) -> End {
    End { by, manner }
}

#[tokio::test]
async fn a_request_after_the_clients_fin_is_answered() {
    let mut stage = Stage::plain().await;
    stage.ask().await;
    stage.client.shutdown().await.expect("FIN");
    eof(&mut stage.server).await;
    stage.server.write_all(b"late answer").await.expect("write");
    drop(stage.server);
    let mut answer = Vec::new();
    stage.client.read_to_end(&mut answer).await.expect("whole");
    assert_eq!(answer, b"late answer");
    let outcome = stage.relay.await.expect("ended");
    assert_eq!(outcome.first, end(EndedBy::Client, Manner::Fin));
    assert_eq!(outcome.last, end(EndedBy::Server, Manner::Fin));
    assert_eq!(outcome.cause(), outcome.first);
    assert_eq!(outcome.phase, Phase::Waiting);
    assert_eq!((outcome.client.bytes, outcome.server.bytes, outcome.turns.count), (8, 11, 1));
    assert!(outcome.client.fin <= outcome.server.fin);
}

#[tokio::test]
async fn megabytes_pass_whole_in_both_directions_at_once() {
    const BYTES: usize = 12 * 1024 * 1024 + 1;
    let stage = Stage::plain().await;
    let mut sent = [vec![0; BYTES], vec![0; BYTES]];
    sent.iter_mut().for_each(|bytes| StdRng::seed_from_u64(5).fill_bytes(bytes));
    let sides = [stage.client, stage.server].into_iter().zip(sent.clone());
    let tasks: Vec<_> = sides
        .map(|(stream, bytes)| {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.into_split();
                let writing = tokio::spawn(async move {
                    write.write_all(&bytes).await.expect("write");
                    write.shutdown().await.expect("FIN");
                });
                let mut got = Vec::new();
                read.read_to_end(&mut got).await.expect("read");
                writing.await.expect("written");
                got
            })
        })
        .collect();
    for (task, expected) in tasks.into_iter().zip(sent) {
        assert!(task.await.expect("moved") == expected);
    }
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.client.bytes, outcome.server.bytes), (BYTES as u64, BYTES as u64));
}

#[tokio::test]
async fn an_rst_of_either_side_reaches_the_other_as_rst() {
    let mut stage = Stage::plain().await;
    stage.ask().await;
    stage.server.set_zero_linger().expect("linger");
    drop(stage.server);
    rst(&mut stage.client).await;
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.cause(), outcome.phase), (end(EndedBy::Server, Manner::Reset), Phase::Waiting));

    let mut stage = Stage::plain().await;
    stage.ask().await;
    stage.answer().await;
    stage.client.set_zero_linger().expect("linger");
    drop(stage.client);
    rst(&mut stage.server).await;
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.cause(), outcome.phase), (end(EndedBy::Client, Manner::Reset), Phase::Quiet));
}

#[tokio::test]
async fn an_answer_is_delivered_to_a_client_that_is_still_sending() {
    let mut stage = Stage::plain().await;
    stage.ask().await;
    stage.server.write_all(b"too large").await.expect("write");
    // Unread bytes make this close an RST after the answer.
    drop(stage.server);
    let (mut read, mut write) = stage.client.split();
    let sending = async { while write.write_all(&[0; 4096]).await.is_ok() {} };
    let mut answer = [0; 9];
    let (_, read) = tokio::join!(sending, read.read_exact(&mut answer));
    read.expect("the answer came before the end");
    assert_eq!(&answer, b"too large");
    stage.relay.await.expect("ended");
}

#[tokio::test]
async fn an_idle_connection_ends_with_fin_on_both_sides() {
    let clocks = Clocks { idle: SHORT, ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Silent).await;
    stage.ask().await;
    stage.answer().await;
    eof(&mut stage.client).await;
    eof(&mut stage.server).await;
    // A request that was under way is swallowed, not answered with RST.
    stage.client.write_all(b"raced").await.expect("write");
    drop(stage.server);
    stage.client.shutdown().await.expect("no RST");
    eof(&mut stage.client).await;
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.cause(), outcome.phase), (end(EndedBy::Relay, Manner::Idle), Phase::Quiet));
    assert!(outcome.idle >= SHORT, "{:?}", outcome.idle);
    assert_eq!(outcome.turns.count, 1);
}

#[tokio::test]
async fn an_answer_that_never_comes_ends_with_rst() {
    let clocks = Clocks { idle: SHORT, ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Silent).await;
    stage.ask().await;
    rst(&mut stage.client).await;
    rst(&mut stage.server).await;
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.cause().manner, outcome.phase), (Manner::Idle, Phase::Waiting));
}

#[tokio::test]
async fn a_half_closed_connection_has_its_own_clock() {
    let clocks = Clocks { half_closed: SHORT, ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Silent).await;
    stage.client.shutdown().await.expect("FIN");
    eof(&mut stage.server).await;
    rst(&mut stage.client).await;
    let outcome = stage.relay.await.expect("ended");
    assert_eq!(outcome.first, end(EndedBy::Client, Manner::Fin));
    assert_eq!(outcome.cause(), end(EndedBy::Relay, Manner::HalfClosed));
    assert_eq!(outcome.phase, Phase::Unused);
}

#[tokio::test]
async fn ordered_to_finish_it_waits_for_the_answer() {
    let (orders, seen) = watch::channel(Order::Continue);
    let mut stage = Stage::new(Clocks::DEFAULT, Orders::from_channel(seen), Silent).await;
    stage.ask().await;
    orders.send_replace(Order::Finish { quiet: SHORT, spread: Duration::ZERO });
    let asked = Instant::now();
    // Longer than `quiet`, and the connection must live: nothing else can be waited for.
    tokio::time::sleep(SHORT * 3).await;
    stage.answer().await;
    eof(&mut stage.client).await;
    eof(&mut stage.server).await;
    assert!(asked.elapsed() >= SHORT * 4);
    drop((stage.client, stage.server));
    let outcome = stage.relay.await.expect("ended");
    assert_eq!(outcome.cause(), end(EndedBy::Relay, Manner::Finished));
}

#[tokio::test]
async fn at_its_age_it_ends_once_it_is_quiet() {
    let clocks = Clocks { age: Some(Age { max: SHORT, quiet: SHORT }), ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Silent).await;
    let opened = Instant::now();
    stage.ask().await;
    // Beyond its age, and it must live: an answer is owed.
    tokio::time::sleep(SHORT * 3).await;
    stage.answer().await;
    eof(&mut stage.client).await;
    eof(&mut stage.server).await;
    assert!(opened.elapsed() >= SHORT * 4, "and quiet after the answer");
    drop((stage.client, stage.server));
    let outcome = stage.relay.await.expect("ended");
    assert_eq!((outcome.cause(), outcome.phase), (end(EndedBy::Relay, Manner::Aged), Phase::Quiet));
}

#[tokio::test]
async fn ends_that_are_ordered_together_are_spread() {
    let (orders, seen) = watch::channel(Order::Finish { quiet: Duration::ZERO, spread: SHORT * 4 });
    let last = Clocks { stagger: Stagger::drawn(u32::MAX), ..Clocks::DEFAULT };
    let begun = Instant::now();
    let mut first = Stage::new(Clocks::DEFAULT, Orders::from_channel(seen.clone()), Silent).await;
    let mut last = Stage::new(last, Orders::from_channel(seen), Silent).await;
    eof(&mut first.client).await;
    // Said again, it does not begin anew.
    orders.send_replace(Order::Finish { quiet: Duration::ZERO, spread: SHORT * 1_000 });
    eof(&mut last.client).await;
    assert!(begun.elapsed() >= SHORT * 3, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn ordered_to_reset_it_spares_a_server_that_speaks() {
    let (orders, seen) = watch::channel(Order::Continue);
    let mut stage = Stage::new(Clocks::DEFAULT, Orders::from_channel(seen), Silent).await;
    stage.ask().await;
    stage.answer().await;
    orders.send_replace(Order::Reset { silent: Duration::from_secs(3600) });
    stage.ask().await;
    stage.answer().await;
    orders.send_replace(Order::Reset { silent: Duration::ZERO });
    rst(&mut stage.client).await;
    rst(&mut stage.server).await;
    assert_eq!(stage.relay.await.expect("ended").cause(), end(EndedBy::Relay, Manner::Cut));
}

#[tokio::test]
async fn an_order_from_before_the_connection_counts() {
    let (_orders, seen) = watch::channel(Order::Finish { quiet: SHORT, spread: Duration::ZERO });
    let mut stage = Stage::new(Clocks::DEFAULT, Orders::from_channel(seen), Silent).await;
    eof(&mut stage.client).await;
}

/// Tells what it saw, and takes every FIN of the server for its death.
struct Suspicious(mpsc::UnboundedSender<String>);

impl Observer for Suspicious {
    fn moved(&mut self, from: Side, bytes: &[u8], _: Instant) {
        let _ = self.0.send(format!("{from:?} {}", bytes.len()));
    }

    fn turn(&mut self, _: Duration, _: Instant) {
        let _ = self.0.send("turn".to_owned());
    }

    fn fin(&mut self, from: Side, _: Instant) -> Pass {
        match from {
            Side::Client => Pass::AsFin,
            Side::Server => Pass::AsReset,
        }
    }

    fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
        assert!(stall.waited >= SHORT);
        Verdict::Gone(Side::Server)
    }

    fn ending(&mut self, client: &TcpStream, server: &TcpStream) {
        assert!(client.local_addr().is_ok() && server.local_addr().is_ok(), "still open");
        let _ = self.0.send("ending".to_owned());
    }
}

#[tokio::test]
async fn the_observer_sees_all_and_can_tell_a_death() {
    let (saw, mut seen) = mpsc::unbounded_channel();
    let mut stage = Stage::new(Clocks::DEFAULT, Orders::none(), Suspicious(saw)).await;
    stage.ask().await;
    stage.answer().await;
    stage.server.shutdown().await.expect("FIN");
    rst(&mut stage.client).await;
    assert_eq!(stage.relay.await.expect("ended").cause(), end(EndedBy::Server, Manner::Torn));
    let mut events = Vec::new();
    seen.recv_many(&mut events, 10).await;
    assert_eq!(events, ["Client 8", "Server 6", "turn", "ending"]);
}

#[tokio::test]
async fn a_stall_is_examined_and_a_vanished_server_is_cut() {
    let (saw, _seen) = mpsc::unbounded_channel();
    let clocks = Clocks { stall: SHORT, ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Suspicious(saw)).await;
    stage.ask().await;
    rst(&mut stage.client).await;
    rst(&mut stage.server).await;
    assert_eq!(stage.relay.await.expect("ended").cause(), end(EndedBy::Server, Manner::Vanished));
}

#[tokio::test]
async fn a_quiet_connection_is_examined_once() {
    struct Counting(mpsc::UnboundedSender<Duration>);
    impl Observer for Counting {
        fn stalled(&mut self, stall: Stall<'_>) -> Verdict {
            let _ = self.0.send(stall.waited);
            Verdict::Wait
        }
    }
    let (examined, mut seen) = mpsc::unbounded_channel();
    let clocks = Clocks { stall: SHORT, idle: SHORT * 8, ..Clocks::DEFAULT };
    let mut stage = Stage::new(clocks, Orders::none(), Counting(examined)).await;
    stage.ask().await;
    stage.answer().await;
    eof(&mut stage.client).await;
    drop((stage.client, stage.server));
    assert_eq!(stage.relay.await.expect("ended").cause(), end(EndedBy::Relay, Manner::Idle));
    let waited = seen.recv().await.expect("once, for the last answer may not have arrived");
    assert!(waited >= SHORT * 2, "{waited:?}");
    assert!(seen.recv().await.is_none(), "an idle connection is not woken again and again");
}

#[tokio::test]
async fn an_idle_relay_is_small() {
    let ((_client, near), (far, _server)) = (pair().await, pair().await);
    let mut observer = Silent;
    let relay = relay_under(near, far, &mut observer, Clocks::DEFAULT, Orders::none());
    let bytes = std::mem::size_of_val(&relay);
    assert!(bytes <= 2048, "{bytes} bytes for each connection");
}
