//! Putting one object.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use repono_core::etag::ETag;
use tokio::io::AsyncRead;

use crate::address::ObjectAddress;
use crate::body::{Outgoing, Source};
use crate::client::{Asked, Client};
use crate::error::ClientError;
use crate::exchange::{Reply, header};
use crate::progress::Progress;
use crate::repeat::Draft;

/// Whether an object that is there already may be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is replaced.
    #[default]
    Replace,
    /// The upload fails with [`ClientError::Conflict`] (`If-None-Match: *`).
    Keep,
}

/// What an upload carries besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct UploadOptions {
    /// Media type; the server guesses it from the key where there is none.
    pub content_type: Option<String>,
    /// What becomes of an object that is there.
    pub existing: Existing,
    /// User metadata, by name without prefix.
    pub metadata: Vec<(String, String)>,
}

/// An object that was put, acknowledged and verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Bytes sent.
    pub bytes: u64,
    /// Their MD5, which the server computed as well.
    pub etag: ETag,
}

impl Client {
    /// Puts a file. Its MD5 is computed on the way and compared with the server's.
    ///
    /// *Errors*: [`ClientError::Corrupt`] when they differ; [`ClientError::Broken`] or
    /// [`ClientError::TimedOut`] when several attempts were lost and it is not known
    /// whether the object was written.
    pub async fn put_file(
        &self,
        object: &ObjectAddress,
        file: &Path,
        options: &UploadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let draft = Draft::File { file, progress: &progress };
        let sent = self.write(Method::PUT, &object.target(), &headers(options)?, draft).await;
        verified(sent.map_err(|error| named(error, file))?).await
    }

    /// Puts what can be read once, such as standard input; its length need not be
    /// known.
    ///
    /// *Errors*: as [`Client::put_file`], after one attempt; an expired ticket is one
    /// as well, because what was read is gone.
    pub async fn put_stream(
        &self,
        object: &ObjectAddress,
        stream: Pin<Box<dyn AsyncRead + Send>>,
        length: Option<u64>,
        options: &UploadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<Uploaded, ClientError> {
        let body = Outgoing::new(Source::Read(stream), length, progress);
        match self
            .try_ask(&Method::PUT, &object.target(), &headers(options)?, body, 1, &self.storage.trace())
            .await?
        {
            Asked::Answered(reply) => verified(*reply).await,
            Asked::TicketExpired(answer) => Err(answer.into_error()),
        }
    }
}

async fn verified(mut reply: Reply) -> Result<Uploaded, ClientError> {
    let expected = header(&reply.headers, ETAG.as_str()).and_then(|tag| ETag::parse(tag.as_bytes()));
    let expected = expected.ok_or(ClientError::Protocol("an upload acknowledged without its checksum"))?;
    let bytes = reply.sent.bytes();
    let found = reply.sent.done().ok_or(ClientError::Protocol("an upload acknowledged before its end"))?;
    reply.finish().await?;
    if expected == found {
        Ok(Uploaded { bytes, etag: found })
    } else {
        Err(ClientError::Corrupt { expected, found })
    }
}

/// The body knows only that reading failed; here the file has a name.
fn named(error: ClientError, file: &Path) -> ClientError {
    match error {
        ClientError::Local { source, .. } => ClientError::Local { path: PathBuf::from(file), source },
        other => other,
    }
}

fn headers(options: &UploadOptions) -> Result<HeaderMap, ClientError> {
    const BAD: ClientError = ClientError::Protocol("metadata that cannot stand in a header field");
    let mut headers = HeaderMap::new();
    if let Some(kind) = &options.content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(kind).map_err(|_| BAD)?);
    }
    match options.existing {
        Existing::Replace => {}
        Existing::Keep => {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
    }
    for (name, value) in &options.metadata {
        let name = HeaderName::from_bytes(format!("x-object-meta-{name}").as_bytes()).map_err(|_| BAD)?;
        headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| BAD)?);
    }
    Ok(headers)
}
