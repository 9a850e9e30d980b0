//! `/info` and `/healthcheck`: what anyone may ask.

use repono_store::model::Health;
use repono_wire::refusals::SERVICE_UNAVAILABLE;
use repono_wire::{info, reply};

use super::{Asker, Exchange, Stop};
use crate::directory::Freshness;

/// The limits of this head.
pub(super) async fn info(exchange: &mut Exchange<'_>) -> Result<(), Stop> {
    let body = info::document();
    let bytes = body.len() as u64;
    exchange
        .send_document(200, &body, |sink, common| {
            reply::document(sink, common, info::CONTENT_TYPE, bytes);
        })
        .await
}

/// 200 while this head takes requests, 503 while it drains, cannot read its metadata,
/// or something of it stands still. A store that is read-only still serves reads, and so is well. The
/// balancer is also told how often this head refused or shed something, how many requests
/// it has under way, and how long it keeps idle connections.
pub(super) async fn healthcheck(exchange: &mut Exchange<'_>) -> Result<(), Stop> {
    let common = &exchange.shard.common;
    if exchange.draining || common.condition.is_stalled() || common.directory.freshness() == Freshness::Stale
    {
        return Err(SERVICE_UNAVAILABLE.into());
    }
    let mut body = match exchange.shard.common.store.health() {
        Health::Writable => "OK\n".to_owned(),
        Health::Full | Health::ReadOnly => "OK, read-only\n".to_owned(),
    };
    match exchange.asker {
        Asker::Client => {}
        Asker::Balancer => {
            body.push_str(&common.counts.lines());
            body.push_str(&common.rules.lines());
        }
    }
    let bytes = body.len() as u64;
    exchange
        .send_document(200, body.as_bytes(), |sink, common| {
            reply::document(sink, common, "text/plain; charset=utf-8", bytes);
        })
        .await
}
