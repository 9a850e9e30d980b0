//! One balancer of others as a process, with its configuration of `deploy/`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use repono_testkit::port;
use repono_testkit::system::{System, send};
use rustix::process::Signal;

/// Whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    HaProxy,
    Nginx,
    Envoy,
}

pub(crate) const ALL: [Kind; 3] = [Kind::HaProxy, Kind::Nginx, Kind::Envoy];

/// How long a quiet connection lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// As `deploy/` says.
    Deployed,
    /// 5 s.
    Short,
}

/// What `deploy/` says, and what stands there for the addresses and files of a site.
const DEPLOYED: &str = "720s";
const NAME: &str = "store.example.net";
const CA: &str = "/etc/repono/ca.pem";
const HEADS: std::ops::RangeInclusive<u16> = 7451..=7454;

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HaProxy => "HAProxy",
            Self::Nginx => "nginx stream",
            Self::Envoy => "Envoy",
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::HaProxy => "haproxy/haproxy.cfg",
            Self::Nginx => "nginx/nginx.conf",
            Self::Envoy => "envoy/envoy.yaml",
        }
    }

    fn deployed(self) -> String {
        let path = root().join("deploy").join(self.file());
        fs::read_to_string(path).expect("a configuration in deploy/")
    }

    /// The configuration of `deploy/` at this place: its port, its heads (all the same
    /// one) and its authority, and nothing else but what `idle` says.
    fn configuration(self, site: &Site<'_>, idle: Idle) -> String {
        let mut text = match self {
            // It has no checks, so it knows no name and no authority.
            Self::Nginx => self.deployed(),
            Self::HaProxy | Self::Envoy => {
                replaced(&replaced(&self.deployed(), CA, site.ca), NAME, "localhost")
            }
        };
        let listen = site.listen;
        text = match self {
            Self::HaProxy => replaced(&text, "bind :443", &format!("bind {listen}")),
            Self::Nginx => replaced(&text, "listen 443", &format!("listen {listen}")),
            Self::Envoy => {
                let at = format!("address: {}, port_value: {}", listen.ip(), listen.port());
                replaced(&text, "address: 0.0.0.0, port_value: 443", &at)
            }
        };
        for head in HEADS {
            let (ip, port) = (site.server.ip(), site.server.port());
            text = match self {
                Self::HaProxy | Self::Nginx => {
                    replaced(&text, &format!("192.0.2.21:{head}"), &site.server.to_string())
                }
                Self::Envoy => {
                    let theirs = format!("address: 192.0.2.21, port_value: {head}");
                    replaced(&text, &theirs, &format!("address: {ip}, port_value: {port}"))
                }
            };
        }
        match idle {
            Idle::Deployed => text,
            Idle::Short => replaced(&text, DEPLOYED, "5s"),
        }
    }

    fn command(self, config: &Path) -> Command {
        let mut command = self.program();
        match self {
            Self::HaProxy => command.args(["-q", "-db", "-f"]),
            Self::Nginx => {
                let run = format!("daemon off; pid {}.pid;", config.display());
                command.args(["-e", "stderr", "-g", &run, "-c"])
            }
            // Several run beside one another, and each with one thread.
            Self::Envoy => {
                command.args(["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error", "-c"])
            }
        };
        command.arg(config);
        command
    }

    /// The number of its version.
    pub(crate) fn version(self) -> String {
        let mut command = self.program();
        let said = match self {
            Self::HaProxy | Self::Nginx => command.arg("-v"),
            Self::Envoy => command.arg("--version"),
        };
        let said = said.output().expect("it runs");
        let text = String::from_utf8([said.stdout, said.stderr].concat()).expect("text");
        let (_path, rest) = text.split_once("version").expect("a version");
        let number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
        rest.split([' ', '/', '\n']).find(number).expect("a number").to_owned()
    }

    fn program(self) -> Command {
        match self {
            Self::HaProxy => Command::new("/usr/sbin/haproxy"),
            Self::Nginx => Command::new("/usr/sbin/nginx"),
            Self::Envoy => Command::new(root().join("target/python/bin/envoy")),
        }
    }

    /// What the balancer itself says to its configuration of `deploy/`, with this
    /// authority in the place of the site's.
    pub(crate) fn checked(self, system: &System) -> Output {
        let text = self.deployed().replace(CA, system.fact("ca"));
        let config = write(system, &format!("{self:?}-checked"), &text);
        let mut command = self.command(&config);
        match self {
            Self::HaProxy => command.arg("-c"),
            Self::Nginx => command.arg("-t"),
            Self::Envoy => command.args(["--mode", "validate"]),
        };
        command.output().unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask needs`", self.name()))
    }
}

/// Where a balancer stands.
struct Site<'a> {
    listen: SocketAddr,
    server: SocketAddr,
    ca: &'a str,
}

/// A running balancer, ended when dropped.
pub(crate) struct Balancer {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Balancer {
    /// In front of `server`, with files of that name.
    pub(crate) fn start(system: &System, kind: Kind, idle: Idle, server: SocketAddr, name: &str) -> Self {
        let listen = free();
        let site = Site { listen, server, ca: system.fact("ca") };
        let config = write(system, name, &kind.configuration(&site, idle));
        let log = fs::File::create(config.with_extension("log")).expect("a log");
        let child = kind
            .command(&config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask needs`", kind.name()));
        Self { child, address: listen }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// By a signal that can be heard, so that a master ends its workers as well.
pub(crate) fn end(child: &mut Child) {
    // It may have ended by itself; then there is nothing to end.
    let _ = send(child.id(), Signal::TERM);
    let _ = child.wait();
}

pub(crate) fn write(system: &System, name: &str, text: &str) -> PathBuf {
    let path = system.path(&format!("{name}.yaml"));
    fs::write(&path, text).expect("written");
    path
}

pub(crate) fn free() -> SocketAddr {
    port::free().expect("a free port")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} stands no longer in the configuration");
    text.replace(from, to)
}
