//! How a transfer tells how far it is.

/// What becomes of one file of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEnd {
    /// Transferred and verified.
    Done,
    /// It was there already, with the same size and checksum.
    Unchanged,
    /// Not transferred.
    Failed,
}

/// Told by a transfer how far it is. The calls come from several tasks and must
/// not block.
pub trait Progress: Send + Sync {
    /// So many more bytes will be moved.
    fn expect_bytes(&self, _bytes: u64) {}
    /// So many more bytes have been moved.
    fn moved(&self, _bytes: u64) {}
    /// So many of them were moved in vain, and will be moved again.
    fn moved_back(&self, _bytes: u64) {}
    /// One file is finished, by its key.
    fn file(&self, _key: &str, _end: FileEnd) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
