//! What the records of other sides say of an attempt: the balancer's, a head's, and
//! what the client's own kernel knew.

use std::net::SocketAddr;
use std::time::Duration;

use crate::finding::Step;

/// The names under which other sides know an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The connection's id in the log that told of the attempt.
    pub connection: Option<u128>,
    /// Its id at the other side, as a reply told it.
    pub peer_connection: Option<u128>,
    /// The client's end of it.
    pub source: Option<SocketAddr>,
    /// The request's id, as a reply told it.
    pub trans_id: Option<Box<str>>,
    /// Whether the peer's kernel acknowledged the request, where the client saw to it.
    pub acknowledged: Option<bool>,
    /// Whose clock its times are of, where several are told apart.
    pub clock: u16,
}

/// Who ended a connection, as one side saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ender {
    Client,
    Balancer,
    Head,
    Unknown,
}

/// What other sides say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Testimony {
    /// Whether the request was acknowledged by the peer's kernel.
    pub(crate) acknowledged: Option<bool>,
    /// Whether the client was told that its peer ended the connection.
    pub(crate) peer_ended: Option<bool>,
    pub(crate) balancer: Option<BalancerSays>,
    /// Whether the balancer is silent of a connection that a head knows.
    pub(crate) balancer_gone: Option<bool>,
    pub(crate) head: Option<HeadSays>,
    /// The records themselves, in words.
    pub(crate) steps: Vec<Step>,
}

/// What the balancer says of the attempt's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BalancerSays {
    /// It still held the connection when the request was sent.
    pub(crate) held: bool,
    /// A byte moved on it after the request was sent.
    pub(crate) heard: bool,
    /// Who ended it.
    pub(crate) ender: Ender,
    /// The longest time that the head took to begin to answer.
    pub(crate) worst_turn: Duration,
}

/// What the heads say of the attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadSays {
    /// A head read the request.
    pub(crate) heard: bool,
    /// From there to the end of its work, where it did not wait for the client.
    pub(crate) took: Duration,
    /// From the sending of the request until a head read it.
    pub(crate) late: Duration,
}
