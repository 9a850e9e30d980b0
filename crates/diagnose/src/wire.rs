//! What packets tell of an attempt: who acknowledged, who ended, who was waited for.
//!
//! A capture knows both directions at one place. The one who opened the connection is
//! its client; the other is its peer, which may be a balancer or a server.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::finding::Step;
use crate::span::in_words;

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one who opened it.
    Client,
    /// The other one.
    Peer,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Peer,
            Self::Peer => Self::Client,
        }
    }

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Peer => "peer",
        }
    }
}

/// What packets tell of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// How the connection was asked for, where that was captured and is worth a word.
    pub opening: Option<Opening>,
    /// In the handshake, what was waited for the longest.
    pub handshake: Option<Waited>,
    /// How long the connection had been quiet before the request.
    pub idle: Duration,
    /// Whether the peer's kernel acknowledged the request; `None` where it was not sent.
    pub acknowledged: Option<Duration>,
    /// How often the request was sent again.
    pub repeats: u32,
    /// Whether the peer's host was heard on another connection while this one was silent.
    pub peer_heard_elsewhere: bool,
    /// How the connection ended before the reply was whole.
    pub end: Option<End>,
    /// What the reply waited for once it had begun.
    pub stalls: Stalls,
    /// Who held small writes back until the other acknowledged the one before.
    pub held_back: Option<Side>,
    /// What happened to the connection, apart from its requests.
    pub trouble: Option<Trouble>,
    /// What stands in single packets.
    pub steps: Vec<Step>,
}

/// How a connection was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Opening {
    /// SYN was sent again before it was answered.
    Repeated,
    /// SYN was answered by RST.
    Refused,
    /// SYN was never answered.
    Unanswered,
}

/// Who or what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waited {
    /// The client, which had all that it needed to go on.
    Client,
    /// The peer, which had.
    Peer,
    /// A packet that was lost and sent again.
    Lost,
}

/// How a connection ended under a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The peer's FIN or RST does not count the request as received, and was no answer to
    /// it: both were under way at once.
    Crossed,
    /// The peer had the request, and ended the connection without a reply.
    AfterRequest,
    /// RST answered the request, from somebody who did not know the connection.
    Unknown,
    /// RST came with another time to live than all that came from the peer before.
    OtherTtl,
    /// The client's kernel had acknowledged the peer's FIN before the request was sent.
    HalfClosed,
    /// The client ended it, and had not waited for the whole reply.
    ClientLeft,
    /// Within the reply, by FIN of the peer.
    FinInReply,
    /// Within the reply, by RST of the peer.
    RstInReply,
    /// Within the TLS handshake.
    InHandshake,
}

/// What a reply waited for, once it had begun: pauses of 100 ms and more, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stalls {
    /// For room at the client, whose window was full.
    pub client: Duration,
    /// For the peer, which had nothing under way and room to send.
    pub peer: Duration,
    /// For what was lost, and sent again.
    pub lost: Duration,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProbesUnanswered(count) => write!(f, "had {count} keep-alive probes without an answer"),
            Self::Lossy(share) => {
                write!(f, "sent {}.{} % of one side's packets again", share / 10, share % 10)
            }
            Self::HalfClosed(kept) => write!(f, "was kept half closed for {}", in_words(*kept)),
        }
    }
}

/// What happened to a connection, apart from its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Keep-alive probes without an answer.
    ProbesUnanswered(u32),
    /// Packets were sent again: so many of a thousand.
    Lossy(u32),
    /// The peer had ended it, and the client kept its half for so long.
    HalfClosed(Duration),
}
