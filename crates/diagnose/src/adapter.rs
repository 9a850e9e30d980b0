//! What every format of a log has: it is known by its lines, and turns them into
//! events.

use serde::Deserialize;

use crate::curl::Curl;
use crate::diagnosis::Limit;
use crate::envoy::Envoy;
use crate::event::Event;
use crate::finding::Step;
use crate::haproxy::HaProxy;
use crate::har::Har;
use crate::input::Line;
use crate::journal::Journal;
use crate::nginx::Nginx;
use crate::pcap::Pcap;
use crate::system_net::SystemNet;
use crate::timeline::Attempt;
use crate::witness::Testimony;

/// Where events go.
pub(crate) type Events<'e> = &'e mut dyn FnMut(Event<'_>);

/// What a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Format {
    /// A trace of System.Net, .NET Framework.
    #[serde(rename = "system.net")]
    SystemNet,
    /// A journal of this system: of the client, the balancer, a head or vending.
    #[serde(rename = "repono.journal")]
    Journal,
    /// What curl tells of its transfers.
    #[serde(rename = "curl")]
    Curl,
    /// HAProxy's log, of TCP and of HTTP.
    #[serde(rename = "haproxy")]
    HaProxy,
    /// Envoy's access log.
    #[serde(rename = "envoy")]
    Envoy,
    /// nginx's access and error logs.
    #[serde(rename = "nginx")]
    Nginx,
    /// A HAR file of a browser.
    #[serde(rename = "har")]
    Har,
    /// A capture of packets.
    #[serde(rename = "pcap")]
    Pcap,
    /// None that is known here.
    #[serde(skip)]
    Unknown,
}

impl Format {
    /// Its name in a report.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SystemNet => "system.net",
            Self::Journal => "repono.journal",
            Self::Curl => "curl",
            Self::HaProxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Nginx => "nginx",
            Self::Har => "har",
            Self::Pcap => "pcap",
            Self::Unknown => "unknown",
        }
    }

    /// What adds times to such a log that has none.
    pub(crate) const fn times(self) -> Option<&'static str> {
        match self {
            Self::SystemNet => Some("traceOutputOptions=\"DateTime,ProcessId,ThreadId\""),
            Self::Curl => Some("curl --trace-time"),
            Self::Journal
            | Self::HaProxy
            | Self::Envoy
            | Self::Nginx
            | Self::Har
            | Self::Pcap
            | Self::Unknown => None,
        }
    }

    /// What the line can only be a part of.
    pub(crate) fn of(line: Line<'_>) -> Self {
        match line.frame {
            Some(_) => Self::Pcap,
            None => Self::of_text(line.text),
        }
    }

    fn of_text(line: &str) -> Self {
        if SystemNet::recognizes(line) {
            Self::SystemNet
        } else if Journal::recognizes(line) {
            Self::Journal
        } else if Curl::recognizes(line) {
            Self::Curl
        } else if HaProxy::recognizes(line) {
            Self::HaProxy
        } else if Envoy::recognizes(line) {
            Self::Envoy
        } else if Nginx::recognizes(line) {
            Self::Nginx
        } else if Har::recognizes(line) {
            Self::Har
        } else {
            Self::Unknown
        }
    }

    /// Reads logs of this format.
    pub(crate) fn adapter(self) -> Option<Box<dyn Adapter>> {
        match self {
            Self::SystemNet => Some(Box::<SystemNet>::default()),
            Self::Journal => Some(Box::<Journal>::default()),
            Self::Curl => Some(Box::<Curl>::default()),
            Self::HaProxy => Some(Box::<HaProxy>::default()),
            Self::Envoy => Some(Box::<Envoy>::default()),
            Self::Nginx => Some(Box::<Nginx>::default()),
            Self::Har => Some(Box::<Har>::default()),
            Self::Pcap => Some(Box::<Pcap>::default()),
            Self::Unknown => None,
        }
    }
}

/// Reads all inputs of one format, one after the other: a log that was split goes on
/// in its next file.
pub(crate) trait Adapter {
    /// Takes the next line. Gives the numbers of the lines that turned out to be of no
    /// known form.
    fn line(&mut self, line: Line<'_>, to: Events<'_>) -> Vec<u64>;

    /// Hands on what was held back until the input's end.
    fn end_of_input(&mut self, to: Events<'_>) -> Vec<u64>;

    /// Hands on what was held back until the last input's end.
    fn end(&mut self, _to: Events<'_>) {}

    /// What was changed in configuration or state.
    fn changes(&self) -> Vec<Step> {
        Vec::new()
    }

    /// What the logs cannot tell, beside what is said of all.
    fn limits(&self) -> Vec<Limit> {
        Vec::new()
    }

    /// What other sides' records say of an attempt.
    fn testimony(&self, _attempt: &Attempt) -> Testimony {
        Testimony::default()
    }
}
