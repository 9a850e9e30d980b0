//! The system in a network of its own: the test is the client's host, a router lies
//! between it and the servers.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use repono_client::Limits;
use repono_testkit::network::{Network, Place, inside};
use repono_testkit::system::{Site, System};

use crate::PROGRAM;
use crate::caller::Caller;
use crate::heads::put_small;
use crate::own::{self, Balancer, Process};

/// Where further heads listen for balancers.
const BALANCED: u16 = 7_461;

/// What a scenario needs.
pub(crate) struct Net<'a> {
    pub(crate) network: &'a mut Network,
    pub(crate) system: System,
}

/// Runs a scenario in a network; its name is that of the test.
pub(crate) fn scenario(
    name: &str,
    body: impl for<'a, 'b> FnOnce(&'b mut Net<'a>) -> Pin<Box<dyn Future<Output = ()> + 'b>>,
) {
    inside(name, |network| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let system = System::start_at(site(Place::Servers), PROGRAM, &["--heads", "2"]).expect("up");
        put_small(&system);
        runtime.block_on(body(&mut Net { network, system }));
    });
}

/// How programs are started there.
pub(crate) fn site(place: Place) -> Site {
    Site { through: place.through(), address: place.address() }
}

impl Net<'_> {
    /// Our client, with an object of so many bytes.
    pub(crate) fn caller(&self, bytes: usize, limits: Limits) -> Caller {
        Caller::new(&self.system, self.system.balancer(), limits).with_object(&self.system, bytes)
    }

    /// A balancer with heads on hosts of their own.
    pub(crate) fn spread(&self) -> (Balancer, [Process; 2]) {
        let at = |place: Place| SocketAddr::new(place.address(), BALANCED);
        let head = |place: Place| own::head(&self.system, &site(place), place.name(), at(place));
        let processes = [head(Place::HeadA), head(Place::HeadB)];
        let heads = [Place::HeadA, Place::HeadB].map(|place| (place.name(), at(place)));
        (self.balancer(&heads, |_| {}), processes)
    }

    /// A balancer before the system's own heads, with a changed configuration.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut toml::Table)) -> Balancer {
        let addresses = own::balanced(&self.system);
        self.balancer(&[("head-1", addresses[0]), ("head-2", addresses[1])], change)
    }

    fn balancer(&self, heads: &[(&str, SocketAddr)], change: impl FnOnce(&mut toml::Table)) -> Balancer {
        let listen = SocketAddr::new(Place::Servers.address(), 7_443);
        Balancer::start(&self.system, &site(Place::Servers), listen, heads, change)
    }
}
