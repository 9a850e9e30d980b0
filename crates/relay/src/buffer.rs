//! Buffers that are lent only while bytes are in hand.
//!
//! An idle connection must not cost 32 KiB, so a buffer is taken when a socket is
//! readable and given back when its bytes are written.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// How much a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// 16 KiB: a request, or a small reply with its TLS record.
    Small,
    /// 64 KiB: a transfer costs a quarter of the system calls, and the bytes are
    /// still in the core's cache when they are written.
    Large,
}

impl Size {
    /// Bytes of one.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Small => 16 * 1024,
            Self::Large => 64 * 1024,
        }
    }

    /// Buffers that a thread keeps for the next reader, 1 MiB of each size. More are
    /// needed only while many readers are slow at the same time, and are freed
    /// afterwards.
    const fn kept_max(self) -> usize {
        1024 * 1024 / self.bytes()
    }
}

/// Large buffers that a thread lends at a time, 16 MiB: slow readers of large
/// objects must not take four times the memory that others would.
const LARGE_LENT_MAX: usize = 256;

/// A thread's buffers.
#[derive(Default)]
struct Kept {
    small: Vec<Box<[u8]>>,
    large: Vec<Box<[u8]>>,
    large_lent: usize,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Kept {
    fn of(&mut self, size: Size) -> &mut Vec<Box<[u8]>> {
        match size {
            Size::Small => &mut self.small,
            Size::Large => &mut self.large,
        }
    }

    fn lend(&mut self, wanted: Size) -> Buffer {
        let size = match wanted {
            Size::Large if self.large_lent < LARGE_LENT_MAX => {
                self.large_lent += 1;
                Size::Large
            }
            Size::Large | Size::Small => Size::Small,
        };
        let bytes = self.of(size).pop().unwrap_or_else(|| vec![0; size.bytes()].into_boxed_slice());
        Buffer { size, bytes }
    }

    fn take_back(&mut self, size: Size, bytes: Box<[u8]>) {
        if size == Size::Large {
            self.large_lent = self.large_lent.saturating_sub(1);
        }
        let kept = self.of(size);
        if kept.len() < size.kept_max() {
            kept.push(bytes);
        }
    }
}

/// A buffer on loan from the thread's free list.
pub(crate) struct Buffer {
    size: Size,
    bytes: Box<[u8]>,
}

impl Buffer {
    /// Takes a buffer, a small one where too many large ones are out; what an
    /// earlier holder wrote may still be in it.
    pub(crate) fn take(wanted: Size) -> Self {
        KEPT.with_borrow_mut(|kept| kept.lend(wanted))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        // While a thread ends its list may be gone already; the bytes are freed then.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().take_back(self.size, bytes));
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, KEPT, LARGE_LENT_MAX, Size};

    #[test]
    fn buffers_come_back_and_the_list_is_bounded() {
        for size in [Size::Small, Size::Large] {
            let lent: Vec<Buffer> = (0..size.kept_max() + 3).map(|_| Buffer::take(size)).collect();
            assert!(lent.iter().all(|buffer| buffer.len() == size.bytes()));
            drop(lent);
            let kept = || KEPT.with_borrow_mut(|kept| kept.of(size).len());
            assert_eq!(kept(), size.kept_max());
            let _again = Buffer::take(size);
            assert_eq!(kept(), size.kept_max() - 1);
        }
    }

    #[test]
    fn beyond_the_bound_small_ones_are_lent_in_place_of_large_ones() {
        let lent: Vec<Buffer> = (0..LARGE_LENT_MAX).map(|_| Buffer::take(Size::Large)).collect();
        assert_eq!(Buffer::take(Size::Large).len(), Size::Small.bytes());
        drop(lent);
        assert_eq!(Buffer::take(Size::Large).len(), Size::Large.bytes());
    }
}
