//! Many objects at once: a folder up, a prefix down, a prefix away.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_core::name::{AccountName, ContainerName, NameError, ObjectKey};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use crate::address::ObjectAddress;
use crate::client::Client;
use crate::error::ClientError;
use crate::listing::Entry;
use crate::local::{make_parents, path_below};
use crate::object::ObjectState;
use crate::progress::{FileEnd, Progress};
use crate::upload::UploadOptions;

mod walk;

/// Transfers at a time where nothing else is said: enough to hide a round trip,
/// few enough for one disk.
pub const PARALLEL: usize = 8;

/// More transfers at a time than this gain nothing from a pool of 16.
const PARALLEL_MAX: usize = 16;

/// Failures that are kept with their reason; beyond it they are only counted.
const FAILURES_MAX: usize = 1000;

/// Not `.part`: among many keys there may be one that ends so.
const PART_SUFFIX: &str = ".repono-part";

/// Read at a time when a file is hashed.
const HASH_BYTES: usize = 256 << 10;

/// A container, or everything below a slash in it.
#[derive(Clone, Debug)]
pub struct TreeAddress {
    account: AccountName,
    container: ContainerName,
    /// Empty, or ending with a slash: `a` must not mean `ab/c`, which a recursive
    /// deletion would take along and a download would give the name of `a/b/c`.
    prefix: String,
}

/// What became of many objects.
#[derive(Debug, Default)]
pub struct TreeReport {
    /// Objects transferred or deleted.
    pub done: u64,
    /// Objects that were there already.
    pub unchanged: u64,
    /// Objects that failed.
    pub failed: u64,
    /// Bytes transferred.
    pub bytes: u64,
    /// The first 1000 failures, by key or file.
    pub failures: Vec<(String, ClientError)>,
}

/// One piece of work.
struct Job {
    address: ObjectAddress,
    file: PathBuf,
}

/// How one piece of work ended.
struct Ended {
    name: String,
    outcome: Result<(FileEnd, u64), ClientError>,
}

impl Client {
    /// Puts every file below `folder` under `tree`, skipping objects that have the
    /// same size and MD5. Symbolic links are not followed.
    ///
    /// One failure does not stop the others: the report holds them.
    ///
    /// *Errors*: only where `folder` itself cannot be read.
    pub async fn put_tree(
        self: &Arc<Self>,
        folder: &Path,
        tree: &TreeAddress,
        options: &UploadOptions,
        parallel: usize,
        progress: &Arc<dyn Progress>,
    ) -> Result<TreeReport, ClientError> {
        let mut walk = walk::Walk::new(folder)?;
        let mut pool = Workers::new(parallel, progress);
        while let Some(found) = walk.next() {
            let job = match found.and_then(|file| upload_job(folder, tree, file)) {
                Ok(job) => job,
                Err(error) => {
                    pool.failed(error);
                    continue;
                }
            };
            let (client, options, progress) = (Arc::clone(self), options.clone(), Arc::clone(progress));
            pool.run(job.address.to_string(), async move { client.put_job(&job, &options, progress).await })
                .await;
        }
        Ok(pool.finish().await)
    }

    /// Gets every object under `tree` into `folder`, skipping files that have the
    /// same size and MD5. Keys that cannot be file names below `folder` are
    /// failures.
    ///
    /// *Errors*: only where the listing fails.
    pub async fn get_tree(
        self: &Arc<Self>,
        tree: &TreeAddress,
        folder: &Path,
        parallel: usize,
        progress: &Arc<dyn Progress>,
    ) -> Result<TreeReport, ClientError> {
        let mut listing = self.list(&tree.account, &tree.container, &tree.prefix, None);
        let mut pool = Workers::new(parallel, progress);
        loop {
            let page = listing.page().await?;
            if page.is_empty() {
                return Ok(pool.finish().await);
            }
            for key in page.into_iter().filter_map(object_key) {
                let job = match download_job(tree, folder, &key) {
                    Ok(job) => job,
                    Err(error) => {
                        pool.failed(error);
                        continue;
                    }
                };
                let (client, progress) = (Arc::clone(self), Arc::clone(progress));
                pool.run(job.address.to_string(), async move { client.get_job(&job, &progress).await }).await;
            }
        }
    }

