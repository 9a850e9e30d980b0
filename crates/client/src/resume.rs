//! A GET that stopped in its middle: whether it is worth going on, when, and from
//! where.

use std::time::Duration;

use http::header::{IF_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::sleep;

use crate::address::ObjectAddress;
use crate::client::Client;
use crate::error::ClientError;
use crate::exchange::{Ask, Reply, exchange};
use crate::object::ObjectState;

/// How often one download goes on after it stopped. The pauses add up to 4 s at least:
/// a service that is restarted is back by then.
const TRIES_MAX: u8 = 6;

/// How often a download has gone on already.
#[derive(Debug, Default)]
pub(crate) struct Tries(u8);

/// What a server is to do when the object is another one by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfChanged {
    /// Send it from its beginning.
    Anew,
    /// Refuse: what was handed out cannot be taken back.
    Refuse,
}

impl Client {
    /// GET of the pre-authorized URI, which needs no ticket; of the object itself
    /// where the head gave no such URI.
    pub(crate) async fn open(
        &self,
        object: &ObjectAddress,
        state: &ObjectState,
        from: u64,
        changed: IfChanged,
    ) -> Result<Reply, ClientError> {
        let headers = range(state, from, changed)?;
        let Some(uri) = &state.preauth_uri else {
            return self.ask(Method::GET, &object.target(), &headers).await;
        };
        let mut reply =
            exchange(&self.storage, Ask::new(Method::GET, uri.clone(), headers, self.storage.trace()))
                .await?;
        if reply.status.is_success() { Ok(reply) } else { Err(reply.answer().await.into_error()) }
    }

    /// Looks at the object again after a GET of it stopped with `error`, once that
    /// promises something.
    ///
    /// *Errors*: the last one, when it is final or there were too many.
    pub(crate) async fn look_again(
        &self,
        object: &ObjectAddress,
        mut error: ClientError,
        tries: &mut Tries,
    ) -> Result<ObjectState, ClientError> {
        // A link may have expired; whoever may not look may not read.
        let mut expired = matches!(error, ClientError::Forbidden(_));
        while tries.0 < TRIES_MAX {
            tries.0 += 1;
            let pause = if expired { Some(Duration::ZERO) } else { self.pause_after(&error, tries) };
            let Some(pause) = pause else { return Err(error) };
            sleep(pause).await;
            match self.stat(object).await {
                Ok(state) => return Ok(state),
                Err(failed) => (error, expired) = (failed, false),
            }
        }
        Err(error)
    }

    /// How long to wait before a download goes on; `None` where that is in vain.
    fn pause_after(&self, error: &ClientError, tries: &Tries) -> Option<Duration> {
        match error {
            // The connection was at fault, and the next is another.
            ClientError::Broken(_) | ClientError::TimedOut(_) => Some(Duration::ZERO),
            ClientError::Unreachable { .. } => Some(self.keys.back_off(tries.0)),
            ClientError::Unavailable(_) => self.keys.asked_to_wait(error),
            ClientError::Tls { .. }
            | ClientError::Busy
            | ClientError::Unauthorized(_)
            | ClientError::Forbidden(_)
            | ClientError::NotFound(_)
            | ClientError::Conflict(_)
            | ClientError::Refused(_)
            | ClientError::Corrupt { .. }
            | ClientError::Length { .. }
            | ClientError::Protocol(_)
            | ClientError::Local { .. }
            | ClientError::LocalName { .. }
            | ClientError::Key { .. } => None,
        }
    }
}

/// Whether two looks saw the same bytes; without a checksum nobody knows.
pub(crate) fn is_same(one: &ObjectState, other: &ObjectState) -> bool {
    one.etag.is_some() && one.etag == other.etag && one.bytes == other.bytes
}

fn range(state: &ObjectState, from: u64, changed: IfChanged) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if from > 0 {
        let value = |text: String| HeaderValue::from_str(&text);
        let bad = |_| ClientError::Protocol("a range that cannot be written");
        headers.insert(RANGE, value(format!("bytes={from}-")).map_err(bad)?);
        let condition = match changed {
            IfChanged::Anew => IF_RANGE,
            IfChanged::Refuse => IF_MATCH,
        };
        if let Some(etag) = state.etag {
            headers.insert(condition, value(format!("\"{etag}\"")).map_err(bad)?);
        }
    }
    Ok(headers)
}
