//! What runs where: addresses, configuration files, and the first run's contents.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use repono_core::time::Timestamp;
use repono_net::reserve::Reservation;
use repono_net::socket::KEEPALIVE_S;
use repono_net::tls::TlsFiles;
use repono_store::store::{Store, StoreConfig};
use repono_ticket::MasterKey;
use repono_vending::first_run::{self, FirstRun, Masters};
use serde::Serialize;

use super::Options;
use super::admin::Routes;
use super::answers;
use super::child::Service;
use super::layout::Layout;
use super::materials::{HEADS_MASTER, PROXY_KEY, VENDING_MASTER, write_private};
use super::ready::Ready;

/// The direct listener of the first head, counted from the balancer's port; the
/// others follow. 7443 gives 7451.
const DIRECT_OFFSET: u16 = 8;
/// The same of their balancer-only listeners. It leaves room for all 64 heads.
const BALANCED_OFFSET: u16 = DIRECT_OFFSET + 64;

/// Everything that is decided before the first service starts.
pub(super) struct Plan {
    balancer: SocketAddr,
    vending: SocketAddr,
    monitor: SocketAddr,
    heads: Vec<Head>,
    threads: usize,
    /// The addresses, kept for their services, also while one is restarted.
    _reserved: Vec<Reservation>,
}

struct Head {
    name: String,
    direct: SocketAddr,
    balanced: SocketAddr,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Result<Self> {
        let Options { listen, vending, monitor, heads, .. } = *options;
        let mut reserved = Vec::new();
        let balancer = choose(&mut reserved, listen)?;
        let vending = choose(&mut reserved, vending)?;
        let monitor = choose(&mut reserved, monitor)?;
        let mut planned = Vec::new();
        for number in 0..heads {
            // Heads are reached through the balancer; their own listeners stay on this machine.
            let mut beside = |offset: u16| match listen.port() {
                0 => any(&mut reserved, IpAddr::V4(Ipv4Addr::LOCALHOST)),
                base => prefer(&mut reserved, base.saturating_add(offset).saturating_add(u16::from(number))),
            };
            let direct = beside(DIRECT_OFFSET)?;
            let balanced = beside(BALANCED_OFFSET)?;
            planned.push(Head { name: format!("head-{}", number + 1), direct, balanced });
        }
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = cores.div_ceil(usize::from(heads.max(1)));
        Ok(Self { balancer, vending, monitor, heads: planned, threads, _reserved: reserved })
    }

    /// Fills a new store and writes the profile; a store that is filled stays as it is.
    pub(super) async fn initialise(&self, layout: &Layout) -> Result<()> {
        let masters =
            Masters { vending: master(layout, VENDING_MASTER)?, heads: master(layout, HEADS_MASTER)? };
        let store = Store::open(StoreConfig::new(layout.store())).context("cannot open the store")?;
        let (now, random) = (Timestamp::now(), &mut rand::rng());
        let mut first = first_run::initialise(&store, &masters, now, random)
            .await
            .context("cannot fill the new store")?;
        if first.is_none() && !layout.profile().exists() {
            // The run that made the store did not come to writing its profile, or the
            // file was lost: the secrets in it cannot be had back, only renewed.
            let renewed = first_run::renew_secrets(&store, now, random).await;
            first = Some(renewed.with_context(|| format!("{} is gone", layout.profile().display()))?);
        }
        match first {
            Some(first) => self.write_profile(layout, &first),
            None => self.update_profile(layout),
        }
    }

    fn write_profile(&self, layout: &Layout, first: &FirstRun) -> Result<()> {
        let profile = FirstProfile {
            endpoint: url(self.balancer),
            vending: url(self.vending),
            monitor: url(self.monitor),
            ca: layout.ca(),
            admin: layout.admin_socket(),
            account: first.account.to_string(),
            user: first.user.to_string(),
            user_secret: &first.user_secret,
            application: first.application.to_string(),
            application_secret: &first.application_secret,
            container: first.container.to_string(),
        };
        write_private(&layout.profile(), toml::to_string(&profile)?.as_bytes())
    }

