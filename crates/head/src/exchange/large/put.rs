//! PUT of a manifest: each segment is looked up, and one answer names every fault.

use bytes::{Bytes, BytesMut};
use repono_core::etag::ETag;
use repono_core::name::{ContainerName, ObjectKey};
use repono_core::range::{RangeSpec, Resolved};
use repono_core::request::Method;
use repono_core::time::Timestamp;
use repono_journal::{Outcome as Journaled, Stamp};
use repono_policy::Permit;
use repono_store::model::large::LargeObject;
use repono_store::model::repeat;
use repono_store::model::{Committed, Object, Precondition as Stored};
use repono_store::upload::CommitRequest;
use repono_wire::content_type::content_type;
use repono_wire::large::{
    DocumentForm, Faulty, Heartbeat, LargeQuery, MANIFEST_BYTES_MAX, ObjectManifest, Outcome, SegmentFacts,
    SentEntry, SentManifest, SentSegment, StoredManifest, StoredSegment,
};
use repono_wire::percent;
use repono_wire::put::{BodyKindHint, Precondition, PutRequest};
use repono_wire::refusals::{
    BAD_DIGEST, ENTITY_TOO_LARGE, INVALID_OBJECT_MANIFEST, MANIFEST_OF_ITSELF, MANIFEST_TOO_LARGE,
};
use repono_wire::reply;

use super::super::object::names;
use super::super::room::Room;
use super::super::{Exchange, Stop};
use super::{Right, segment};
use crate::caller::Caller;

/// Look-ups after which the other connections of the thread have a turn: less than
/// a millisecond.
const LOOK_UPS_AT_ONCE: usize = 64;

/// The segments that did not hold, by their escaped path.
type Faults = Vec<(String, String)>;

/// Receives a manifest and makes it an object.
pub(in super::super) async fn put(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    permit: &Permit,
) -> Result<(), Stop> {
    let (account, container, key) = names(permit)?;
    let repeatable = exchange.repeatable(caller, repeat::Body::Made)?;
    let heartbeat = LargeQuery::from_head(exchange.head)?.heartbeat;
    let mut request = PutRequest::from_head(exchange.head, exchange.carrier.hint())?;
    super::super::upload::add_end(exchange, &mut request.metadata)?;
    if ObjectManifest::of(&request.metadata).is_some() {
        return Err(INVALID_OBJECT_MANIFEST.into());
    }
    let content_type = content_type(exchange.head, key)?;
    let room = Room::of(exchange, account, container, repeatable.as_ref()).await?;
    room.admit(0)?;
    let text = receive(exchange).await?;
    let sent = match SentManifest::parse(&text) {
        Ok(sent) => sent,
        Err(Faulty::TooMany) => return Err(MANIFEST_TOO_LARGE.into()),
        Err(Faulty::Whole(why)) => {
            return refuse(exchange, heartbeat, vec![("Manifest".to_owned(), why.to_owned())]).await;
        }
        Err(Faulty::Entries(faults)) => {
            let faults = faults.into_iter().map(|(number, why)| (format!("Index {number}"), why.to_owned()));
            return refuse(exchange, heartbeat, faults.collect()).await;
        }
    };
    let right = Right { caller, account };
    let (manifest, faults) = look_up_all(exchange, right, (container, key), sent).await?;
    if !faults.is_empty() {
        return refuse(exchange, heartbeat, faults).await;
    }
    let large = LargeObject { size: manifest.bytes().ok_or(ENTITY_TOO_LARGE)?, etag: manifest.etag() };
    if request.expected_etag.is_some_and(|expected| expected != large.etag) {
        return Err(BAD_DIGEST.into());
    }
    let commit = CommitRequest {
        account: account.clone(),
        container: container.clone(),
        key: key.clone(),
        content_type,
        metadata: [large.item()].into_iter().chain(request.metadata).collect(),
        expected_etag: None,
        expected_len: None,
        precondition: match request.precondition {
            Precondition::None => Stored::None,
            Precondition::Absent => Stored::IfNoneMatchAny,
            Precondition::Matches(tag) => Stored::IfMatch(vec![tag]),
        },
        repeatable,
    };
    let json = manifest.to_json();
    room.admit(json.len() as u64)?;
    let committed = store(exchange, json, commit).await?;
    created(exchange, heartbeat, large.etag, committed.timestamp).await
}

/// Takes the text of a manifest, once it is certain that it can be kept.
async fn receive(exchange: &mut Exchange<'_>) -> Result<BytesMut, Stop> {
    match exchange.carrier.hint() {
        BodyKindHint::Length(bytes) if bytes > MANIFEST_BYTES_MAX => return Err(MANIFEST_TOO_LARGE.into()),
        BodyKindHint::None | BodyKindHint::Length(_) | BodyKindHint::Chunked => {}
    }
    exchange.carrier.send_continue().await?;
    let mut text = BytesMut::new();
    while let Some(piece) = exchange.carrier.next().await? {
        exchange.record.bytes_in = exchange.carrier.received();
        if exchange.carrier.received() > MANIFEST_BYTES_MAX {
            return Err(MANIFEST_TOO_LARGE.into());
        }
        text.extend_from_slice(&piece);
    }
    exchange.record.phases_ns.send = Stamp::mono_now().saturating_sub(exchange.record.started.mono_ns);
    Ok(text)
}

