//! The listening socket passes from a running balancer to its successor, so that no
//! connect is refused while the program is replaced.
//!
//! ```text
//! successor                       predecessor
//!   connect ------------------------->
//!   <------------- 1 byte + the listener (SCM_RIGHTS)
//!   opens everything, accepts
//!   'R' ----------------------------->  stops accepting, drains
//! ```
//! Both accept from one queue meanwhile. A successor that fails before its `R` has
//! changed nothing.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// How long the predecessor may take to send the listener.
const TAKE_MAX: Duration = Duration::from_secs(5);

/// How long the successor may take until it serves.
const SERVE_MAX: Duration = Duration::from_secs(30);

/// The pause after a failure of the socket itself.
const PAUSE: Duration = Duration::from_millis(100);

/// What goes with the listener: ancillary data needs a byte to ride on.
const LISTENER: u8 = b'L';

/// What the successor says when it serves.
const READY: u8 = b'R';

/// Where a balancer with this operator's socket hands over.
pub(crate) fn path(admin_socket: &Path) -> PathBuf {
    let mut name = OsString::from(admin_socket);
    name.push(".handover");
    name.into()
}

/// The predecessor, which waits to hear that its successor serves.
#[derive(Debug)]
pub(crate) struct Predecessor(StdStream);

impl Predecessor {
    /// Asks the running balancer for its listener. Blocks for at most 5 s.
    ///
    /// *Errors*: the kernel's; nobody is there, or what came is no listener.
    pub(crate) fn ask(path: &Path) -> io::Result<(TcpListener, Self)> {
        let stream = StdStream::connect(path)?;
        stream.set_read_timeout(Some(TAKE_MAX))?;
        let listener = TcpListener::from(receive(&stream)?);
        // Fails for what is no socket.
        listener.local_addr()?;
        Ok((listener, Self(stream)))
    }

    /// Tells it that the successor serves.
    ///
    /// *Errors*: the kernel's; it has ended already.
    pub(crate) fn relieve(mut self) -> io::Result<()> {
        self.0.write_all(&[READY])
    }
}

/// Hands the listener to whoever asks; completes when one of them serves.
///
/// *Cancel safety*: dropping it hands nothing over.
pub(crate) async fn until_relieved(socket: UnixListener, listener: TcpListener) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => match hand(stream, &listener).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "a successor did not take over"),
            },
            Err(error) => {
                tracing::warn!(%error, "the handover socket");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn hand(mut stream: UnixStream, listener: &TcpListener) -> io::Result<()> {
    stream.async_io(Interest::WRITABLE, || send(stream.as_fd(), listener)).await?;
    let mut said = [0];
    timeout(SERVE_MAX, stream.read_exact(&mut said)).await??;
    if said == [READY] { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

fn send(stream: impl AsFd, listener: &TcpListener) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let listener = [listener.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&listener));
    sendmsg(stream, &[IoSlice::new(&[LISTENER])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

fn receive(stream: &StdStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptor.filter(|_| byte == [LISTENER]).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::os::unix::net::UnixStream as StdStream;

    use tokio::net::UnixListener;
    use tokio::task::spawn_blocking;

    use super::{Predecessor, path, until_relieved};

    #[tokio::test]
    async fn the_listener_passes_once_a_successor_serves() {
        let dir = tempfile::tempdir().expect("dir");
        let socket = path(&dir.path().join("admin.sock"));
        assert_eq!(socket.file_name().expect("named"), "admin.sock.handover");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = listener.local_addr().expect("bound");
        let old = tokio::spawn(until_relieved(UnixListener::bind(&socket).expect("bind"), listener));
        // One that goes away again changes nothing.
        drop(StdStream::connect(&socket).expect("connect"));
        let taken = spawn_blocking(move || Predecessor::ask(&socket)).await.expect("no panic");
        let (listener, predecessor) = taken.expect("handed over");
        assert!(!old.is_finished(), "not yet relieved");
        predecessor.relieve().expect("told");
        old.await.expect("no panic");
        assert_eq!(listener.local_addr().expect("still bound"), address);
        TcpStream::connect(address).expect("accepted by the queue");
    }

    #[test]
    fn without_a_predecessor_there_is_an_error() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(Predecessor::ask(&dir.path().join("nobody")).is_err());
    }
}
