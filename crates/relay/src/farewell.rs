//! FIN on both sides, and the wait for theirs.
//!
//! A request may be under way when an idle connection is ended. A socket that is
//! closed with bytes unread answers with RST, which some clients do not survive
//! where they survive FIN; so what still comes is read and thrown away until the
//! peer closes too.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::buffer::{Buffer, Size};

/// How long a peer may take to close too.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// How much it may send meanwhile: a request that was under way.
const DISCARDED_BYTES_MAX: usize = 64 * 1024;

/// Sends FIN on both sides and closes each socket when its peer has closed too, or
/// after two seconds.
pub(crate) async fn farewell([client, server]: [TcpStream; 2]) {
    // Either the peers have closed, or what is left is the kernel's to answer.
    let _ = timeout(WAIT_MAX, async { tokio::join!(part(client), part(server)) }).await;
}

async fn part(mut stream: TcpStream) {
    // An error means that the peer is gone already.
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut discarded = 0;
    while discarded < DISCARDED_BYTES_MAX && stream.readable().await.is_ok() {
        match stream.try_read(&mut Buffer::take(Size::Small)) {
            Ok(0) => return,
            Ok(count) => discarded += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
