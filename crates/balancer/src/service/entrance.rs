//! The socket for clients, wherever it comes from.

use std::io;
use std::net::TcpListener;
use std::pin::Pin;

use repono_net::listen;
use repono_net::socket::prepare_accepted;
use tokio::task::spawn_blocking;

use super::{BalancerError, BoundAddresses, ListenerFrom};
use crate::handover::{self, Predecessor, until_relieved};
use crate::{Config, admin};

/// The listening socket, and who is to hear that it is served.
pub(super) struct Entrance {
    pub(super) listener: TcpListener,
    pub(super) bound: BoundAddresses,
    predecessor: Option<Predecessor>,
}

/// Completes when a successor serves.
pub(super) type Relief = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Entrance {
    pub(super) async fn open(config: &Config, from: ListenerFrom) -> Result<Self, BalancerError> {
        let failed = |source| BalancerError::Listen { address: config.listen, source };
        let (listener, predecessor) = match from {
            ListenerFrom::Own => (listen::bind(config.listen, listen::BACKLOG).map_err(failed)?, None),
            ListenerFrom::Inherited(listener) => (listener, None),
            ListenerFrom::Predecessor => {
                let path = handover::path(&config.admin_socket);
                let there = path.clone();
                let asked = spawn_blocking(move || Predecessor::ask(&there)).await;
                let (listener, predecessor) = asked
                    .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
                    .map_err(|source| BalancerError::Predecessor { path, source })?;
                (listener, Some(predecessor))
            }
        };
        // What is set on a listener passes to the connections that it accepts.
        prepare_accepted(&listener, &config.socket_options()).map_err(failed)?;
        let listen = listener.local_addr().map_err(failed)?;
        let fits = config.listen.port() == 0 || listen == config.listen;
        if !fits {
            return Err(BalancerError::OtherAddress { configured: config.listen, given: listen });
        }
        let bound = BoundAddresses { listen, admin_socket: config.admin_socket.clone() };
        Ok(Self { listener, bound, predecessor })
    }

    /// Relieves the predecessor, and waits for a successor in its turn. The future
    /// holds the listener; the threads have their own.
    pub(super) fn open_to_successors(self) -> Result<Relief, BalancerError> {
        let path = handover::path(&self.bound.admin_socket);
        let socket = admin::bind(&path).map_err(|source| BalancerError::Admin { path, source })?;
        if let Some(predecessor) = self.predecessor
            && let Err(error) = predecessor.relieve()
        {
            tracing::warn!(%error, "the predecessor has ended already");
        }
        Ok(Box::pin(until_relieved(socket, self.listener)))
    }
}