    /// The addresses may have changed since the profile was written.
    fn update_profile(&self, layout: &Layout) -> Result<()> {
        let path = layout.profile();
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut profile: toml::Table =
            text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
        profile.insert("endpoint".into(), url(self.balancer).into());
        profile.insert("vending".into(), url(self.vending).into());
        profile.insert("monitor".into(), url(self.monitor).into());
        let updated = toml::to_string(&profile)?;
        if updated == text { Ok(()) } else { write_private(&path, updated.as_bytes()) }
    }

    pub(super) fn write_configurations(&self, layout: &Layout) -> Result<()> {
        let secret = |name: &str| layout.secret(name);
        write(
            layout,
            "vending",
            &repono_vending::Config {
                name: "vending".into(),
                listen: self.vending,
                admin_socket: layout.socket("vending"),
                store: layout.store(),
                journal: layout.journal(),
                vending_master_key_file: secret(VENDING_MASTER),
                heads_master_key_file: secret(HEADS_MASTER),
                tls: TlsFiles {
                    ecdsa_chain: secret("server-ecdsa.pem"),
                    ecdsa_key: secret("server-key-ecdsa.pem"),
                    rsa_chain: secret("server-rsa.pem"),
                    rsa_key: secret("server-key-rsa.pem"),
                },
                swift_login: Some(repono_vending::config::SwiftLogin {
                    application: first_run::APPLICATION.parse()?,
                    storage_url: url(self.balancer).parse()?,
                }),
            },
        )?;
        write(
            layout,
            "monitor",
            &repono_monitor::Config {
                name: "monitor".into(),
                listen: self.monitor,
                balancer_admin_socket: layout.socket("balancer"),
                journals: vec![layout.journal()],
                state_dir: Some(layout.monitor()),
                vending: Some(url(self.vending).parse()?),
                ca: Some(layout.ca()),
                one_time_link: Some(layout.one_time_link()),
                otlp: None,
                path: Some(repono_monitor::PathProbe::of(
                    format!("{}/", url(self.balancer)),
                    Some(layout.ca()),
                )),
                tls: TlsFiles {
                    ecdsa_chain: secret("server-ecdsa.pem"),
                    ecdsa_key: secret("server-key-ecdsa.pem"),
                    rsa_chain: secret("server-rsa.pem"),
                    rsa_key: secret("server-key-rsa.pem"),
                },
            },
        )?;
        for head in &self.heads {
            write(
                layout,
                &head.name,
                &repono_head::Config {
                    name: head.name.clone(),
                    direct: head.direct,
                    balanced: head.balanced,
                    store: layout.store(),
                    journal: layout.journal(),
                    journal_requests: repono_head::config::Journaled::All,
                    heads_master_key_file: secret(HEADS_MASTER),
                    proxy_key_file: secret(PROXY_KEY),
                    tls: TlsFiles {
                        ecdsa_chain: secret("server-ecdsa.pem"),
                        ecdsa_key: secret("server-key-ecdsa.pem"),
                        rsa_chain: secret("server-rsa.pem"),
                        rsa_key: secret("server-key-rsa.pem"),
                    },
                    threads: self.threads,
                    connections_max: 12_000,
                    idle_advertised_s: 55,
                    idle_close_s: 650,
                    connection_age_max_s: 3_600,
                    connection_requests_max: 100_000,
                    requests_max: 2_048,
                    keepalive_s: KEEPALIVE_S,
                    user_requests_per_s: None,
                    source_requests_per_s: None,
                },
            )?;
        }
        let heads = self.heads.iter().map(|head| repono_balancer::config::HeadAddress {
            name: head.name.clone(),
            address: head.balanced,
            weight: 1,
        });
        write(
            layout,
            "balancer",
            &repono_balancer::Config {
                name: "balancer".into(),
                listen: self.balancer,
                admin_socket: layout.socket("balancer"),
                journal: layout.journal(),
                proxy_key_file: secret(PROXY_KEY),
                ca: layout.ca(),
                server_name: "localhost".into(),
                heads: heads.collect(),
                threads: repono_balancer::config::default_threads(),
                // Two descriptors each, within the usual limit of 20,000.
                connections_max: 9_000,
                idle_ms: 900_000,
                keepalive_s: KEEPALIVE_S,
                age_max_s: None,
                log: None,
            },
        )
    }

