//! `repono up`: everything on this machine, as supervised processes of this program.

mod admin;
mod answers;
mod child;
mod layout;
mod link;
mod materials;
mod plan;
mod ready;
mod watchdog;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::output::{Form, say};

use self::child::{Service, Status, supervise};
use self::layout::Layout;
use self::plan::Plan;
use self::ready::Ready;

/// How long all services together may take until they answer; a healthy machine
/// needs well under a second.
const READY_MAX: Duration = Duration::from_secs(30);

/// Options of `repono up`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono up\n  repono up --data /srv/repono --listen 0.0.0.0:7443 --heads 2\n  repono up --listen 127.0.0.1:0 --vending 127.0.0.1:0 --monitor 127.0.0.1:0 --ready-file ready.json"
)]
pub(crate) struct Options {
    /// Where everything is kept; made by the first run
    #[arg(long, value_name = "DIR", default_value = "./repono-data")]
    data: PathBuf,
    /// Address of the balancer: what clients use; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7443")]
    listen: SocketAddr,
    /// Address of the vending service; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7444")]
    vending: SocketAddr,
    /// Address of the monitor: heads as a page and as metrics; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7445")]
    monitor: SocketAddr,
    /// Number of heads
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    heads: u8,
    /// Write what is where to this file when everything answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    crate::service::start_messages();
    // One thread, this one: the services' death signal is tied to the thread that
    // started them.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(up(options, form))
}

async fn up(options: &Options, form: Form) -> Result<()> {
    let shutdown = crate::service::shutdown_signal()?;
    tokio::pin!(shutdown);
    let layout = layout(&options.data)?;
    let _lock = lock(&layout)?;
    materials::prepare(&layout, &[options.listen.ip(), options.vending.ip(), options.monitor.ip()])?;
    let plan = Plan::new(options)?;
    plan.initialise(&layout).await?;
    plan.write_configurations(&layout)?;

    let (stop, stopped) = watch::channel(false);
    let mut services = Services::start(plan.servers(&layout), &stopped);
    let mut background = JoinSet::new();
    background.spawn(admin::serve(admin::bind(&layout.admin_socket())?, plan.admin_routes(&layout)));
    background.spawn(watchdog::watch(layout.store(), services.statuses.clone()));

    tokio::select! {
        ready = start_up(&mut services, &plan, &layout, &stopped, form) => {
            let (pids, link) = ready?;
            let link = link.as_ref().map(|link| link.as_str());
            announce(&plan.ready(&layout, pids), link, options.ready_file.as_deref(), form)?;
            shutdown.await;
        }
        () = &mut shutdown => {}
    }
    tracing::info!("stopping: connections are drained for at most 30 s");
    stop.send_replace(true);
    services.tasks.join_all().await;
    if let Some(file) = &options.ready_file {
        // A stale file would tell others that something is there.
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

/// Brings everything up; gives the process ids, and the one-time link to the monitor.
async fn start_up(
    services: &mut Services,
    plan: &Plan,
    layout: &Layout,
    stopped: &watch::Receiver<bool>,
    form: Form,
) -> Result<(BTreeMap<String, u32>, Option<Zeroizing<String>>)> {
    services.ready().await?;
    // The balancer comes last: its first look at the heads then finds them well.
    services.add(plan.balancer(layout), stopped);
    let link = link::made(layout, &plan.monitor_url(), form)?;
    services.add(plan.monitor(layout), stopped);
    let pids = services.ready().await?;
    plan.answers(layout).await?;
    Ok((pids, link))
}

fn layout(data: &Path) -> Result<Layout> {
    std::fs::create_dir_all(data).with_context(|| format!("cannot make the directory {}", data.display()))?;
    Ok(Layout::new(data.canonicalize().with_context(|| format!("cannot resolve {}", data.display()))?))
}

fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(crate::output::usage(format!(
            "another `repono up` runs on {}: stop it first, or choose another directory with --data",
            layout.root().display()
        ))),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn announce(ready: &Ready, link: Option<&str>, file: Option<&Path>, form: Form) -> Result<()> {
    if let Some(file) = file {
        ready.write(file)?;
    }
    let said = match form {
        Form::Json => say(serde_json::to_string(ready)?),
        Form::Text => say(ready.for_people(link)),
    };
    // The system outlives whoever read that it is ready.
    if let Err(error) = said {
        tracing::debug!(%error, "nobody was told that all is ready");
    }
    Ok(())
}

/// The running services and what is known of each.
struct Services {
    tasks: JoinSet<()>,
    statuses: BTreeMap<String, watch::Receiver<Status>>,
}

impl Services {
    fn start(services: Vec<Service>, stop: &watch::Receiver<bool>) -> Self {
        let mut started = Self { tasks: JoinSet::new(), statuses: BTreeMap::new() };
        for service in services {
            started.add(service, stop);
        }
        started
    }

    fn add(&mut self, service: Service, stop: &watch::Receiver<bool>) {
        let (status, seen) = watch::channel(Status::Starting);
        self.statuses.insert(service.name.clone(), seen);
        self.tasks.spawn(supervise(service, status, stop.clone()));
    }

    /// Waits until every service answers; gives their process ids.
    async fn ready(&mut self) -> Result<BTreeMap<String, u32>> {
        let mut pids = BTreeMap::new();
        for (name, status) in &mut self.statuses {
            let settled = status.wait_for(|s| matches!(s, Status::Ready { .. } | Status::Failed(_)));
            let Ok(settled) = tokio::time::timeout(READY_MAX, settled).await else {
                bail!("{name} did not answer within {} s: see its log", READY_MAX.as_secs());
            };
            match &*settled.context("the supervisor of a service ended")? {
                Status::Ready { pid } => _ = pids.insert(name.clone(), *pid),
                Status::Failed(why) => bail!("{name} did not start: {why}"),
                Status::Starting | Status::Stopped => bail!("{name} did not start: see its log"),
            }
        }
        Ok(pids)
    }
}
