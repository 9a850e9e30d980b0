//! Getting one object: resumed where it stopped, published only when verified.

use std::io::{self, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::StatusCode;
use http::header::CONTENT_RANGE;
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use tokio::fs::{self, File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::address::ObjectAddress;
use crate::client::Client;
use crate::error::ClientError;
use crate::exchange::{Reply, header};
use crate::local::with_suffix;
use crate::object::ObjectState;
use crate::progress::Progress;
use crate::resume::{IfChanged, Tries, is_same};

/// What a download is called until it is whole and verified.
pub const PART_SUFFIX: &str = ".part";

/// Read at a time when a part is hashed again.
const HASH_BYTES: usize = 256 << 10;

/// A file that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// Its size.
    pub bytes: u64,
    /// How much of it an earlier, broken download had left.
    pub resumed_from: u64,
    /// How it was checked.
    pub verified: Verified,
}

/// How the bytes were checked before they were published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Their MD5 is the object's tag.
    Md5(ETag),
    /// The tag is no MD5; the length is right.
    Length,
}

/// A part on disk: `bytes` of it are there, and hashed.
struct Part {
    path: PathBuf,
    file: File,
    bytes: u64,
    hash: Md5,
}

impl Client {
    /// Gets an object into a file: HEAD for the pre-authorized URI, then GET of it
    /// into `NAME.part`, which becomes `NAME` once its MD5 is that of the object.
    ///
    /// A part that an earlier download left is continued (`Range`, `If-Range`); if
    /// the whole then does not verify, it is fetched once from its beginning.
    ///
    /// *Errors*: [`ClientError::Corrupt`], [`ClientError::Length`]: nothing was
    /// published.
    /// *Cancel safety*: what was fetched stays in the part.
    pub async fn get_file(
        &self,
        object: &ObjectAddress,
        file: &Path,
        progress: &Arc<dyn Progress>,
    ) -> Result<Downloaded, ClientError> {
        self.get_with_suffix(object, file, PART_SUFFIX, progress).await
    }

    pub(crate) async fn get_with_suffix(
        &self,
        object: &ObjectAddress,
        file: &Path,
        suffix: &str,
        progress: &Arc<dyn Progress>,
    ) -> Result<Downloaded, ClientError> {
        let part = with_suffix(file, suffix);
        let first = self.fetch(object, &part, progress).await;
        let fetched = match first {
            Err(Failed { error: ClientError::Corrupt { .. }, resumed_from }) if resumed_from > 0 => {
                // The part was of another version.
                remove(&part).await?;
                self.fetch(object, &part, progress).await
            }
            other => other,
        };
        match fetched {
            Ok(downloaded) => {
                publish(&part, file).await?;
                Ok(downloaded)
            }
            Err(Failed { error: error @ ClientError::Corrupt { .. }, .. }) => {
                remove(&part).await?;
                Err(error)
            }
            Err(Failed { error, .. }) => Err(error),
        }
    }

    async fn fetch(
        &self,
        object: &ObjectAddress,
        part: &Path,
        progress: &Arc<dyn Progress>,
    ) -> Result<Downloaded, Failed> {
        let mut resumed_from = 0;
        let fetched = self.fetch_counting(object, part, progress, &mut resumed_from).await;
        fetched.map_err(|error| Failed { error, resumed_from })
    }

    async fn fetch_counting(
        &self,
        object: &ObjectAddress,
        part: &Path,
        progress: &Arc<dyn Progress>,
        resumed_from: &mut u64,
    ) -> Result<Downloaded, ClientError> {
        let mut state = self.stat(object).await?;
        let mut part = Part::open(part).await?;
        if part.bytes > state.bytes || state.etag.is_none() {
            // Without a checksum nothing would tell a part of another version.
            part.cut().await?;
        }
        *resumed_from = part.bytes;
        progress.expect_bytes(state.bytes.saturating_sub(part.bytes));
        let mut tries = Tries::default();
        while let Err(error) = self.continue_part(object, &state, &mut part, progress).await {
            // What had arrived is part of another version now, or the link has expired:
            // look again.
            let now = self.look_again(object, error, &mut tries).await?;
            if !is_same(&state, &now) {
                part.cut().await?;
            }
            state = now;
        }
        let verified = verify(&state, part.bytes, &part.hash)?;
        part.sync().await?;
        Ok(Downloaded { bytes: part.bytes, resumed_from: *resumed_from, verified })
    }

