//! `stale-keepalive`: the incident. A box on the way forgets connections that were
//! idle for a while and tells nobody; a client sends its next request on one of them.
//!
//! All runs go side by side through one box, each with clients and an entrance of its
//! own, so that they differ by nothing but the remedy.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_journal::{Journal, JournalConfig, JournalError};
use repono_net::tls::{TlsError, client_config};
use tokio::task::JoinSet;

use crate::evidence::{Connections, EvidenceError, InVain};
use crate::load::{self, Fetch, Pace};
use crate::middleware::{Keep, Middleware, PATIENCE, Target};
use crate::network::{Network, NetworkError, SERVER};
use crate::one_shot::{Asked, OneShot};
use crate::report::{Report, Run};
use crate::sample::Summary;
use crate::stand::{Machine, Process, Setting, Stand, StandError};

/// The scenario's name.
pub const NAME: &str = "stale-keepalive";

/// When the box forgets; 240 to 350 s at the clouds' balancers. This alone is scaled,
/// and with it what has to come before it.
const FORGETS_AFTER: Duration = Duration::from_secs(4);

/// The pauses of the clients: half of them are longer than the box remembers.
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// An end or a question that comes before the box forgets.
const BEFORE_S: i64 = 1;

/// Clients of each run: enough for a chart, few enough for two cores.
const CLIENTS: usize = 6;

/// The port of the first run's entrance.
const FIRST_PORT: u16 = 7500;

/// The balancer-only listener of a further head, on its machine's own loopback.
const BALANCED_OFFSET: u16 = 100;

/// The object that everybody fetches.
const OBJECT: &str = "demo/files/lab/page";
const OBJECT_BYTES: usize = 64 << 10;

/// The runs, the fault first.
const RUNS: [Plan; 8] = [
    Plan {
        name: "fault",
        remedy: None,
        title: "fault: the client keeps its connection, the box forgets it",
        client: Client::Keeps,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "client-restarted",
        remedy: None,
        title: "false lead: the client is restarted half way, and is well for a while",
        client: Client::Restarted,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "one-shot-curl",
        remedy: None,
        title: "false lead: one cURL per request never sees it",
        client: Client::OneShot,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "client-closes",
        remedy: Some("client-closes"),
        title: "remedy: the client closes after each file",
        client: Client::Closes,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "client-pool",
        remedy: Some("client-pool"),
        title: "remedy: repono's own pool",
        client: Client::Pool,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "head-keepalive",
        remedy: Some("head-keepalive"),
        title: "remedy: TCP keepalive from the head",
        client: Client::Keeps,
        entrance: Entrance::Head(&[("keepalive_s", BEFORE_S)]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "balancer-fin",
        remedy: Some("balancer-fin"),
        title: "remedy: the balancer ends idle connections with FIN before the box forgets",
        client: Client::Keeps,
        entrance: Entrance::Balancer(&[("idle_ms", BEFORE_S * 1000)]),
        forgotten: Forgotten::Dropped,
    },
    Plan {
        name: "balancer-rst",
        remedy: Some("balancer-rst"),
        title: "remedy: the box answers with RST what it does not know",
        client: Client::Keeps,
        entrance: Entrance::Balancer(&[]),
        forgotten: Forgotten::Reset,
    },
];

/// One run.
struct Plan {
    name: &'static str,
    remedy: Option<&'static str>,
    title: &'static str,
    client: Client,
    entrance: Entrance,
    forgotten: Forgotten,
}

/// Who fetches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// A middleware that keeps its connection.
    Keeps,
    /// The same, restarted half way.
    Restarted,
    /// The same, patched to close after each request.
    Closes,
    /// The client of this program.
    Pool,
    /// A process for each request.
    OneShot,
}

/// What the clients connect to, and its settings.
#[derive(Clone, Copy)]
enum Entrance {
    Balancer(&'static [(&'static str, i64)]),
    Head(&'static [(&'static str, i64)]),
}

/// What the box does with a packet of a connection that it has forgotten.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forgotten {
    Dropped,
    Reset,
}

/// How it is run.
pub struct Options {
    /// The program under the lab.
    pub program: PathBuf,
    /// Directory for the system and its journals; made anew.
    pub data: PathBuf,
    /// How long requests are begun.
    pub length: Duration,
    /// Pauses and choices come from it.
    pub seed: u64,
}

