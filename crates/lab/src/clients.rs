//! The clients of a run, and what they need: an object, a ticket, whom to trust.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_journal::{Journal, JournalConfig, SharedRecorder};
use repono_net::tls::client_config;

use crate::evidence::{Ends, journal_of};
use crate::load::{self, Fetch, Pace};
use crate::middleware::{Keep, Middleware, Target};
use crate::one_shot::{Asked, OneShot};
use crate::sample::Sample;
use crate::scenario::LabError;
use crate::stand::{Facts, Stand};

/// Clients of each run: enough for a chart, few enough for two cores.
pub(crate) const CLIENTS: usize = 6;

/// The object that everybody fetches.
const OBJECT: &str = "demo/files/lab/page";
const OBJECT_BYTES: usize = 64 << 10;

/// Who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
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

/// The program's own client, which is no part of this crate.
pub trait Pool {
    /// A client of this profile that fetches this object and records what it does.
    ///
    /// *Errors*: the profile cannot be used.
    fn client(
        &self,
        profile: &Path,
        object: &str,
        recorder: SharedRecorder,
    ) -> Result<Box<dyn Fetch>, Box<dyn std::error::Error + Send + Sync>>;
}

/// What all clients of a system need.
pub(crate) struct Setup {
    data: PathBuf,
    facts: Facts,
    ticket: HeaderMap,
    ticket_file: PathBuf,
    tls: Arc<rustls::ClientConfig>,
}

impl Setup {
    /// Puts the object there and vends a ticket.
    pub(crate) async fn prepare(stand: &Stand, data: &Path) -> Result<Self, LabError> {
        let page = data.join("page");
        write(&page, &vec![b'.'; OBJECT_BYTES])?;
        stand.client(&["put", &page.display().to_string(), OBJECT]).await?;
        let ticket = stand.client(&["ticket", "--format", "headers"]).await?;
        let ticket_file = data.join("ticket");
        write(&ticket_file, ticket.as_bytes())?;
        let facts = stand.facts().clone();
        let ca = fs::read(&facts.ca).map_err(|source| LabError::file(&facts.ca, source))?;
        Ok(Self {
            data: data.to_owned(),
            facts,
            ticket: ticket.lines().filter_map(header).collect(),
            ticket_file,
            tls: client_config(&ca)?,
        })
    }

    /// How the connections ended that the clients of a run have had.
    pub(crate) fn ends(&self, run: &str) -> Result<Ends, LabError> {
        Ok(Ends::read(&self.journal(), run)?)
    }

    /// The journal of the clients of a run.
    pub(crate) fn journal_of(&self, run: &str) -> PathBuf {
        journal_of(&self.journal(), run)
    }

    /// The clients of a run that goes to this address; `None` for one that this
    /// machine lacks.
    pub(crate) async fn clients(
        &self,
        run: &'static str,
        client: Client,
        address: SocketAddr,
        pool: &impl Pool,
        mut random: StdRng,
    ) -> Result<Option<Clients>, LabError> {
        if client == Client::OneShot && !OneShot::is_here().await {
            return Ok(None);
        }
        let journal = Journal::open(JournalConfig::new(self.journal(), "client", run))?;
        let target = self.target(address, journal.shared());
        let asked = self.asked(address);
        let profile = self.profile(run, address)?;
        let mut clients: Vec<Box<dyn Fetch>> = Vec::new();
        for _ in 0..CLIENTS {
            let middleware = |keep, random: &mut StdRng| {
                Box::new(Middleware::new(Arc::clone(&target), keep, StdRng::from_rng(random)))
            };
            clients.push(match client {
                Client::Keeps | Client::Restarted => middleware(Keep::Open, &mut random),
                Client::Closes => middleware(Keep::Closed, &mut random),
                Client::Pool => pool.client(&profile, OBJECT, journal.shared()).map_err(LabError::Client)?,
                Client::OneShot => Box::new(OneShot(Arc::clone(&asked))),
            });
        }
        Ok(Some(Clients { kind: client, clients, journal, random }))
    }

    fn journal(&self) -> PathBuf {
        self.data.join("clients")
    }

    fn target(&self, address: SocketAddr, recorder: SharedRecorder) -> Arc<Target> {
        let path = format!("/v1/{OBJECT}");
        let tls = Arc::clone(&self.tls);
        Arc::new(Target { address, tls, path, headers: self.ticket.clone(), recorder })
    }

    fn asked(&self, address: SocketAddr) -> Arc<Asked> {
        let url = format!("https://{address}/v1/{OBJECT}");
        Arc::new(Asked { url, ca: self.facts.ca.clone(), headers: self.ticket_file.clone() })
    }

    /// The demo user's profile with this endpoint.
    fn profile(&self, run: &str, address: SocketAddr) -> Result<PathBuf, LabError> {
        let theirs = &self.facts.profile;
        let text = fs::read_to_string(theirs).map_err(|source| LabError::file(theirs, source))?;
        let profile = text.parse::<toml::Table>();
        let mut profile = profile.map_err(|error| LabError::file(theirs, io::Error::other(error)))?;
        profile.insert("endpoint".into(), format!("https://{address}").into());
        let path = self.data.join(format!("profile-{run}.toml"));
        write(&path, profile.to_string().as_bytes())?;
        Ok(path)
    }
}

/// The clients of one run.
pub(crate) struct Clients {
    kind: Client,
    clients: Vec<Box<dyn Fetch>>,
    journal: Journal,
    random: StdRng,
}

impl Clients {
    /// Has them fetch; the records are written when it is over.
    pub(crate) async fn fetch(mut self, length: Duration, pause_max: Duration) -> Vec<Sample> {
        let restart_at = (self.kind == Client::Restarted).then_some(length / 2);
        let pace = Pace { length, pause_max, restart_at };
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
    let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let written = open.and_then(|mut file| file.write_all(content));
    written.map_err(|source| LabError::file(path, source))
}
