//! `/info` and `/healthcheck`: what anyone may ask.

use repono_store::model::Health;
use repono_wire::refusals::SERVICE_UNAVAILABLE;
use repono_wire::{info, reply};

use super::{Exchange, Stop};
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

/// 200 while this head takes requests, 503 while it drains or cannot read its
/// metadata. A store that is read-only still serves reads, and so is well.
pub(super) async fn healthcheck(exchange: &mut Exchange<'_>) -> Result<(), Stop> {
    if exchange.draining || exchange.shard.common.directory.freshness() == Freshness::Stale {
        return Err(SERVICE_UNAVAILABLE.into());
    }
    let body: &[u8] = match exchange.shard.common.store.health() {
        Health::Writable => b"OK\n",
        Health::Full | Health::ReadOnly => b"OK, read-only\n",
    };
    let bytes = body.len() as u64;
    exchange
        .send_document(200, body, |sink, common| {
            reply::document(sink, common, "text/plain; charset=utf-8", bytes);
        })
        .await
}