async fn look_up_all(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    own: (&ContainerName, &ObjectKey),
    sent: SentManifest,
) -> Result<(StoredManifest, Faults), Stop> {
    let (mut manifest, mut faults) = (StoredManifest::default(), Vec::new());
    for (number, entry) in sent.entries.into_iter().enumerate() {
        if number % LOOK_UPS_AT_ONCE == LOOK_UPS_AT_ONCE - 1 {
            tokio::task::yield_now().await;
        }
        match entry {
            SentEntry::Inline(data) => manifest.segments.push(StoredSegment::Inline(data)),
            SentEntry::Object(sent) if (&sent.container, &sent.key) == own => {
                return Err(MANIFEST_OF_ITSELF.into());
            }
            SentEntry::Object(sent) => {
                let path = path(&sent);
                match look_up(exchange, right, sent).await? {
                    Ok(segment) => manifest.segments.push(segment),
                    Err(fault) => faults.push((path, fault)),
                }
            }
        }
    }
    Ok((manifest, faults))
}

/// The name of a segment as an answer has it: all of it that is not plain is escaped.
fn path(sent: &SentSegment) -> String {
    let mut path = vec![b'/'];
    percent::encode_segment(sent.container.as_str(), &mut path);
    path.push(b'/');
    percent::encode_path(sent.key.as_str(), &mut path);
    String::from_utf8_lossy(&path).into_owned()
}

/// One segment as it is kept, or why it cannot be one.
async fn look_up(
    exchange: &mut Exchange<'_>,
    right: Right<'_>,
    sent: SentSegment,
) -> Result<Result<StoredSegment, String>, Stop> {
    let object = match segment::look_up(exchange, right, Method::Head, &sent.container, &sent.key).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(Err("404 Not Found".to_owned())),
        Err(Stop::Refused(refusal, _)) if matches!(refusal.status, 401 | 403) => {
            return Ok(Err("403 Forbidden".to_owned()));
        }
        Err(other) => return Err(other),
    };
    Ok(kept(sent, &object).map_err(str::to_owned))
}

fn kept(sent: SentSegment, object: &Object) -> Result<StoredSegment, &'static str> {
    let (bytes, etag, nested) = segment::stands_for(object);
    if sent.bytes.is_some_and(|sent| sent != bytes) {
        return Err("Size Mismatch");
    }
    if sent.etag.is_some_and(|sent| sent != etag) {
        return Err("Etag Mismatch");
    }
    if bytes == 0 {
        return Err("Too small; each segment must be at least 1 byte");
    }
    let range = match sent.range {
        None => 0..bytes,
        Some(spec) => resolve(spec, bytes).ok_or("Unsatisfiable Range")?,
    };
    let facts = SegmentFacts::new(bytes, etag, &object.content_type, object.timestamp, nested);
    Ok(StoredSegment::Object { container: sent.container, key: sent.key, facts, range })
}

fn resolve(spec: RangeSpec, bytes: u64) -> Option<std::ops::Range<u64>> {
    match repono_core::range::RangeSet::from(spec).resolve(bytes) {
        Resolved::Parts(parts) => parts.into_iter().next(),
        Resolved::Whole | Resolved::Unsatisfiable => None,
    }
}

async fn store(
    exchange: &mut Exchange<'_>,
    json: Vec<u8>,
    request: CommitRequest,
) -> Result<Committed, Stop> {
    let began = Stamp::mono_now();
    let mut upload = exchange.shard.common.store.begin_upload(Some(json.len() as u64))?;
    upload.feed(Bytes::from(json)).await?;
    let committed = upload.finish(request).await;
    exchange.store_took(began);
    Ok(committed?)
}

async fn created(
    exchange: &mut Exchange<'_>,
    heartbeat: Heartbeat,
    etag: ETag,
    written: Timestamp,
) -> Result<(), Stop> {
    match heartbeat {
        Heartbeat::Off => {
            exchange.send_fields(201, |sink, common| reply::large_created(sink, common, etag, written)).await
        }
        Heartbeat::On => {
            let modified = repono_core::time::http_date(written.last_modified_seconds());
            let texts = vec![
                ("Response Status", "201 Created".to_owned()),
                ("Response Body", String::new()),
                ("Etag", format!("\"{etag}\"")),
                ("Last Modified", modified),
            ];
            exchange.send_outcome(202, &Outcome { texts, ..Outcome::default() }).await
        }
    }
}

/// Tells what is wrong with a manifest: its entries that cannot be read by number, the
/// segments that do not hold by their path.
async fn refuse(
    exchange: &mut Exchange<'_>,
    heartbeat: Heartbeat,
    errors: Vec<(String, String)>,
) -> Result<(), Stop> {
    exchange.record.outcome = Journaled::Refused("InvalidManifest");
    let status = match heartbeat {
        Heartbeat::Off => 400,
        Heartbeat::On => 202,
    };
    let texts = vec![("Response Status", "400 Bad Request".to_owned()), ("Response Body", String::new())];
    exchange.send_outcome(status, &Outcome { texts, errors, ..Outcome::default() }).await
}

impl Exchange<'_> {
    /// Answers with what became of many objects.
    pub(super) async fn send_outcome(&mut self, status: u16, outcome: &Outcome) -> Result<(), Stop> {
        let form = DocumentForm::from_head(self.head);
        let body = outcome.render(form);
        let bytes = body.len() as u64;
        self.send_document(status, &body, |sink, common| {
            reply::document(sink, common, form.content_type(), bytes);
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;
    use repono_core::range::RangeSpec;

    #[test]
    fn a_range_of_a_segment_lies_within_it() {
        assert_eq!(resolve(RangeSpec::Suffix(3), 10), Some(7..10));
        assert_eq!(resolve(RangeSpec::FromTo(2, 99), 10), Some(2..10));
        assert_eq!(resolve(RangeSpec::From(10), 10), None);
        assert_eq!(resolve(RangeSpec::Suffix(0), 10), None);
    }
}