/// The program's own client, which is no part of this crate.
pub trait Pool {
    /// A client of this profile that fetches this object.
    ///
    /// *Errors*: the profile cannot be used.
    fn client(
        &self,
        profile: &Path,
        object: &str,
    ) -> Result<Box<dyn Fetch>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Why the scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no network.
    #[error("the network could not be built")]
    Network(#[from] NetworkError),
    /// The system did not stand.
    #[error("the system could not be started")]
    Stand(#[from] StandError),
    /// A journal cannot be written.
    #[error("a journal could not be opened")]
    Journal(#[from] JournalError),
    /// A journal cannot be read.
    #[error("a journal could not be read")]
    Evidence(#[from] EvidenceError),
    /// A file of the lab cannot be written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A client cannot be made.
    #[error("a client could not be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The certificates to trust cannot be used.
    #[error("the certificates to trust cannot be used")]
    Tls(#[from] TlsError),
}

impl Machine for Network {
    fn address(&self) -> &str {
        SERVER
    }

    fn command(&self, program: &Path) -> tokio::process::Command {
        self.on_server(program)
    }
}

/// Plays the incident in the namespaces that this process was started in
/// ([`crate::Enclosure`]).
///
/// *Errors*: [`LabError`].
pub async fn play(options: &Options, pool: &impl Pool, told: &dyn Fn(&str)) -> Result<Report, LabError> {
    told("building a network with a box that forgets connections after 4 s of quiet");
    let network = Network::build(FORGETS_AFTER)?;
    let ports = || (FIRST_PORT..).zip(&RUNS);
    let resets: Vec<u16> =
        ports().filter(|(_, plan)| plan.forgotten == Forgotten::Reset).map(|(port, _)| port).collect();
    network.rules(&resets)?;
    told("starting repono behind it");
    let stand = Stand::start(&network, &options.program, &options.data).await?;
    let errand = Errand::prepare(&stand, &options.data).await?;
    let curl = OneShot::is_here().await;
    let mut playing = Vec::new();
    for (port, plan) in ports() {
        let entrance = open(&stand, &network, plan, port).await?;
        let random = StdRng::seed_from_u64(options.seed.wrapping_add(port.into()));
        let is_played = plan.client != Client::OneShot || curl;
        let cast = if is_played { Some(errand.cast(plan, port, pool, random)?) } else { None };
        playing.push((plan, entrance, cast));
    }
    told(&format!(
        "{} runs side by side for {} s, {CLIENTS} clients each, with pauses of up to {} s",
        RUNS.len(),
        options.length.as_secs(),
        PAUSE_MAX.as_secs()
    ));
    let mut runs = Vec::new();
    let (mut acted, mut entrances) = (JoinSet::new(), Vec::new());
    for (number, (plan, entrance, cast)) in playing.into_iter().enumerate() {
        entrances.push((plan, entrance));
        if let Some(cast) = cast {
            let length = options.length;
            acted.spawn(async move { (number, cast.act(plan, length).await) });
        }
    }
    let mut samples: Vec<_> = acted.join_all().await;
    samples.sort_by_key(|(number, _)| *number);
    // Their records are written when they end.
    for (plan, entrance) in entrances {
        entrance.stop().await?;
        let its = Connections::read(&stand.facts().journal, &entrance_name(plan))?;
        let number = runs.len();
        let found = samples.iter_mut().find(|(of, _)| *of == number).map(|(_, samples)| std::mem::take(samples));
        let not_shown = found.is_none().then(|| "this machine has no curl".to_owned());
        let samples = found.unwrap_or_default();
        runs.push(Run {
            name: plan.name,
            remedy: plan.remedy,
            title: plan.title,
            summary: Summary::of(&samples),
            tls_handshakes: its.used(),
            not_shown,
            samples,
        });
    }
    let [fault, ..] = &RUNS;
    let mine = Connections::read(&errand.journal, fault.name)?;
    let theirs = Connections::read(&stand.facts().journal, &entrance_name(fault))?;
    let diagnosis = diagnosis(&mine.in_vain(&theirs, PATIENCE), &runs);
    stand.stop().await?;
    Ok(Report { scenario: NAME, runs, diagnosis, svg: Vec::new() })
}

fn entrance_name(plan: &Plan) -> String {
    format!("entrance-{}", plan.name)
}

/// Starts what the clients of a run connect to.
async fn open(
    stand: &Stand,
    network: &Network,
    plan: &Plan,
    port: u16,
) -> Result<Process, StandError> {
    let address = format!("{SERVER}:{port}");
    let (kind, like, mut settings, own): (_, _, Vec<Setting>, _) = match plan.entrance {
        Entrance::Balancer(own) => ("balancer", "balancer", vec![("listen", address.into())], own),
        Entrance::Head(own) => {
            let balanced = format!("127.0.0.1:{}", port.saturating_add(BALANCED_OFFSET));
            ("head", "head-1", vec![("direct", address.into()), ("balanced", balanced.into())], own)
        }
    };
    settings.extend(own.iter().map(|(key, value)| (*key, (*value).into())));
    stand.further(network, kind, like, &entrance_name(plan), &settings).await
}

/// What all clients need: the object, a ticket, whom to trust.
struct Errand {
    data: PathBuf,
    ca: PathBuf,
    profile: PathBuf,
    journal: PathBuf,
    ticket: HeaderMap,
    ticket_file: PathBuf,
    tls: Arc<rustls::ClientConfig>,
}

impl Errand {
    async fn prepare(stand: &Stand, data: &Path) -> Result<Self, LabError> {
        let page = data.join("page");
        write(&page, &vec![b'.'; OBJECT_BYTES])?;
        stand.client(&["put", &page.display().to_string(), OBJECT]).await?;
        let ticket = stand.client(&["ticket", "--format", "headers"]).await?;
        let ticket_file = data.join("ticket");
        write(&ticket_file, ticket.as_bytes())?;
        let facts = stand.facts();
        let ca = fs::read(&facts.ca).map_err(|source| LabError::File { path: facts.ca.clone(), source })?;
        Ok(Self {
            data: data.to_owned(),
            ca: facts.ca.clone(),
            profile: facts.profile.clone(),
            journal: data.join("middleware"),
            ticket: ticket.lines().filter_map(header).collect(),
            ticket_file,
            tls: client_config(&ca)?,
        })
    }

    /// The clients of a run, and the journal of those that keep one.
    fn cast(&self, plan: &Plan, port: u16, pool: &impl Pool, mut random: StdRng) -> Result<Cast, LabError> {
        let address = SocketAddr::new(SERVER.parse().unwrap_or([127, 0, 0, 1].into()), port);
        let journal = Journal::open(JournalConfig::new(&self.journal, "client", plan.name))?;
        let path = format!("/v1/{OBJECT}");
        let url = format!("https://{address}");
        let mut clients: Vec<Box<dyn Fetch>> = Vec::new();
        let keep = match plan.client {
            Client::Closes => Keep::Closed,
            Client::Keeps | Client::Restarted | Client::Pool | Client::OneShot => Keep::Open,
        };
        let target = Arc::new(Target {
            address,
            tls: Arc::clone(&self.tls),
            path: path.clone(),
            headers: self.ticket.clone(),
            recorder: journal.shared(),
        });
        let asked = Arc::new(Asked {
            url: format!("{url}{path}"),
            ca: self.ca.clone(),
            headers: self.ticket_file.clone(),
        });
        let profile = self.profile_for(plan, &url)?;
        for _ in 0..CLIENTS {
            clients.push(match plan.client {
                Client::Keeps | Client::Restarted | Client::Closes => {
                    let random = StdRng::from_rng(&mut random);
                    Box::new(Middleware::new(Arc::clone(&target), keep, random))
                }
                Client::Pool => pool.client(&profile, OBJECT).map_err(LabError::Client)?,
                Client::OneShot => Box::new(OneShot(Arc::clone(&asked))),
            });
        }
        Ok(Cast { clients, journal, random })
    }

    /// The demo user's profile with another endpoint.
    fn profile_for(&self, plan: &Plan, url: &str) -> Result<PathBuf, LabError> {
        let file = |source| LabError::File { path: self.profile.clone(), source };
        let text = fs::read_to_string(&self.profile).map_err(file)?;
        let mut profile: toml::Table = text.parse().map_err(|error| file(io::Error::other(error)))?;
        profile.insert("endpoint".into(), url.into());
        let path = self.data.join(format!("profile-{}.toml", plan.name));
        write(&path, profile.to_string().as_bytes())?;
        Ok(path)
    }
}

/// The clients of one run.
struct Cast {
    clients: Vec<Box<dyn Fetch>>,
    journal: Journal,
    random: StdRng,
}

impl Cast {
    async fn act(mut self, plan: &Plan, length: Duration) -> Vec<crate::sample::Sample> {
        let restart_at = (plan.client == Client::Restarted).then_some(length / 2);
        let pace = Pace { length, pause_max: PAUSE_MAX, restart_at };
        let samples = load::run(self.clients, pace, &mut self.random).await;
        self.journal.close();
        samples
    }
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(": ")?;
    Some((name.parse().ok()?, value.parse().ok()?))
}

/// Writes a file that only its owner can read: profiles and tickets hold secrets.
fn write(path: &Path, content: &[u8]) -> Result<(), LabError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = open.and_then(|mut file| file.write_all(content));
    written.map_err(|source| LabError::File { path: path.to_owned(), source })
}

/// What happened, as far as the journals show it.
fn diagnosis(in_vain: &InVain, runs: &[Run]) -> String {
    let InVain { requests, unacknowledged, never_arrived, still_held, idle } = *in_vain;
    let Some((least, most)) = idle.filter(|_| requests > 0) else {
        return "no request waited on a connection that had died: run it for longer".to_owned();
    };
    let made = runs.first().map_or(0, |run| run.summary.requests);
    let what = if unacknowledged == requests && never_arrived == requests {
        "none of them was acknowledged and none arrived at the balancer, so the box on the way had forgotten \
         the connections without a word"
    } else if never_arrived == requests {
        "none of them arrived at the balancer, though something on the way acknowledged them"
    } else {
        "the journals do not agree on where they were lost"
    };
    let worst = |run: &&Run| run.remedy.is_some() && run.not_shown.is_none();
    let worst = runs.iter().filter(worst).map(|run| run.summary.max_ms).fold(0.0, f64::max);
    format!(
        "{requests} of {made} requests waited {} s each: they were sent on kept connections that had been idle \
         for {:.1} to {:.1} s; {what} ({still_held} of {requests} were still open at the balancer). \
         With each remedy the slowest request took {worst:.0} ms.",
        PATIENCE.as_secs(),
        least.as_secs_f64(),
        most.as_secs_f64(),
    )
}
