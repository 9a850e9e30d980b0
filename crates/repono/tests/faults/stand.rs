//! A system, and a relay with faults between its balancer and a client.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use repono_client::Limits;
use repono_relay::faults::{FaultRelay, Plan};
use repono_testkit::system::System;
use repono_testkit::wire::{Response, Wire, address};

use crate::PROGRAM;
use crate::caller::Caller;

/// Faults are drawn from this.
const SEED: u64 = 20_261_123;

/// The system, the relay, and a client that goes through it.
pub(crate) struct Stand {
    pub(crate) relay: FaultRelay,
    pub(crate) caller: Arc<Caller>,
    pub(crate) system: System,
}

impl Stand {
    /// With an object of so many bytes, and a client within these limits.
    pub(crate) async fn start(bytes: usize, limits: Limits) -> Self {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
        let balancer = address(system.balancer()).expect("an address");
        let relay = relay_to(balancer, Plan::default()).await;
        let caller = Caller::new(&system, &format!("https://{}", relay.address()), limits);
        let caller = Arc::new(caller.with_object(&system, bytes));
        Self { relay, caller, system }
    }

    /// The same after a first request, with its connection idle in the client's pool.
    pub(crate) async fn warm() -> Self {
        let stand = Self::start(1_000, Limits::DEFAULT).await;
        stand.caller.get().await.expect("the first request");
        stand.caller.idle(|count| count > 0).await;
        stand
    }

    /// The balancer's client on the only connection that suffered: the relay.
    pub(crate) fn sufferer(&self) -> SocketAddr {
        let injections = self.relay.injections();
        let first = injections.first().expect("a fault was injected");
        first.subject.towards_server.expect("relayed")
    }
}

/// A relay on a free port.
pub(crate) async fn relay_to(server: SocketAddr, plan: Plan) -> FaultRelay {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    FaultRelay::start(any, server, plan, SEED).await.expect("it listens")
}

/// A connection and a ticket of a client that knows nothing of pools.
pub(crate) struct Plain {
    pub(crate) wire: Wire,
    ticket: String,
}

impl Plain {
    /// Connects to a URL of the system.
    pub(crate) fn connect(system: &System, url: &str, ticket: &str) -> anyhow::Result<Self> {
        let ca = PathBuf::from(system.fact("ca"));
        Ok(Self { wire: Wire::connect(url, &ca)?, ticket: ticket.to_owned() })
    }

    /// Sends a GET of an object.
    pub(crate) fn ask(&mut self, name: &str) -> anyhow::Result<()> {
        let ticket = &self.ticket;
        let request = format!("GET /v1/demo/files/{name} HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
        self.wire.send(request.as_bytes())
    }

    /// One GET.
    pub(crate) fn get(&mut self, name: &str) -> anyhow::Result<Response> {
        self.ask(name)?;
        self.wire.response("GET")
    }
}

/// A ticket as header lines.
pub(crate) fn ticket(system: &System) -> String {
    system.ticket(&[]).expect("a ticket").join("\r\n")
}
