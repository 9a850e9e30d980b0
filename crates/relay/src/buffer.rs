//! Buffers that are lent only while bytes are in hand.
//!
//! An idle connection must not cost 32 KiB, so a buffer is taken when a socket is
//! readable and given back when its bytes are written.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Bytes of one buffer: one TLS record of the largest size and a little less than
/// one more header, so that a bulk transfer costs one read for each record.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;

/// Buffers that a thread keeps for the next reader; 1 MiB. More are needed only
/// while many readers are slow at the same time, and are freed afterwards.
const KEPT_MAX: usize = 64;

thread_local! {
    static KEPT: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer on loan from the thread's free list.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    /// Takes a buffer; what an earlier holder wrote may still be in it.
    pub(crate) fn take() -> Self {
        let kept = KEPT.with_borrow_mut(Vec::pop);
        Self(kept.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.0);
        // While a thread ends its list may be gone already; the bytes are freed then.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < KEPT_MAX {
                kept.push(bytes);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_BYTES, Buffer, KEPT, KEPT_MAX};

    #[test]
    fn buffers_come_back_and_the_list_is_bounded() {
        let lent: Vec<Buffer> = (0..KEPT_MAX + 3).map(|_| Buffer::take()).collect();
        assert!(lent.iter().all(|buffer| buffer.len() == BUFFER_BYTES));
        drop(lent);
        assert_eq!(KEPT.with_borrow(Vec::len), KEPT_MAX);
        let _again = Buffer::take();
        assert_eq!(KEPT.with_borrow(Vec::len), KEPT_MAX - 1);
    }
}
