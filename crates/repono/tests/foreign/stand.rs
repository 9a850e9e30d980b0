//! One arrangement: a balancer, what stands behind it, and a way of some length
//! before it.
//!
//! ```text
//! client -- 100 ms --> balancer --> head of ours, or nginx
//! ```
//!
//! A balancer that ends a quiet connection learns only 100 ms later that a client had
//! used it before it saw the end. On one machine that moment would be too short to be
//! met; between two cities it is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use repono_relay::faults::{FaultRelay, Pace, Plan};
use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::Wire;

use crate::balancer::{Balancer, Idle, Kind};
use crate::client::Object;
use crate::origin::Origin;

/// From a client to the balancer.
pub(crate) const WAY: Duration = Duration::from_millis(100);
/// How soon a balancer must answer, with many starting on two cores.
const LIMIT: Duration = Duration::from_secs(60);

/// What is held against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrangement {
    /// A plain nginx behind a balancer that ends quiet connections after 5 s.
    Nginx,
    /// A head as shipped, behind the same.
    Shipped,
    /// A head that advertises less than the balancer grants, behind the same.
    Told,
    /// A head that ends each connection with its reply, behind the same.
    OneRequest,
    /// A head as shipped, behind a balancer as `deploy/` configures it.
    Deployed,
}

pub(crate) const ALL: [Arrangement; 5] = [
    Arrangement::Nginx,
    Arrangement::Shipped,
    Arrangement::Told,
    Arrangement::OneRequest,
    Arrangement::Deployed,
];

impl Arrangement {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Shipped => "head as shipped",
            Self::Told => "`idle_advertised_s = 3`",
            Self::OneRequest => "`connection_requests_max = 1`",
            Self::Deployed => "`deploy/`",
        }
    }

    /// What is said of the failures there.
    pub(crate) const fn promise(self) -> Promise {
        match self {
            Self::Nginx | Self::Shipped => Promise::None,
            Self::Told => Promise::NotWorse,
            Self::OneRequest | Self::Deployed => Promise::Zero,
        }
    }

    const fn idle(self) -> Idle {
        match self {
            Self::Nginx | Self::Shipped | Self::Told | Self::OneRequest => Idle::Short,
            Self::Deployed => Idle::Deployed,
        }
    }
}

/// What is said of the failures in an arrangement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// Nothing.
    None,
    /// No more than with nginx, beyond chance.
    NotWorse,
    /// There are none.
    Zero,
}

/// What stands behind all balancers.
pub(crate) struct Origins {
    nginx: Origin,
    shipped: Origin,
    told: Origin,
    one_request: Origin,
}

impl Origins {
    pub(crate) fn start(system: &System) -> Self {
        Self {
            nginx: Origin::nginx(system),
            shipped: Origin::head(system, "shipped", &[]),
            told: Origin::head(system, "told", &[("idle_advertised_s", 3)]),
            one_request: Origin::head(system, "one-request", &[("connection_requests_max", 1)]),
        }
    }

    const fn of(&self, arrangement: Arrangement) -> &Origin {
        match arrangement {
            Arrangement::Nginx => &self.nginx,
            Arrangement::Shipped | Arrangement::Deployed => &self.shipped,
            Arrangement::Told => &self.told,
            Arrangement::OneRequest => &self.one_request,
        }
    }
}

/// A balancer in an arrangement.
pub(crate) struct Stand {
    pub(crate) kind: Kind,
    pub(crate) arrangement: Arrangement,
    /// The object, by way of this balancer.
    pub(crate) object: Object,
    _way: FaultRelay,
    _balancer: Balancer,
}

impl Stand {
    /// Starts the balancer and waits until it answers.
    pub(crate) async fn start(
        system: &System,
        origins: &Origins,
        object: &Object,
        (kind, arrangement): (Kind, Arrangement),
    ) -> Self {
        let name = format!("{kind:?}-{arrangement:?}");
        let server = origins.of(arrangement).address;
        let balancer = Balancer::start(system, kind, arrangement.idle(), server, &name);
        let plan = Plan { up: Pace { delay: WAY, ..Pace::default() }, ..Plan::default() };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let way = FaultRelay::start(listen, balancer.address, plan, 0).await.expect("it listens");
        let base = format!("https://{}", way.address());
        let object = match arrangement {
            Arrangement::Nginx => Object { url: format!("{base}/object"), ..object.clone() },
            Arrangement::Shipped | Arrangement::Told | Arrangement::OneRequest | Arrangement::Deployed => {
                object.at(&base)
            }
        };
        wait::until(&format!("{name} answers"), LIMIT, || {
            answers(system, &format!("https://{}", balancer.address))
        })
        .expect("in time");
        Self { kind, arrangement, object, _way: way, _balancer: balancer }
    }
}

/// Whether something serves behind this balancer.
fn answers(system: &System, url: &str) -> Option<()> {
    let mut wire = Wire::connect(url, system.fact("ca").as_ref()).ok()?;
    wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    wire.response("GET").ok().filter(|reply| reply.status == 200).map(|_| ())
}
