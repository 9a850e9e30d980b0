//! What the router does to packets, as data.

use std::fmt::Write;

use super::Place;

/// All that the router does. The default passes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Packets that are dropped, from one place to another.
    pub drops: Vec<(Place, Place, Packets)>,
    /// Idle connections of the client are forgotten.
    pub forgets: Option<Forgets>,
    /// The client's address is translated to this one.
    pub nat: Option<Source>,
}

/// What servers see as the client's address behind a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// 10.77.2.1.
    First,
    /// 10.77.2.3.
    Second,
}

/// Which packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// All.
    All,
    /// Those that open a connection.
    Syn,
    /// Those that end a direction of one.
    Fin,
    /// Those that are longer than so many bytes.
    Longer(u16),
    /// So many of a thousand.
    Permille(u16),
}

/// How a box forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgets {
    /// After so many idle seconds.
    pub after_s: u32,
    /// What becomes of packets that belong to no connection it knows.
    pub unknown: Unknown,
}

/// What becomes of packets that belong to no known connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Silence: Azure's balancer, most firewalls and NATs.
    Dropped,
    /// RST to the sender: AWS' network load balancer.
    Reset,
}

/// Linux' own: five days.
const ESTABLISHED_S: u32 = 432_000;

impl Rules {
    /// Drops these packets, and nothing else.
    #[must_use]
    pub fn dropping(from: Place, to: Place, packets: Packets) -> Self {
        Self { drops: vec![(from, to, packets)], ..Self::default() }
    }

    /// Forgets the client's idle connections.
    #[must_use]
    pub fn forgetting(after_s: u32, unknown: Unknown) -> Self {
        Self { forgets: Some(Forgets { after_s, unknown }), ..Self::default() }
    }

    /// As nft reads it. Connections are followed within a zone; in another none is
    /// known.
    pub(super) fn text(&self, zone: u16) -> String {
        let mut text = String::from("flush ruleset\ntable ip way {\n");
        let _ =
            writeln!(text, "chain zones {{ type filter hook prerouting priority raw; ct zone set {zone}; }}");
        text.push_str("chain through {\ntype filter hook forward priority filter;\n");
        for (from, to, packets) in &self.drops {
            let (from, to, which) = (from.name(), to.name(), packets.text());
            let _ = writeln!(text, "iifname \"{from}\" oifname \"{to}\" {which}counter drop");
        }
        if let Some(forgets) = self.forgets {
            text.push_str(&forgets.text());
        }
        // Makes the kernel follow connections under any rules.
        text.push_str("ct state established accept\n}\n");
        if let Some(source) = self.nat {
            let last = match source {
                Source::First => 1,
                Source::Second => 3,
            };
            let _ = writeln!(
                text,
                "chain translation {{ type nat hook postrouting priority srcnat; \
                 iifname \"client\" oifname \"servers\" snat to 10.77.2.{last}; }}"
            );
        }
        text.push_str("}\n");
        text
    }

    /// Parameters of the kernel's connection tracking.
    pub(super) fn settings(&self) -> [(&'static str, String); 2] {
        let (established, loose) = match self.forgets {
            Some(forgets) => (forgets.after_s, "0"),
            None => (ESTABLISHED_S, "1"),
        };
        [
            ("nf_conntrack_tcp_timeout_established", established.to_string()),
            ("nf_conntrack_tcp_loose", loose.to_owned()),
        ]
    }
}

impl Packets {
    fn text(self) -> String {
        match self {
            Self::All => String::new(),
            Self::Syn => "tcp flags & (syn | ack) == syn ".to_owned(),
            Self::Fin => "tcp flags & fin == fin ".to_owned(),
            Self::Longer(bytes) => format!("meta length > {bytes} "),
            Self::Permille(share) => format!("numgen random mod 1000 < {share} "),
        }
    }
}

impl Forgets {
    fn text(self) -> String {
        let answer = match self.unknown {
            Unknown::Dropped => "drop",
            Unknown::Reset => "reject with tcp reset",
        };
        let mut text = String::new();
        for way in ["iifname", "oifname"] {
            for unknown in ["ct state invalid", "tcp flags & (fin | syn | rst | ack) != syn ct state new"] {
                let _ = writeln!(text, "{way} \"client\" meta l4proto tcp {unknown} counter {answer}");
            }
        }
        text
    }
}
