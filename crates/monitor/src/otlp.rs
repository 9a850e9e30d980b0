//! Spans and metrics for a collector of OpenTelemetry, made from the journals: whoever is
//! traced pays nothing for it.
//!
//! ```text
//! collector's thread --Seen--> assembly --batches--> sender --HTTP--> collector of OpenTelemetry
//!                                  board --metrics--> sender
//! ```
//!
//! Every arrow has a bound; what does not fit is dropped and counted.
//!
//! | module | holds |
//! |---|---|
//! | [`seen`] | a request, as far as a span needs it |
//! | [`assembly`] | requests held until their trace is decided on |
//! | [`spans`] | requests and the set-up of connections as spans |
//! | [`figures`] | the metrics |
//! | [`post`] | one request to the collector, and trying again |
//!
//! *Source*: OpenTelemetry's OTLP 1.x, "OTLP/HTTP"; semantic conventions for HTTP spans.
//!
//! The messages are those of `opentelemetry-proto`, generated from the published schema;
//! its SDK stays unused, because it can neither send spans that ended before, under ids that
//! are already in journals, nor decide on a trace when all of it is known.

mod assembly;
mod figures;
mod post;
mod seen;
mod spans;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_journal::Stamp;
use repono_journal::read::{Fact, Record};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::ask::Latest;
use crate::collector::SharedBoard;
use crate::config::Otlp;
use crate::export::{Counts, Listener};

use assembly::Rule;
pub(crate) use post::Collector;

use assembly::Assembly;
use seen::{Seen, Service};

/// Requests on their way to the assembly: those of some 100 ms at 50,000 requests/s.
const SEEN_MAX: usize = 8_192;
/// Spans in one request: some 300 KiB, below the limits of collectors (4 MiB and more).
const BATCH_SPANS_MAX: usize = 512;
/// Batches that wait for the sender: 5 MiB.
const BATCHES_MAX: usize = 16;
/// Requests that are held until their traces are decided on: those of 5 s at 10,000 a second,
/// some 30 MiB.
const HELD_MAX: usize = 50_000;
/// How often traces are decided on and sent.
const FLUSH_EVERY: Duration = Duration::from_secs(1);
/// Older requests are not sent: a monitor that reads old journals tells no news.
const AGE_MAX_NS: u64 = 600_000_000_000;

/// A span and the service that it is of.
type Told = (Service, Span);

/// Starts the export in `background`; gives what the collector's thread tells of records.
pub(crate) fn start(
    config: &Otlp,
    collector: Collector,
    board: SharedBoard,
    latest: watch::Receiver<Latest>,
    counts: &Arc<Counts>,
    background: &mut JoinSet<()>,
) -> Listener {
    let (feed, seen) = mpsc::channel(SEEN_MAX);
    let (batches, waiting) = mpsc::channel(BATCHES_MAX);
    let collector = Arc::new(collector);
    let rule = Rule { slow: Duration::from_millis(config.slow_ms), share: config.share, held_max: HELD_MAX };
    background.spawn(assemble(seen, batches, Assembly::new(rule, StdRng::from_os_rng()), Arc::clone(counts)));
    background.spawn(send(waiting, Arc::clone(&collector), Arc::clone(counts)));
    let every = Duration::from_secs(config.metrics_s.get().into());
    background.spawn(measure(every, collector, board, latest));
    let counts = Arc::clone(counts);
    Box::new(move |record, now_ns| offer(&feed, &counts, record, now_ns))
}

fn offer(feed: &mpsc::Sender<Seen>, counts: &Counts, record: &Record<'_>, now_ns: u64) {
    let Fact::Request(request) = &record.fact else { return };
    if request.ended.wall_ns.saturating_add(AGE_MAX_NS) < now_ns {
        return;
    }
    let Some(seen) = Seen::of(&record.origin, request) else { return };
    if feed.try_send(seen).is_err() {
        counts.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Holds requests until their traces are decided on, and batches their spans.
async fn assemble(
    mut seen: mpsc::Receiver<Seen>,
    batches: mpsc::Sender<Vec<Told>>,
    mut assembly: Assembly,
    counts: Arc<Counts>,
) {
    let mut flush = interval(FLUSH_EVERY);
    flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut spans = Vec::new();
    loop {
        tokio::select! {
            next = seen.recv() => {
                let Some(next) = next else { return };
                spans.extend(assembly.take(next, Instant::now()));
            }
            _ = flush.tick() => spans.extend(assembly.due(Instant::now())),
        }
        counts.left_out.fetch_add(assembly.left_out(), Ordering::Relaxed);
        while !spans.is_empty() {
            let batch: Vec<Told> = spans.drain(..spans.len().min(BATCH_SPANS_MAX)).collect();
            if let Err(mpsc::error::TrySendError::Full(batch)) = batches.try_send(batch) {
                counts.dropped.fetch_add(batch.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

async fn send(mut batches: mpsc::Receiver<Vec<Told>>, collector: Arc<Collector>, counts: Arc<Counts>) {
    while let Some(batch) = batches.recv().await {
        let count = batch.len() as u64;
        let body = ExportTraceServiceRequest { resource_spans: spans::by_service(batch) }.encode_to_vec();
        let rejected = match collector.traces(body.into()).await {
            Ok(rejected) => rejected.min(count),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, spans = count, "spans were dropped");
                count
            }
        };
        counts.dropped.fetch_add(rejected, Ordering::Relaxed);
        counts.sent.fetch_add(count - rejected, Ordering::Relaxed);
    }
}

/// Sends every metric again and again: the next one stands for those that were lost.
async fn measure(
    every: Duration,
    collector: Arc<Collector>,
    board: SharedBoard,
    latest: watch::Receiver<Latest>,
) {
    let mut turns = interval(every);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let latest = latest.borrow().clone();
        let families = crate::metrics::families(latest.as_deref(), Some(&board.lock()), Instant::now());
        let body = figures::request(families, Stamp::now().wall_ns).encode_to_vec();
        if let Err(error) = collector.metrics(body.into()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "metrics were not sent");
        }
    }
}
