//! Getting one object into whatever takes bytes.

use std::io;
use std::sync::Arc;

use md5::{Digest, Md5};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::address::ObjectAddress;
use crate::client::Client;
use crate::download::{Downloaded, continues_at, verify};
use crate::error::{Answer, ClientError};
use crate::object::ObjectState;
use crate::progress::Progress;
use crate::resume::{IfChanged, Tries, is_same};

/// Where the bytes go, and what went there: none of it can be taken back.
struct Output<'a> {
    into: &'a mut (dyn AsyncWrite + Send + Unpin),
    bytes: u64,
    hash: Md5,
}

impl Client {
    /// Gets an object into whatever takes bytes, such as standard output. Where a
    /// connection breaks or the service is away for a moment, goes on where it stopped
    /// (`Range`, `If-Match`). Verified at the end, when the bytes have been written:
    /// the error says that they are not to be trusted.
    ///
    /// *Errors*: [`ClientError::Conflict`] where the object became another one while it
    /// was read.
    pub async fn get_stream(
        &self,
        object: &ObjectAddress,
        into: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &Arc<dyn Progress>,
    ) -> Result<Downloaded, ClientError> {
        let mut state = self.stat(object).await?;
        progress.expect_bytes(state.bytes);
        let mut output = Output { into, bytes: 0, hash: Md5::new() };
        let mut tries = Tries::default();
        while let Err(error) = self.continue_stream(object, &state, &mut output, progress).await {
            if output.bytes > 0 && state.etag.is_none() {
                // Nothing would tell the rest of another version.
                return Err(error);
            }
            let now = self.look_again(object, error, &mut tries).await?;
            if output.bytes > 0 && !is_same(&state, &now) {
                return Err(changed(now));
            }
            state = now;
        }
        output.into.flush().await.map_err(failed)?;
        let verified = verify(&state, output.bytes, &output.hash)?;
        Ok(Downloaded { bytes: output.bytes, resumed_from: 0, verified })
    }

    /// One GET, from where the output ends.
    async fn continue_stream(
        &self,
        object: &ObjectAddress,
        state: &ObjectState,
        output: &mut Output<'_>,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), ClientError> {
        if output.bytes == state.bytes {
            return Ok(());
        }
        let mut reply = self.open(object, state, output.bytes, IfChanged::Refuse).await?;
        if !continues_at(&reply, output.bytes)? {
            return Err(ClientError::Protocol("the whole instead of its rest"));
        }
        while let Some(chunk) = reply.chunk().await? {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            let found = output.bytes.saturating_add(length);
            if found > state.bytes {
                return Err(ClientError::Length { expected: state.bytes, found });
            }
            output.into.write_all(&chunk).await.map_err(failed)?;
            output.hash.update(&chunk);
            output.bytes = found;
            progress.moved(length);
        }
        Ok(())
    }
}

fn failed(source: io::Error) -> ClientError {
    ClientError::Local { path: "the output".into(), source }
}

/// As the head would say to `If-Match`.
fn changed(now: ObjectState) -> ClientError {
    ClientError::Conflict(Answer {
        status: 412,
        code: "PreconditionFailed".to_owned(),
        trans_id: now.trans_id,
        retry_after_s: None,
    })
}
