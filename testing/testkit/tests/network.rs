//! The test network does what it says, shown with plain sockets.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use repono_testkit::network::{Network, Packets, Place, Rules, Source, Unknown, inside};
use repono_testkit::wait;

const LIMIT: Duration = Duration::from_secs(20);
/// What "nothing comes" means here: a hundred times a round trip.
const NOTHING: Duration = Duration::from_millis(300);

/// A program in another place that sends back each line it gets, on port 7000.
struct Echo(Child);

impl Echo {
    fn start(place: Place) -> Self {
        let program = "import socketserver as s\n\
             class H(s.StreamRequestHandler):\n\
             \x20def handle(self):\n\
             \x20 for line in self.rfile: self.wfile.write(line)\n\
             s.ThreadingTCPServer.allow_reuse_address = True\n\
             s.ThreadingTCPServer(('0.0.0.0', 7000), H).serve_forever()\n";
        let through = place.through();
        let mut command = Command::new(&through[0]);
        command.args(&through[1..]).args(["python3", "-c", program]).stdin(Stdio::null());
        Self(command.spawn().expect("python3 runs"))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn at(place: Place) -> SocketAddr {
    SocketAddr::new(place.address(), 7000)
}

fn connect(place: Place) -> TcpStream {
    let stream =
        wait::until("the echo listens", LIMIT, || TcpStream::connect_timeout(&at(place), LIMIT).ok());
    let stream = stream.expect("in time");
    stream.set_read_timeout(Some(LIMIT)).expect("settable");
    stream
}

fn echo(stream: &mut TcpStream, bytes: usize) -> io::Result<()> {
    let mut line = vec![b'x'; bytes];
    *line.last_mut().expect("not empty") = b'\n';
    stream.write_all(&line)?;
    let mut got = vec![0; bytes];
    stream.read_exact(&mut got)?;
    assert!(got == line);
    Ok(())
}

fn nothing(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(NOTHING)).expect("settable");
    let read = stream.read(&mut [0; 1]).expect_err("nothing");
    assert_eq!(read.kind(), ErrorKind::WouldBlock);
}

fn hits(network: &Network) {
    wait::until("the rule has struck", LIMIT, || (network.hits().expect("listed") > 0).then_some(()))
        .expect("in time");
}

#[test]
fn every_place_is_reached_and_nothing_is_touched() {
    inside("every_place_is_reached_and_nothing_is_touched", |network| {
        for place in [Place::Servers, Place::HeadA, Place::HeadB] {
            let _echo = Echo::start(place);
            let mut stream = connect(place);
            echo(&mut stream, 100_000).expect("answered");
            assert_eq!(stream.local_addr().expect("open").ip(), Place::Client.address());
        }
        assert_eq!(network.hits().expect("listed"), 0);
    });
}

#[test]
fn what_is_forgotten_is_dropped_or_reset() {
    inside("what_is_forgotten_is_dropped_or_reset", |network| {
        let _echo = Echo::start(Place::Servers);
        for unknown in [Unknown::Reset, Unknown::Dropped] {
            network.set(Rules::forgetting(1, unknown)).expect("set");
            let mut stream = connect(Place::Servers);
            echo(&mut stream, 10).expect("known");
            // Longer than the box remembers, in whole seconds of the kernel's clock.
            std::thread::sleep(Duration::from_secs(3));
            assert_eq!(network.hits().expect("listed"), 0, "nothing announces it");
            stream.write_all(b"after\n").expect("the kernel takes it");
            match unknown {
                Unknown::Dropped => nothing(&mut stream),
                Unknown::Reset => {
                    let error = stream.read(&mut [0; 1]).expect_err("reset");
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                }
            }
            hits(network);
            echo(&mut connect(Place::Servers), 10).expect("a new connection is known");
        }
    });
}

#[test]
fn a_failover_forgets_all_at_once() {
    inside("a_failover_forgets_all_at_once", |network| {
        let _echo = Echo::start(Place::Servers);
        network.set(Rules::forgetting(600, Unknown::Dropped)).expect("set");
        let mut stream = connect(Place::Servers);
        echo(&mut stream, 10).expect("known");
        network.forget_all().expect("set");
        stream.write_all(b"after\n").expect("the kernel takes it");
        nothing(&mut stream);
        hits(network);
    });
}

#[test]
fn chosen_packets_are_dropped_and_others_pass() {
    inside("chosen_packets_are_dropped_and_others_pass", |network| {
        let _echo = Echo::start(Place::HeadA);
        let mut stream = connect(Place::HeadA);
        network.set(Rules::dropping(Place::HeadA, Place::Client, Packets::Longer(1_400))).expect("set");
        echo(&mut stream, 1_000).expect("short");
        stream.write_all(&[&[b'x'; 2_000][..], b"\n"].concat()).expect("the kernel takes it");
        hits(network);
        network.set(Rules::default()).expect("set");
        stream.read_exact(&mut [0; 2_001]).expect("sent again");

        network.set(Rules::dropping(Place::HeadA, Place::Client, Packets::Fin)).expect("set");
        echo(&mut stream, 10).expect("no FIN");
        stream.shutdown(std::net::Shutdown::Write).expect("FIN");
        hits(network);
        nothing(&mut stream);
        network.set(Rules::default()).expect("set");
        stream.set_read_timeout(Some(LIMIT)).expect("settable");
        assert_eq!(stream.read(&mut [0; 1]).expect("the FIN, sent again"), 0);

        network.set(Rules::dropping(Place::Client, Place::HeadA, Packets::Syn)).expect("set");
        let begun = Instant::now();
        TcpStream::connect_timeout(&at(Place::HeadA), NOTHING).expect_err("no handshake");
        assert!(begun.elapsed() >= NOTHING);
        hits(network);
    });
}

#[test]
fn loss_is_repaired_and_counted() {
    inside("loss_is_repaired_and_counted", |network| {
        let _echo = Echo::start(Place::HeadB);
        let mut stream = connect(Place::HeadB);
        network.set(Rules::dropping(Place::HeadB, Place::Client, Packets::Permille(50))).expect("set");
        (0..20).for_each(|_| echo(&mut stream, 20_000).expect("repaired by TCP"));
        hits(network);
    });
}

#[test]
fn another_source_after_a_rebinding_is_unknown_to_the_server() {
    inside("another_source_after_a_rebinding_is_unknown_to_the_server", |network| {
        let _echo = Echo::start(Place::Servers);
        network.set(Rules { nat: Some(Source::First), ..Rules::default() }).expect("set");
        let mut stream = connect(Place::Servers);
        echo(&mut stream, 10).expect("translated");
        network.change(|rules| rules.nat = Some(Source::Second)).expect("set");
        network.forget_all().expect("set");
        stream.write_all(b"after\n").expect("the kernel takes it");
        let error = stream.read(&mut [0; 1]).expect_err("reset by the server");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}
