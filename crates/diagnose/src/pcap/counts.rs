//! What a capture does not show, counted.

use std::fmt;
use std::time::Duration;

use super::segment::Other;
use crate::span::in_words;

/// Openings of connections whose times are compared.
const OPENINGS_MAX: usize = 1_000;

/// Below this, no distance is told from the host's own time.
const DISTANCE_MIN: Duration = Duration::from_micros(200);

/// How many times longer one way must be than the other, to be the longer one.
const CLEARLY: u32 = 4;

/// What a capture does not show, or what is to be known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureLimit {
    /// It holds packets that are no TCP.
    NotTcp(u64),
    /// Pieces of IP packets were passed over.
    Fragments(u64),
    /// Packets of link types that are not read, with the first of these.
    Link {
        /// How many.
        packets: u64,
        /// Which type, by tcpdump's number.
        first: u16,
    },
    /// Too little was kept of packets to tell what they are.
    Short(u64),
    /// What follows in a file cannot be read, or a packet contradicts itself.
    Damaged(u64),
    /// The ends of packets were not kept.
    Cut(u64),
    /// Connections stood before the capture began.
    Midway(u64),
    /// One direction was captured alone.
    OneSided(u64),
    /// Bytes were acknowledged that were not captured.
    Unseen(u64),
    /// Packets stand twice in the capture.
    Duplicates(u64),
    /// Requests had no reply when the capture ended.
    Waiting(u64),
    /// There were too many connections at a time.
    Evicted(u64),
    /// Where it was taken.
    Vantage(Vantage),
}

/// At which end a capture was taken, by the times of openings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// So many openings.
    pub openings: usize,
    /// From SYN to its answer, in the middle of all.
    pub peer: Duration,
    /// From the answer to the client's next packet.
    pub client: Duration,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    not_tcp: u64,
    fragments: u64,
    link: Option<(u64, u16)>,
    short: u64,
    pub(super) damaged: u64,
    pub(super) cut: u64,
    pub(super) midway: u64,
    pub(super) one_sided: u64,
    pub(super) unseen: u64,
    pub(super) duplicates: u64,
    pub(super) waiting: u64,
    pub(super) evicted: u64,
    openings: Vec<(Duration, Duration)>,
}

impl Counts {
    /// A packet that is none of TCP.
    pub(super) fn other(&mut self, other: Other) {
        match other {
            Other::NotTcp => self.not_tcp += 1,
            Other::Fragment => self.fragments += 1,
            Other::Link(link) => self.link.get_or_insert((0, link)).0 += 1,
            Other::Short => self.short += 1,
            Other::Damaged => self.damaged += 1,
        }
    }

    /// A connection was opened: from SYN to its answer, and from there to the client's.
    pub(super) fn opened(&mut self, peer: Duration, client: Duration) {
        if self.openings.len() < OPENINGS_MAX {
            self.openings.push((peer, client));
        }
    }

    pub(super) fn limits(&self) -> Vec<CaptureLimit> {
        let counted = [
            (self.damaged, CaptureLimit::Damaged as fn(u64) -> CaptureLimit),
            (self.not_tcp, CaptureLimit::NotTcp),
            (self.fragments, CaptureLimit::Fragments),
            (self.short, CaptureLimit::Short),
            (self.cut, CaptureLimit::Cut),
            (self.midway, CaptureLimit::Midway),
            (self.one_sided, CaptureLimit::OneSided),
            (self.unseen, CaptureLimit::Unseen),
            (self.duplicates, CaptureLimit::Duplicates),
            (self.waiting, CaptureLimit::Waiting),
            (self.evicted, CaptureLimit::Evicted),
        ];
        let counted = counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, limit)| limit(count));
        let link = self.link.map(|(packets, first)| CaptureLimit::Link { packets, first });
        counted.chain(link).chain(self.vantage().map(CaptureLimit::Vantage)).collect()
    }

    fn vantage(&self) -> Option<Vantage> {
        let middle = |mut spans: Vec<Duration>| {
            spans.sort_unstable();
            spans.get(spans.len() / 2).copied()
        };
        Some(Vantage {
            openings: self.openings.len(),
            peer: middle(self.openings.iter().map(|(peer, _)| *peer).collect())?,
            client: middle(self.openings.iter().map(|(_, client)| *client).collect())?,
        })
    }
}

impl fmt::Display for CaptureLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTcp(count) => {
                write!(f, "{count} packets are not TCP (UDP, ICMP, ARP …): they were counted and not read")
            }
            Self::Fragments(count) => {
                write!(f, "{count} packets are pieces of IP packets, and were passed over")
            }
            Self::Link { packets, first } => {
                write!(f, "{packets} packets have a link type that is not read (the first: {first})")
            }
            Self::Short(count) => write!(f, "of {count} packets too little was kept to read their headers"),
            Self::Damaged(count) => {
                write!(
                    f,
                    "{count} packets are damaged or cut off; nothing can be read in a file behind a broken block"
                )
            }
            Self::Cut(count) => {
                write!(
                    f,
                    "the ends of {count} packets were not kept (snap length): requests and lengths may be missing; tcpdump -s 0 keeps all"
                )
            }
            Self::Midway(count) => {
                write!(
                    f,
                    "{count} connections stood before the capture began: who opened them is a guess where nothing tells, and their windows are not known"
                )
            }
            Self::OneSided(count) => {
                write!(f, "of {count} connections one direction was captured alone: nothing is said of them")
            }
            Self::Unseen(count) => {
                write!(
                    f,
                    "{count} times bytes were acknowledged that are not in the capture: it has gaps (packets dropped by the capture, or that went another way)"
                )
            }
            Self::Duplicates(count) => {
                write!(
                    f,
                    "{count} packets stand twice (captured on several interfaces): the second was passed over"
                )
            }
            Self::Waiting(count) => write!(f, "{count} requests had no reply yet when the capture ended"),
            Self::Evicted(count) => {
                write!(
                    f,
                    "{count} connections were told as they stood, because there were too many at a time"
                )
            }
            Self::Vantage(vantage) => vantage.fmt(f),
        }
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { openings, peer, client } = self;
        let place = if *peer.max(client) < DISTANCE_MIN {
            "on a host with both ends, or on a very short path"
        } else if *peer > *client * CLEARLY {
            "near the side that opens connections"
        } else if *client > *peer * CLEARLY {
            "near the side that accepts connections"
        } else {
            "between the two sides"
        };
        write!(
            f,
            "where it was taken is an estimate: {place} (SYN to SYN-ACK {}, SYN-ACK to ACK {}, in the middle of {openings} openings); an end that arrives there may have come from any box beyond",
            in_words(*peer),
            in_words(*client),
        )
    }
}
