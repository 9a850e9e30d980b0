//! Two networks and the box between them, in namespaces of the lab's own.
//!
//! ```text
//! client 10.77.1.2 ----- 10.77.1.1 box 10.77.2.1 ----- 10.77.2.2 server
//! ```
//!
//! The box is a router that follows connections (Linux conntrack), as firewalls, NAT
//! and load balancers do. It forgets a connection that was idle for a while, says so
//! to nobody, and lets nothing through that belongs to none that it knows.
//!
//! The process that builds it is in the client's network; `unshare` has given it the
//! namespaces (see [`Enclosure`]), and with it they go.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::stand::Machine;

/// The server's address.
pub(crate) const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 2, 2));

/// The namespaces beside the client's.
const BOX: &str = "box";
const SERVERS: &str = "server";

/// Links and addresses, as `ip` takes them.
const WIRING: &[&str] = &[
    "netns add box",
    "netns add server",
    "link set lo up",
    "link add wire type veth peer name client netns box",
    "-n box link add server type veth peer name wire netns server",
    "address add 10.77.1.2/24 dev wire",
    "link set wire up",
    "route add default via 10.77.1.1",
    "-n box link set lo up",
    "-n box address add 10.77.1.1/24 dev client",
    "-n box address add 10.77.2.1/24 dev server",
    "-n box link set client up",
    "-n box link set server up",
    "-n server link set lo up",
    "-n server address add 10.77.2.2/24 dev wire",
    "-n server link set wire up",
    "-n server route add default via 10.77.2.1",
];

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A tool is missing or may not be run.
    #[error("`{program}` cannot be run: it comes with {package}")]
    Tool {
        /// The tool.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The relay that plays the box cannot listen.
    #[error("the relay cannot listen")]
    Relay(#[source] io::Error),
    /// A tool could not do what it was told.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
}

/// How a command is run within the namespaces, and whether that is allowed here.
#[derive(Clone, Copy, Debug)]
pub struct Enclosure;

impl Enclosure {
    /// `program` as the first process of new namespaces: of users (it is root there
    /// and nowhere else), networks, mounts and processes. They end with it.
    #[must_use]
    pub fn command(program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.env("PATH", path());
        command.args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"]);
        command.args(["--mount-proc", "--"]).arg(program);
        command
    }

    /// Whether this machine lets its users have such a network: builds one and lets
    /// it go.
    ///
    /// *Errors*: [`NetworkError`], what is missing.
    pub fn check() -> Result<(), NetworkError> {
        let script = format!("{MOUNT} && ip netns add {BOX} && ip netns exec {BOX} nft list ruleset");
        let output = Self::command(Path::new("sh")).args(["-c", &script]).stdin(Stdio::null()).output();
        let tool = |source| NetworkError::Tool { program: "unshare", package: "util-linux", source };
        succeeded("a network namespace", output.map_err(tool)?)
    }
}

/// Where `ip` keeps the names of namespaces; the machine's own is out of reach.
const MOUNT: &str = "mount -t tmpfs none /run";

/// A network that stands.
#[derive(Debug)]
pub(crate) struct Network {
    resets: Vec<u16>,
    /// Connections are followed within a zone; in another none is known.
    zone: u16,
}

impl Network {
    /// Builds it around this process, which [`Enclosure::command`] started. The box
    /// forgets a connection that was idle for `forgets_after`, in whole seconds.
    ///
    /// *Errors*: [`NetworkError`].
    pub(crate) fn build(forgets_after: Duration) -> Result<Self, NetworkError> {
        run("sh", "dash", &["-c", MOUNT], "")?;
        for line in WIRING {
            let arguments: Vec<_> = line.split(' ').collect();
            run("ip", "iproute2", &arguments, "")?;
        }
        let network = Self { resets: Vec::new(), zone: 1 };
        network.rule()?;
        // Set after the rules: these make the kernel begin to follow connections.
        let seconds = forgets_after.as_secs();
        let settings = format!(
            "echo 1 > /proc/sys/net/ipv4/ip_forward
             cd /proc/sys/net/netfilter
             echo 0 > nf_conntrack_tcp_loose
             echo {seconds} > nf_conntrack_tcp_timeout_established"
        );
        run("ip", "iproute2", &["netns", "exec", BOX, "sh", "-ec", &settings], "")?;
        Ok(network)
    }

    /// Has the box answer with RST what comes for this port of the server and belongs
    /// to no connection that it knows; it drops the rest.
    ///
    /// *Errors*: [`NetworkError`].
    pub(crate) fn reset_for(&mut self, port: u16) -> Result<(), NetworkError> {
        self.resets.push(port);
        self.rule()
    }

    /// Has the box forget every connection, as one does that takes over from another.
    ///
    /// *Errors*: [`NetworkError`].
    pub(crate) fn forget(&mut self) -> Result<(), NetworkError> {
        self.zone = self.zone.wrapping_add(1);
        self.rule()
    }

    /// Replaces the box's rules, all at once.
    fn rule(&self) -> Result<(), NetworkError> {
        let mut resets = String::new();
        for port in &self.resets {
            resets.push_str(&format!(
                "ct state invalid tcp dport {port} reject with tcp reset
                 tcp flags & (syn | ack) != syn ct state new tcp dport {port} reject with tcp reset\n"
            ));
        }
        let zone = self.zone;
        let rules = format!(
            "add table ip lab
             delete table ip lab
             table ip lab {{
               chain zone {{
                 type filter hook prerouting priority raw; policy accept;
                 ct zone set {zone}
               }}
               chain forward {{
                 type filter hook forward priority 0; policy accept;
                 {resets}
                 ct state invalid drop
                 tcp flags & (syn | ack) != syn ct state new drop
               }}
             }}\n"
        );
        run("ip", "iproute2", &["netns", "exec", BOX, "nft", "-f", "-"], &rules)
    }
}

impl Machine for Network {
    fn listen(&self, port: u16) -> SocketAddr {
        SocketAddr::new(SERVER, port)
    }

    fn command(&self, program: &Path) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("ip");
        command.env("PATH", path());
        command.args(["netns", "exec", SERVERS]).arg(program);
        command
    }
}

/// Where programs are looked for: also where Debian keeps `ip` and `nft`, which a user's
/// own path leaves out.
fn path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

fn run(
    program: &'static str,
    package: &'static str,
    arguments: &[&str],
    input: &str,
) -> Result<(), NetworkError> {
    let output = || -> io::Result<Output> {
        let mut command = Command::new(program);
        command.env("PATH", path());
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = output().map_err(|source| NetworkError::Tool { program, package, source })?;
    succeeded(&format!("{program} {}", arguments.join(" ")), output)
}

fn succeeded(command: &str, output: Output) -> Result<(), NetworkError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NetworkError::Failed { command: command.to_owned(), said })
}
