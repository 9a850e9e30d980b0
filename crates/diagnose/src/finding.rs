//! What was found, with its evidence.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::adapter::Format;
use crate::timeline::Mark;

/// Where the cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hop {
    /// The client and its library.
    Client,
    /// What lies between the client and its peer: a firewall, a NAT, a balancer that
    /// forgets.
    Path,
    /// The balancer.
    Balancer,
    /// A head.
    Head,
    /// The look-up of names.
    Dns,
    /// The TLS handshake.
    Tls,
    /// What lies before a proxy: its client, or the way to it.
    Front,
    /// What lies behind a proxy: its server, or the way to it.
    Back,
    /// The evidence does not say.
    Unknown,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It happened once, and no times tell more.
    Possible,
    /// It happened more than once, or times tell.
    Likely,
    /// Another side's record says the same.
    Certain,
}

/// Who can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Whoever runs the client.
    Client,
    /// Whoever runs the balancer.
    Balancer,
    /// Whoever runs the server.
    Server,
    /// Whoever runs the network.
    Network,
}

/// What to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// Who can.
    pub who: Who,
    /// What, with the exact setting.
    #[serde(rename = "do")]
    pub what: String,
    /// The format whose program has that setting; `None` where it is said of all.
    #[serde(default, skip_serializing)]
    pub of: Option<Format>,
}

/// One step of what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whose: a connection, or a side.
    pub lane: String,
    /// In words.
    pub what: String,
    /// Whether it went well.
    pub tone: Tone,
    /// The line that says so.
    pub mark: Mark,
}

/// Whether a step went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither well nor badly.
    Plain,
    /// It did.
    Well,
    /// It did not.
    Badly,
}

/// A cause that fits, where the evidence does not tell it from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The variant of the rule.
    pub variant: String,
    /// Where the cause would lie.
    pub hop: Hop,
    /// In one sentence.
    pub title: String,
}

/// What makes a finding of what a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// It happened: other attempts do not matter.
    Each,
    /// It happened to a large share of the attempts, so that all of them must have been
    /// read.
    Share,
}

/// A diagnosed cause with its evidence, its hop and its remedy.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that found it.
    pub rule: String,
    /// Its variant, where that is decided.
    pub variant: Option<String>,
    /// The variants that fit, where it is not.
    pub candidates: Vec<Candidate>,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where the cause lies.
    pub hop: Hop,
    /// In one sentence.
    pub title: String,
    /// What happened the first time, in one sentence.
    pub summary: String,
    /// How it works.
    pub explanation: String,
    /// The first time it happened.
    pub steps: Vec<Step>,
    /// Where it happened again: the line of each failure, the first ones.
    pub again: Vec<Mark>,
    /// How often it happened.
    pub count: u64,
    /// What makes it a finding.
    pub basis: Basis,
    /// Among so many attempts.
    pub attempts: u64,
    /// The time that was lost, over all, where the log has times.
    pub added: Option<Duration>,
    /// The longest of them.
    pub worst: Option<Duration>,
    /// What to change.
    pub remedies: Vec<Remedy>,
    /// What it is not, and why.
    pub ruled_out: Vec<String>,
    /// What would prove it.
    pub prove: String,
}

impl Hop {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Path => "path",
            Self::Balancer => "balancer",
            Self::Head => "head",
            Self::Dns => "dns",
            Self::Tls => "tls",
            // One of two, of which a proxy's log alone cannot tell.
            Self::Front | Self::Back | Self::Unknown => "unknown",
        }
    }

    /// On which side of a proxy it lies, where that is all that is known.
    #[must_use]
    pub const fn side(self) -> Option<&'static str> {
        match self {
            Self::Front => Some("front"),
            Self::Back => Some("back"),
            Self::Client
            | Self::Path
            | Self::Balancer
            | Self::Head
            | Self::Dns
            | Self::Tls
            | Self::Unknown => None,
        }
    }
}

impl Serialize for Hop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "the client",
            Self::Path => "the path between client and server",
            Self::Balancer => "the balancer",
            Self::Head => "a head",
            Self::Dns => "name look-up",
            Self::Tls => "the TLS handshake",
            Self::Front => "before the proxy: its client, or the way from there",
            Self::Back => "behind the proxy: what it passes requests on to, or the way there",
            Self::Unknown => "not decided by this evidence",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Balancer => "balancer",
            Self::Server => "server",
            Self::Network => "network",
        })
    }
}