    /// Deletes every object under `tree`; one that is gone already counts as
    /// unchanged.
    ///
    /// *Errors*: only where the listing fails.
    pub async fn remove_tree(
        self: &Arc<Self>,
        tree: &TreeAddress,
        parallel: usize,
        progress: &Arc<dyn Progress>,
    ) -> Result<TreeReport, ClientError> {
        let mut listing = self.list(&tree.account, &tree.container, &tree.prefix, None);
        let mut pool = Workers::new(parallel, progress);
        loop {
            let page = listing.page().await?;
            if page.is_empty() {
                return Ok(pool.finish().await);
            }
            for key in page.into_iter().filter_map(object_key) {
                let address = match key_of(&key, Path::new(&key)) {
                    Ok(key) => tree.address(key),
                    Err(error) => {
                        pool.failed(error);
                        continue;
                    }
                };
                let client = Arc::clone(self);
                let name = address.to_string();
                pool.run(name, async move { client.remove_job(&address).await }).await;
            }
        }
    }

    async fn put_job(
        &self,
        job: &Job,
        options: &UploadOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<(FileEnd, u64), ClientError> {
        let bytes = file_bytes(&job.file).await?;
        match self.stat(&job.address).await {
            Ok(state) if is_same(&state, &job.file, bytes).await? => return Ok((FileEnd::Unchanged, 0)),
            Ok(_) | Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
        progress.expect_bytes(bytes);
        let uploaded = self.put_file(&job.address, &job.file, options, progress).await?;
        Ok((FileEnd::Done, uploaded.bytes))
    }

    async fn get_job(&self, job: &Job, progress: &Arc<dyn Progress>) -> Result<(FileEnd, u64), ClientError> {
        if let Ok(bytes) = file_bytes(&job.file).await {
            let state = self.stat(&job.address).await?;
            if is_same(&state, &job.file, bytes).await? {
                return Ok((FileEnd::Unchanged, 0));
            }
        }
        let got = self.get_with_suffix(&job.address, &job.file, PART_SUFFIX, progress).await?;
        Ok((FileEnd::Done, got.bytes.saturating_sub(got.resumed_from)))
    }

    async fn remove_job(&self, address: &ObjectAddress) -> Result<(FileEnd, u64), ClientError> {
        match self.remove(address).await {
            Ok(()) => Ok((FileEnd::Done, 0)),
            Err(ClientError::NotFound(_)) => Ok((FileEnd::Unchanged, 0)),
            Err(error) => Err(error),
        }
    }
}

impl TreeAddress {
    /// Everything below `prefix`, with or without its slash; an empty prefix is the
    /// whole container.
    #[must_use]
    pub fn new(account: AccountName, container: ContainerName, prefix: &str) -> Self {
        let slash = if prefix.is_empty() || prefix.ends_with('/') { "" } else { "/" };
        Self { account, container, prefix: format!("{prefix}{slash}") }
    }

    fn address(&self, key: ObjectKey) -> ObjectAddress {
        ObjectAddress { account: self.account.clone(), container: self.container.clone(), key }
    }
}

/// So many pieces of work at a time, and what became of them.
struct Workers {
    running: JoinSet<Ended>,
    parallel: usize,
    report: TreeReport,
    progress: Arc<dyn Progress>,
}

impl Workers {
    fn new(parallel: usize, progress: &Arc<dyn Progress>) -> Self {
        let parallel = parallel.clamp(1, PARALLEL_MAX);
        let (running, report) = (JoinSet::new(), TreeReport::default());
        Self { running, parallel, report, progress: Arc::clone(progress) }
    }

    /// Waits for a free worker, then starts the work.
    async fn run(
        &mut self,
        name: String,
        work: impl Future<Output = Result<(FileEnd, u64), ClientError>> + Send + 'static,
    ) {
        while self.running.len() >= self.parallel {
            self.one().await;
        }
        self.running.spawn(async move { Ended { name, outcome: work.await } });
    }

    fn failed(&mut self, error: ClientError) {
        let name = error.local_subject().unwrap_or_default();
        self.count(Ended { name, outcome: Err(error) });
    }

    async fn finish(mut self) -> TreeReport {
        while !self.running.is_empty() {
            self.one().await;
        }
        self.report
    }

    async fn one(&mut self) {
        match self.running.join_next().await {
            Some(Ok(ended)) => self.count(ended),
            // A worker that panicked has been reported by the runtime.
            Some(Err(_)) => self.report.failed = self.report.failed.saturating_add(1),
            None => {}
        }
    }

    fn count(&mut self, ended: Ended) {
        let end = match ended.outcome {
            Ok((end, bytes)) => {
                self.report.bytes = self.report.bytes.saturating_add(bytes);
                end
            }
            Err(error) => {
                if self.report.failures.len() < FAILURES_MAX {
                    self.report.failures.push((ended.name.clone(), error));
                }
                FileEnd::Failed
            }
        };
        let counter = match end {
            FileEnd::Done => &mut self.report.done,
            FileEnd::Unchanged => &mut self.report.unchanged,
            FileEnd::Failed => &mut self.report.failed,
        };
        *counter = counter.saturating_add(1);
        self.progress.file(&ended.name, end);
    }
}

fn upload_job(folder: &Path, tree: &TreeAddress, file: PathBuf) -> Result<Job, ClientError> {
    let below = file.strip_prefix(folder).unwrap_or(&file);
    let key = format!("{}{}", tree.prefix, below.to_string_lossy());
    // A name that is not UTF-8 would come back as another name.
    let key = match below.to_str() {
        Some(_) => key_of(&key, &file)?,
        None => return Err(ClientError::Key { path: file, source: NameError::Encoding }),
    };
    Ok(Job { address: tree.address(key), file })
}

fn download_job(tree: &TreeAddress, folder: &Path, key: &str) -> Result<Job, ClientError> {
    let refused = |reason| ClientError::LocalName { key: key.to_owned(), reason };
    let below = key.strip_prefix(&tree.prefix).ok_or(refused("it was not asked for"))?;
    if below.ends_with(PART_SUFFIX) {
        return Err(refused("it ends like an unfinished download"));
    }
    let file = path_below(folder, below)?;
    make_parents(folder, &file, key)?;
    Ok(Job { address: tree.address(key_of(key, Path::new(key))?), file })
}

fn key_of(key: &str, path: &Path) -> Result<ObjectKey, ClientError> {
    key.parse().map_err(|source| ClientError::Key { path: path.to_owned(), source })
}

fn object_key(entry: Entry) -> Option<String> {
    match entry {
        Entry::Object { name, .. } => Some(name),
        Entry::Prefix { .. } | Entry::Container { .. } => None,
    }
}

async fn file_bytes(file: &Path) -> Result<u64, ClientError> {
    let metadata = tokio::fs::symlink_metadata(file).await;
    metadata.map(|m| m.len()).map_err(|source| ClientError::Local { path: file.to_owned(), source })
}

/// Same size first: it costs nothing.
async fn is_same(state: &ObjectState, file: &Path, bytes: u64) -> Result<bool, ClientError> {
    if state.bytes != bytes || state.etag.is_none() {
        return Ok(false);
    }
    Ok(Some(md5_of(file).await?) == state.etag)
}

async fn md5_of(path: &Path) -> Result<ETag, ClientError> {
    let failed = |source| ClientError::Local { path: path.to_owned(), source };
    let mut file = File::open(path).await.map_err(failed)?;
    let (mut hash, mut buffer) = (Md5::new(), vec![0; HASH_BYTES]);
    loop {
        let read = file.read(&mut buffer).await.map_err(failed)?;
        match buffer.get(..read) {
            Some(there) if !there.is_empty() => hash.update(there),
            _ => return Ok(ETag::from_md5(hash.finalize().into())),
        }
    }
}