    /// One GET, from where the part ends.
    async fn continue_part(
        &self,
        object: &ObjectAddress,
        state: &ObjectState,
        part: &mut Part,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), ClientError> {
        if part.bytes == state.bytes {
            return Ok(());
        }
        let mut reply = self.open(object, state, part.bytes, IfChanged::Anew).await?;
        if !continues_at(&reply, part.bytes)? {
            part.cut().await?;
        }
        while let Some(chunk) = reply.chunk().await? {
            let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            let found = part.bytes.saturating_add(length);
            if found > state.bytes {
                return Err(ClientError::Length { expected: state.bytes, found });
            }
            part.append(&chunk).await?;
            progress.moved(length);
        }
        Ok(())
    }
}

/// A fetch that failed, and how much of an earlier one it had built on.
struct Failed {
    error: ClientError,
    resumed_from: u64,
}

impl Part {
    /// Opens or makes the part, following no symbolic link, and hashes what is
    /// there.
    async fn open(path: &Path) -> Result<Self, ClientError> {
        let failed = |source| ClientError::Local { path: path.to_owned(), source };
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o666).custom_flags(no_follow);
        let mut file = OpenOptions::from(options).open(path).await.map_err(failed)?;
        let (mut bytes, mut hash) = (0_u64, Md5::new());
        let mut buffer = vec![0; HASH_BYTES];
        loop {
            let read = file.read(&mut buffer).await.map_err(failed)?;
            let Some(there) = buffer.get(..read).filter(|there| !there.is_empty()) else { break };
            hash.update(there);
            bytes = bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(Self { path: path.to_owned(), file, bytes, hash })
    }

    async fn append(&mut self, chunk: &[u8]) -> Result<(), ClientError> {
        self.file.write_all(chunk).await.map_err(|source| self.failed(source))?;
        self.hash.update(chunk);
        self.bytes = self.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Begins anew.
    async fn cut(&mut self) -> Result<(), ClientError> {
        self.file.set_len(0).await.map_err(|source| self.failed(source))?;
        self.file.seek(SeekFrom::Start(0)).await.map_err(|source| self.failed(source))?;
        self.hash = Md5::new();
        self.bytes = 0;
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), ClientError> {
        self.file.flush().await.map_err(|source| self.failed(source))?;
        self.file.sync_all().await.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ClientError {
        ClientError::Local { path: self.path.clone(), source }
    }
}

/// Whether the reply goes on where the part ends, or begins anew.
pub(crate) fn continues_at(reply: &Reply, from: u64) -> Result<bool, ClientError> {
    if reply.status != StatusCode::PARTIAL_CONTENT {
        return Ok(from == 0);
    }
    let start = header(&reply.headers, CONTENT_RANGE.as_str())
        .and_then(|range| range.strip_prefix("bytes ")?.split_once('-')?.0.parse::<u64>().ok());
    if start == Some(from) { Ok(true) } else { Err(ClientError::Protocol("a range that was not asked for")) }
}

pub(crate) fn verify(state: &ObjectState, bytes: u64, hash: &Md5) -> Result<Verified, ClientError> {
    if bytes != state.bytes {
        return Err(ClientError::Length { expected: state.bytes, found: bytes });
    }
    let Some(expected) = state.etag else { return Ok(Verified::Length) };
    let found = ETag::from_md5(hash.clone().finalize().into());
    if found == expected { Ok(Verified::Md5(found)) } else { Err(ClientError::Corrupt { expected, found }) }
}

/// Renames, and makes the new name as durable as the bytes.
async fn publish(part: &Path, file: &Path) -> Result<(), ClientError> {
    let failed = |source| ClientError::Local { path: file.to_owned(), source };
    fs::rename(part, file).await.map_err(failed)?;
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = File::open(folder).await.map_err(failed)?;
    folder.sync_all().await.map_err(failed)
}

async fn remove(part: &Path) -> Result<(), ClientError> {
    fs::remove_file(part).await.map_err(|source| ClientError::Local { path: part.to_owned(), source })
}
