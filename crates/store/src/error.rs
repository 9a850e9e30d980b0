//! Why the store did not do what was asked, grouped by what the caller can do.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// A failure of the store.
///
/// *Shape*: cheap to clone, because one failed commit is the answer to every
/// request of its batch. Display tells this level only; the cause is `source()`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    // The caller asked for something that does not hold.
    /// The container, or its account, does not exist.
    #[error("there is no such container")]
    NoContainer,
    /// A condition of the request (`If-Match`, `If-None-Match: *`) does not hold.
    #[error("a precondition of the request does not hold")]
    PreconditionFailed,
    /// The same `Idempotency-Key` was used for another request.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// The body is not as long as announced.
    #[error("the body has {found} bytes where {expected} were announced")]
    LengthMismatch {
        /// Bytes announced.
        expected: u64,
        /// Bytes that came.
        found: u64,
    },
    /// The body's MD5 is not the announced one.
    #[error("the digest of the body is not the announced one")]
    DigestMismatch,
    /// The body is longer than [`crate::blob::OBJECT_BYTES_MAX`].
    #[error("the body is longer than an object may be")]
    TooLarge,
    /// The name is taken.
    #[error("{0} exists already")]
    AlreadyExists(Subject),
    /// The named thing does not exist.
    #[error("{0} does not exist")]
    NoSuch(Subject),
    /// The change contradicts what is there, such as deleting an account that
    /// still has containers.
    #[error("{0} is still in use")]
    Conflict(Subject),

    // Come again later.
    /// Too little free space for the body; deleting still works (507).
    #[error("the disk is full")]
    Full,
    /// The write lock was not had in time; the write was surely not applied (503).
    #[error("the write lock is held by another process")]
    Busy {
        /// After how long the same request may succeed.
        retry: Duration,
    },
    /// The queue of writes is full (503).
    #[error("the queue of writes is full")]
    Overloaded,

    // The operator must act.
    /// A commit failed: this process takes no more writes, reads go on (503).
    #[error("the metadata is read-only since a commit failed")]
    ReadOnly,
    /// Stored bytes do not match their checksum or their form (500).
    #[error("{what} is corrupt")]
    Corrupt {
        /// What was read.
        what: Part,
    },
    /// A row names a blob that is not there (500).
    #[error("the blob of the object is missing")]
    Missing,
    /// The data directory cannot be served by this program.
    #[error("the data directory cannot be used: {0}")]
    Incompatible(Incompatibility),
    /// The blob store failed.
    #[error("input or output on the blob store failed")]
    Io(#[source] Arc<io::Error>),
    /// The metadata engine failed.
    #[error("the metadata engine failed")]
    Database(#[source] Arc<dyn Error + Send + Sync>),
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(Arc::new(error)),
        }
    }
}

impl From<rustix::io::Errno> for StoreError {
    fn from(error: rustix::io::Errno) -> Self {
        io::Error::from(error).into()
    }
}

/// What an identity change speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An account.
    Account,
    /// A user.
    User,
    /// An application.
    Application,
    /// A group.
    Group,
    /// The membership of a user in a group.
    Member,
    /// A policy.
    Policy,
    /// A key of the ring.
    Key,
    /// What a policy is attached to.
    Attachment,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Account => "the account",
            Self::User => "the user",
            Self::Application => "the application",
            Self::Group => "the group",
            Self::Member => "the member",
            Self::Policy => "the policy",
            Self::Key => "the key",
            Self::Attachment => "the attachment of the policy",
        })
    }
}

/// Which stored bytes did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A block of a blob.
    Block,
    /// The footer of a blob.
    Footer,
    /// The bytes of a small object within the metadata.
    Inline,
    /// A row of the metadata.
    Row,
    /// The metadata database as a whole.
    Database,
    /// The superblock of the data directory.
    Superblock,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Block => "a block of a blob",
            Self::Footer => "the footer of a blob",
            Self::Inline => "the body of a small object",
            Self::Row => "a row of the metadata",
            Self::Database => "the metadata database",
            Self::Superblock => "the superblock",
        })
    }
}

/// Why a data directory is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatibility {
    /// A newer program wrote it.
    #[error("it has format {found}, this program knows up to {known}")]
    Newer {
        /// The format found.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// `meta.sqlite` is the database of another program.
    #[error("meta.sqlite is not a database of Repono")]
    Foreign,
    /// The linked SQLite has a known defect in its write-ahead log.
    #[error("SQLite {found} is older than 3.51.3, whose write-ahead log can lose data")]
    Engine {
        /// `sqlite3_libversion_number()`.
        found: i32,
    },
    /// Unnamed files (`O_TMPFILE`) or `/proc` are missing.
    #[error("its file system has no unnamed files (O_TMPFILE), or /proc is not mounted")]
    FileSystem,
}