    /// Vending and the heads.
    pub(super) fn servers(&self, layout: &Layout) -> Vec<Service> {
        let heads = self.heads.iter().map(|head| service(layout, &head.name, "head"));
        std::iter::once(service(layout, "vending", "vending")).chain(heads).collect()
    }

    pub(super) fn monitor_url(&self) -> String {
        url(self.monitor)
    }

    pub(super) fn monitor(&self, layout: &Layout) -> Service {
        service(layout, "monitor", "monitor")
    }

    pub(super) fn balancer(&self, layout: &Layout) -> Service {
        service(layout, "balancer", "balancer")
    }

    /// Waits until clients are answered.
    pub(super) async fn answers(&self, layout: &Layout) -> Result<()> {
        let ca = fs::read(layout.ca()).with_context(|| format!("cannot read {}", layout.ca().display()))?;
        answers::wait("vending", reachable(self.vending), &ca).await?;
        answers::wait("the balancer", reachable(self.balancer), &ca).await?;
        answers::wait("the monitor", reachable(self.monitor), &ca).await
    }

    pub(super) fn admin_routes(&self, layout: &Layout) -> Routes {
        Routes { balancer: layout.socket("balancer"), vending: layout.socket("vending") }
    }

    pub(super) fn ready(&self, layout: &Layout, pids: BTreeMap<String, u32>) -> Ready {
        Ready {
            balancer: url(self.balancer),
            heads: self.heads.iter().map(|head| url(head.direct)).collect(),
            vending: url(self.vending),
            monitor: url(self.monitor),
            ca: layout.ca(),
            profile: layout.profile(),
            admin: layout.admin_socket(),
            journal: layout.journal(),
            pid: std::process::id(),
            pids,
        }
    }
}

/// The address that the user gave; with port 0, a free one.
fn choose(reserved: &mut Vec<Reservation>, address: SocketAddr) -> Result<SocketAddr> {
    if address.port() == 0 {
        return any(reserved, address.ip());
    }
    // Whether it is free is for its service to find out, and to report.
    reserved.extend(Reservation::of(address));
    Ok(address)
}

/// This port of the loopback address when it is free, else another.
fn prefer(reserved: &mut Vec<Reservation>, port: u16) -> Result<SocketAddr> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match Reservation::of(address) {
        Ok(reservation) => {
            reserved.push(reservation);
            Ok(address)
        }
        Err(_) => any(reserved, address.ip()),
    }
}

fn any(reserved: &mut Vec<Reservation>, ip: IpAddr) -> Result<SocketAddr> {
    let reservation = Reservation::any(ip, &mut rand::rng());
    let reservation = reservation.with_context(|| format!("cannot find a free port on {ip}"))?;
    let address = reservation.address()?;
    reserved.push(reservation);
    Ok(address)
}

fn service(layout: &Layout, name: &str, subcommand: &'static str) -> Service {
    Service { name: name.into(), subcommand, config: layout.config(name), log: layout.log(name) }
}

/// The profile of the demo user, as the first run writes it.
#[derive(Serialize)]
struct FirstProfile<'a> {
    endpoint: String,
    vending: String,
    monitor: String,
    ca: std::path::PathBuf,
    admin: std::path::PathBuf,
    account: String,
    user: String,
    user_secret: &'a str,
    application: String,
    application_secret: &'a str,
    container: String,
}

fn write(layout: &Layout, service: &str, config: &impl Serialize) -> Result<()> {
    write_private(&layout.config(service), toml::to_string(config)?.as_bytes())
}

fn master(layout: &Layout, name: &str) -> Result<MasterKey> {
    let path = layout.secret(name);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    MasterKey::from_hex(&text).with_context(|| format!("{} is not a master key", path.display()))
}

fn url(address: SocketAddr) -> String {
    format!("https://{}", reachable(address))
}

/// How a client on this machine reaches `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
