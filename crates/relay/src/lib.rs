//! Bytes between two sockets, and what can be learned from them without reading
//! them: who ended, how, and how long the server took to answer each turn.
//!
//! | item | is |
//! |---|---|
//! | [`relay()`], [`relay_under`] | both directions of one connection, on one task |
//! | [`Clocks`] | how long quiet may last |
//! | [`Orders`], [`Order`] | what the owner can ask of a running relay |
//! | [`Observer`] | sees every piece of bytes, every turn and the end |
//! | [`Outcome`] | counters, instants, and who ended it how |
//! | [`tls`] | what can be seen of TLS without its keys |
//! | [`faults`] | faults on demand: a relay that misbehaves as a plan says |
//!
//! A FIN is passed on as FIN, so a half-closed connection stays half open; an RST
//! is passed on as RST, so that a torn stream cannot be taken for a whole one. No
//! end is silent.

mod buffer;
mod clock;
mod duplex;
mod farewell;
pub mod faults;
mod lane;
mod meter;
mod observer;
mod orders;
mod outcome;
mod record;
mod tap;
pub mod tls;

use std::future::poll_fn;
use std::pin::pin;

use tokio::net::TcpStream;
use tokio::time::sleep_until;

pub use clock::{Age, Clocks, Stagger};
pub use meter::{Flow, Turns};
pub use observer::{Cut, Observer, Pass, Reply, Silent, Stall, Verdict};
pub use orders::{Order, Orders};
pub use outcome::{End, EndedBy, Manner, Outcome, Phase, Side};

use duplex::Duplex;

/// Relays until both sides have ended, or one was cut, or a clock ran out.
///
/// *Cancel safety*: dropping the future closes both sockets at once.
/// *Cost*: an idle connection holds no buffer; 16 KiB for each direction while
/// bytes wait for a slow reader.
pub async fn relay(
    client: TcpStream,
    server: TcpStream,
    observer: &mut impl Observer,
    clocks: Clocks,
) -> Outcome {
    relay_under(client, server, observer, clocks, Orders::none()).await
}

/// The same, under orders that may change while it runs.
///
/// *Cancel safety*: dropping the future closes both sockets at once.
pub async fn relay_under(
    client: TcpStream,
    server: TcpStream,
    observer: &mut impl Observer,
    clocks: Clocks,
    mut orders: Orders,
) -> Outcome {
    let mut duplex = Duplex::new(client, server, observer, clocks);
    let mut alarm = pin!(sleep_until(duplex.next_look()));
    let end = loop {
        tokio::select! {
            biased;
            end = poll_fn(|cx| duplex.poll(cx, alarm.as_mut())) => break end,
            order = orders.next() => {
                if let Some(end) = duplex.obey(order) {
                    break end;
                }
            }
        }
    };
    let (outcome, leaving) = duplex.conclude(end);
    if let Some(sockets) = leaving {
        // On the heap, so that a running connection is not larger for its end.
        Box::pin(farewell::farewell(sockets)).await;
    }
    outcome
}

#[cfg(test)]
mod tests;
