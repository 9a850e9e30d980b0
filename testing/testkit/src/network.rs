//! A network of a test's own, in namespaces, with faults by nftables and conntrack.
//!
//! ```text
//! client 10.77.1.2 ---+          +--- 10.77.2.2 servers
//!                     |  router  +--- 10.77.3.2 head-a
//!                     +--- .1 ---+--- 10.77.4.2 head-b
//! ```
//!
//! [`inside`] runs a test in new namespaces (of users, networks, mounts, processes),
//! by starting the test's program again under `unshare`; with it they go. The test is
//! in the client's network; [`Place::through`] starts programs in the other ones.
//! The router drops, forgets or resets as [`Rules`] say.
//!
//! Where a machine does not allow it, or a tool is missing, the test says so on
//! standard error, past the harness's capture, and fails if
//! `REPONO_TEST_NETWORK=required` stands in the environment.

mod enclosure;
mod rules;

use std::ffi::OsStr;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

pub use enclosure::inside;
pub use rules::{Forgets, Packets, Rules, Source, Unknown};

/// A host of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the test itself is.
    Client,
    /// Where the balancer is, and vending.
    Servers,
    /// A head's own host.
    HeadA,
    /// Another head's.
    HeadB,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Client, Self::Servers, Self::HeadA, Self::HeadB];

    /// The name of its namespace, and of the router's link to it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Servers => "servers",
            Self::HeadA => "head-a",
            Self::HeadB => "head-b",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Client => 1,
            Self::Servers => 2,
            Self::HeadA => 3,
            Self::HeadB => 4,
        }
    }

    /// Its address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 77, self.number(), 2))
    }

    /// What starts a command there.
    #[must_use]
    pub fn through(self) -> Vec<String> {
        match self {
            Self::Client => Vec::new(),
            Self::Servers | Self::HeadA | Self::HeadB => {
                ["ip", "netns", "exec", self.name()].map(str::to_owned).into()
            }
        }
    }
}

/// The router's namespace.
const ROUTER: &str = "router";

/// A network that stands.
#[derive(Debug)]
pub struct Network {
    rules: Rules,
    zone: u16,
}

impl Network {
    /// Builds it around this process, which [`inside`] has put into new namespaces.
    fn build() -> Result<Self> {
        // `ip` keeps the names of namespaces there; the machine's own is out of reach.
        run("mount", ["-t", "tmpfs", "none", "/run"], "")?;
        run("ip", ["link", "set", "lo", "up"], "")?;
        run("ip", ["netns", "add", ROUTER], "")?;
        for place in Place::ALL {
            wire(place)?;
        }
        // The second address of a NAT.
        run("ip", ["-n", ROUTER, "address", "add", "10.77.2.3/24", "dev", Place::Servers.name()], "")?;
        let mut network = Self { rules: Rules::default(), zone: 1 };
        // The rules first: with them the kernel begins to follow connections.
        network.set(Rules::default())?;
        network.setting("net/ipv4/ip_forward", "1")?;
        Ok(network)
    }

    /// Puts these rules in the place of the present ones; the counters begin anew.
    pub fn set(&mut self, rules: Rules) -> Result<()> {
        run("ip", ["netns", "exec", ROUTER, "nft", "-f", "-"], &rules.text(self.zone))?;
        for (name, value) in rules.settings() {
            self.setting(&format!("net/netfilter/{name}"), &value)?;
        }
        self.rules = rules;
        Ok(())
    }

    /// Changes the rules that stand.
    pub fn change(&mut self, change: impl FnOnce(&mut Rules)) -> Result<()> {
        let mut rules = self.rules.clone();
        change(&mut rules);
        self.set(rules)
    }

    /// Forgets every connection that is followed, as a box does that takes over from
    /// another.
    pub fn forget_all(&mut self) -> Result<()> {
        self.zone = self.zone.wrapping_add(1);
        self.set(self.rules.clone())
    }

    /// How many packets the rules have kept back or answered with RST.
    pub fn hits(&self) -> Result<u64> {
        let listed = run("ip", ["netns", "exec", ROUTER, "nft", "list", "ruleset"], "")?;
        let words: Vec<&str> = listed.split_whitespace().collect();
        let counts = words.windows(3).filter(|w| w.starts_with(&["counter", "packets"]));
        counts.map(|w| w.get(2).unwrap_or(&"").parse::<u64>().context("not a count")).sum()
    }

    /// The longest packet that a place sends or takes from now on.
    pub fn set_mtu(&self, place: Place, bytes: u16) -> Result<()> {
        let bytes = bytes.to_string();
        let change = ["link", "set", "wire", "mtu", &bytes];
        match place {
            Place::Client => run("ip", change, "").map(drop),
            Place::Servers | Place::HeadA | Place::HeadB => {
                run("ip", ["-n", place.name()].into_iter().chain(change), "").map(drop)
            }
        }
    }

    /// Sets a parameter of the router's kernel.
    fn setting(&self, name: &str, value: &str) -> Result<()> {
        let set = format!("echo {value} > /proc/sys/{name}");
        run("ip", ["netns", "exec", ROUTER, "sh", "-c", &set], "").map(drop)
    }
}

/// Joins a place to the router.
fn wire(place: Place) -> Result<()> {
    let (name, number) = (place.name(), place.number());
    let (ours, theirs) = (format!("10.77.{number}.2/24"), format!("10.77.{number}.1"));
    let (mut lines, inside) = match place {
        Place::Client => {
            (vec![format!("link add wire type veth peer name {name} netns {ROUTER}")], String::new())
        }
        Place::Servers | Place::HeadA | Place::HeadB => {
            let pair = format!("-n {ROUTER} link add {name} type veth peer name wire netns {name}");
            let lines = vec![format!("netns add {name}"), pair, format!("-n {name} link set lo up")];
            (lines, format!("-n {name} "))
        }
    };
    // One segment to a packet, so that sizes and losses are those of a real wire.
    lines.push(format!("{inside}link set wire gso_max_segs 1"));
    lines.push(format!("{inside}address add {ours} dev wire"));
    lines.push(format!("{inside}link set wire up"));
    lines.push(format!("-n {ROUTER} address add {theirs}/24 dev {name}"));
    lines.push(format!("-n {ROUTER} link set {name} up"));
    lines.push(format!("{inside}route add default via {theirs}"));
    lines.iter().try_for_each(|line| run("ip", line.split(' '), "").map(drop))
}

/// Runs a tool that must succeed; gives what it printed.
fn run<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
    input: &str,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", enclosure::path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("`{program}` cannot be run"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{input}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
