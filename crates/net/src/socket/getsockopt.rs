//! The one system call that no safe crate offers.
#![expect(unsafe_code, reason = "neither socket2 nor rustix reads TCP_INFO")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Reads `TCP_INFO` into `buffer` and says how many bytes this kernel filled.
pub(super) fn tcp_info(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = libc::socklen_t::try_from(buffer.len()).unwrap_or(libc::socklen_t::MAX);
    // SAFETY: the descriptor is open for the borrow's life; the kernel writes at
    // most `length` bytes, which is at most the length of the exclusively borrowed
    // buffer, and any bytes are valid for `[u8]`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            buffer.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(length).unwrap_or(buffer.len()).min(buffer.len()))
}
