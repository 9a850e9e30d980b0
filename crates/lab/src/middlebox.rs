//! The box on the way between clients and entrances: a router that follows
//! connections, or, where this machine allows no namespaces, a relay that plays one.
//!
//! A relay acknowledges what it reads. So a client behind it hears acknowledgements
//! where the router gives none, and a keepalive of the far side never crosses it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use repono_relay::faults::{Effect, FaultRelay, Plan, Reach, When};
use tokio::process::Command;

use crate::network::{Network, NetworkError};
use crate::stand::Machine;

/// What the box does with a packet of a connection that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Drops it: nobody hears of it.
    Dropped,
    /// Answers it with RST: the sender hears at once.
    Reset,
}

impl Unknown {
    const fn effect(self) -> Effect {
        match self {
            Self::Dropped => Effect::Silence(Reach::Both),
            Self::Reset => Effect::Reset,
        }
    }
}

/// Where scenarios with a box are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// In namespaces of its own, which this process was started in
    /// ([`crate::Enclosure`]).
    Enclosure,
    /// On the loopback, with a relay for a box.
    Loopback,
}

/// The box.
pub(crate) enum Middlebox {
    /// A router.
    Router(Network),
    /// A relay for each entrance.
    Relays { forgets_after: Duration, relays: Vec<(FaultRelay, Unknown)> },
}

impl Middlebox {
    /// Builds a box that forgets a connection that was idle for so long, in whole
    /// seconds.
    pub(crate) fn build(ground: Ground, forgets_after: Duration) -> Result<Self, NetworkError> {
        match ground {
            Ground::Enclosure => Network::build(forgets_after).map(Self::Router),
            Ground::Loopback => Ok(Self::Relays { forgets_after, relays: Vec::new() }),
        }
    }

    /// Whether what the far side's kernel asks crosses it.
    pub(crate) const fn passes_keepalive(&self) -> bool {
        match self {
            Self::Router(_) => true,
            Self::Relays { .. } => false,
        }
    }

    /// An address for an entrance behind the box; of these ports each is given once.
    pub(crate) fn entrance(&self, port: u16) -> io::Result<SocketAddr> {
        match self {
            Self::Router(network) => Ok(network.listen(port)),
            Self::Relays { .. } => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr(),
        }
    }

    /// The way to an entrance through the box: where clients connect to.
    pub(crate) async fn way(
        &mut self,
        entrance: SocketAddr,
        unknown: Unknown,
    ) -> Result<SocketAddr, NetworkError> {
        match self {
            Self::Router(network) => {
                if unknown == Unknown::Reset {
                    network.reset_for(entrance.port())?;
                }
                Ok(entrance)
            }
            Self::Relays { forgets_after, relays } => {
                let plan = Plan::strike(When::SendAfterIdle(*forgets_after), unknown.effect());
                let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                let relay =
                    FaultRelay::start(listen, entrance, plan, 0).await.map_err(NetworkError::Relay)?;
                let address = relay.address();
                relays.push((relay, unknown));
                Ok(address)
            }
        }
    }

    /// Has the box forget every connection, as one does that takes over from another.
    pub(crate) fn forget(&mut self) -> Result<(), NetworkError> {
        match self {
            Self::Router(network) => network.forget(),
            Self::Relays { relays, .. } => {
                relays.iter().for_each(|(relay, unknown)| relay.doom(unknown.effect()));
                Ok(())
            }
        }
    }
}

impl Machine for Middlebox {
    fn listen(&self, port: u16) -> SocketAddr {
        match self {
            Self::Router(network) => network.listen(port),
            Self::Relays { .. } => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
        }
    }

    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Router(network) => network.command(program),
            Self::Relays { .. } => Command::new(program),
        }
    }
}
