//! PUT of an object.

use repono_journal::Stamp;
use repono_policy::Permit;
use repono_store::model::repeat::Body;
use repono_store::model::{DELETE_AT, Metadata, Precondition as Stored};
use repono_store::upload::{CommitRequest, Upload};
use repono_wire::content_type::content_type;
use repono_wire::expiry;
use repono_wire::put::{BYTES_MAX, Precondition, PutRequest};
use repono_wire::refusals::ENTITY_TOO_LARGE;
use repono_wire::reply;

use super::object::names;
use super::room::Room;
use super::{Exchange, Stop};
use crate::caller::Caller;

/// Receives an object: everything that can be refused is refused before the body
/// is asked for, and the answer follows the commit.
pub(super) async fn put(exchange: &mut Exchange<'_>, caller: &Caller, permit: &Permit) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    let repeatable = exchange.repeatable(caller, Body::Sent)?;
    let mut request = PutRequest::from_head(exchange.head, exchange.carrier.hint())?;
    add_end(exchange, &mut request.metadata)?;
    let content_type = content_type(exchange.head, key)?;
    let room = Room::of(exchange, account, container, repeatable.as_ref()).await?;
    room.admit(request.length.unwrap_or(0))?;
    let mut upload = exchange.shard.common.store.begin_upload(request.length)?;
    exchange.carrier.send_continue().await?;
    receive(exchange, &mut upload).await?;
    // The length of a chunked body is known only now.
    room.admit(exchange.carrier.received())?;
    let began = Stamp::mono_now();
    let committed = upload
        .finish(CommitRequest {
            account: account.clone(),
            container: container.clone(),
            key: key.clone(),
            content_type,
            metadata: request.metadata,
            expected_etag: request.expected_etag,
            expected_len: request.length,
            precondition: match request.precondition {
                Precondition::None => Stored::None,
                Precondition::Absent => Stored::IfNoneMatchAny,
                Precondition::Matches(tag) => Stored::IfMatch(vec![tag]),
            },
            repeatable,
        })
        .await;
    exchange.store_took(began);
    let committed = committed?;
    exchange
        .send_fields(201, |sink, common| {
            reply::object_created(sink, common, committed.etag, committed.timestamp);
        })
        .await
}

/// Enters when the object is to end, if the request says so.
pub(super) fn add_end(exchange: &Exchange<'_>, metadata: &mut Metadata) -> Result<(), Stop> {
    if let Some(end_s) = expiry::delete_at_s(exchange.head, exchange.now.unix_seconds())? {
        metadata.push((DELETE_AT.into(), end_s.to_string()));
    }
    Ok(())
}

async fn receive(exchange: &mut Exchange<'_>, upload: &mut Upload) -> Result<(), Stop> {
    while let Some(piece) = exchange.carrier.next().await? {
        exchange.record.bytes_in = exchange.carrier.received();
        if exchange.carrier.received() > BYTES_MAX {
            return Err(ENTITY_TOO_LARGE.into());
        }
        upload.feed(piece).await?;
        exchange.step_turn().await;
    }
    exchange.record.phases_ns.send = Stamp::mono_now().saturating_sub(exchange.record.started.mono_ns);
    Ok(())
}
