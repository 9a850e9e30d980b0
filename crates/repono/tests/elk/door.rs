//! The way to Elasticsearch: open, shut, or answering that it is too busy.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use repono_testkit::{port, wait};
use serde_json::{Value, json};

/// The shipper tries again within seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// They reach Elasticsearch.
    Open,
    /// Nobody listens, and those that were open have ended.
    Shut,
    /// Each item of each bulk request is answered by 429.
    Busy,
}

/// An address that stays the same.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    to: SocketAddr,
    refused: Arc<AtomicUsize>,
    listening: Option<Listening>,
}

struct Listening {
    thread: JoinHandle<()>,
    /// Every connection, and whether the door still takes new ones.
    streams: Arc<Mutex<Option<Vec<TcpStream>>>>,
}

impl Door {
    pub(crate) fn open(to: SocketAddr) -> Self {
        let address = port::free().expect("a free port");
        let mut door = Self { address, to, refused: Arc::default(), listening: None };
        door.set(State::Open);
        door
    }

    pub(crate) fn set(&mut self, state: State) {
        if let Some(listening) = self.listening.take() {
            for stream in listening.streams.lock().expect("a list").take().into_iter().flatten() {
                // It may have ended by itself.
                let _ = stream.shutdown(Shutdown::Both);
            }
            // One more connection, so that it looks whether it shall end, unless one of the
            // shipper's made it do so just now.
            drop(TcpStream::connect(self.address));
            listening.thread.join().expect("it ends");
        }
        if state != State::Shut {
            self.listening = Some(self.listen(state));
        }
    }

    fn listen(&self, state: State) -> Listening {
        // A process that another thread starts has all sockets until it runs its program.
        let bound = || TcpListener::bind(self.address).ok();
        let listener = wait::until("the address is free", LIMIT, bound).expect("its address");
        let streams = Arc::new(Mutex::new(Some(Vec::new())));
        let (kept, to, refused) = (Arc::clone(&streams), self.to, Arc::clone(&self.refused));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let mut kept = kept.lock().expect("a list");
                let Some(kept) = &mut *kept else { break };
                kept.push(stream.try_clone().expect("a handle"));
                let refused = Arc::clone(&refused);
                // They end when the streams do; what they meet then is no fault.
                thread::spawn(move || match state {
                    State::Open => drop(pass(stream, to)),
                    State::Busy | State::Shut => drop(refuse(&stream, &refused)),
                });
            }
        });
        Listening { thread, streams }
    }

    /// Waits until an item was refused.
    pub(crate) fn wait_until_refused(&self) {
        let some = || (self.refused.load(Ordering::Relaxed) > 0).then_some(());
        wait::until("an item was refused", LIMIT, some).expect("refused");
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.set(State::Shut);
    }
}

fn pass(near: TcpStream, to: SocketAddr) -> io::Result<()> {
    let far = TcpStream::connect(to)?;
    let (mut back_from, mut back_to) = (far.try_clone()?, near.try_clone()?);
    let back = thread::spawn(move || {
        let copied = io::copy(&mut back_from, &mut back_to);
        back_to.shutdown(Shutdown::Both).and(copied)
    });
    io::copy(&mut &near, &mut &far)?;
    far.shutdown(Shutdown::Write)?;
    drop(back.join());
    Ok(())
}

/// Answers requests until the connection ends.
fn refuse(stream: &TcpStream, refused: &AtomicUsize) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().map_err(io::Error::other)?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body);
        // Of each two lines the first says what shall be done.
        let items: Vec<Value> = body.lines().step_by(2).map(busy).collect();
        refused.fetch_add(items.len(), Ordering::Relaxed);
        let reply = json!({"took": 1, "errors": true, "items": items}).to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            reply.len()
        );
        (&mut &*stream).write_all((head + &reply).as_bytes())?;
    }
}

fn busy(action: &str) -> Value {
    let mut item: Value = serde_json::from_str(action).expect("an action");
    item["create"]["status"] = 429.into();
    item["create"]["error"] = json!({"type": "es_rejected_execution_exception", "reason": "too busy"});
    item
}
