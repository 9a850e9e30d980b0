//! The admin socket of `repono up`: one address for the commands of `repono
//! admin`; each connection carries one request and is passed on to the service
//! that owns what the request is about.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// The head of an admin request: a line and a few fields.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Commands are run by people and scripts on this machine: a handful at a time.
const CONNECTIONS_MAX: usize = 64;
/// The longest that one command may take.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    /// `/v1/heads…`
    pub(crate) balancer: PathBuf,
    /// Everything else.
    pub(crate) vending: PathBuf,
}

impl Routes {
    fn target(&self, head: &[u8]) -> &Path {
        let path = head.split(|b| *b == b' ').nth(1).unwrap_or_default();
        if path.starts_with(b"/v1/heads") { &self.balancer } else { &self.vending }
    }
}

/// Opens the socket, readable and writable by its owner alone.
pub(crate) fn bind(path: &Path) -> Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot replace {}", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    // The directory is 0700, so nobody else can connect before the mode is set.
    let listener =
        UnixListener::bind(path).with_context(|| format!("cannot listen on {}", path.display()))?;
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, owner_only)
        .with_context(|| format!("cannot protect {}", path.display()))?;
    Ok(listener)
}

/// Serves until the task is dropped.
pub(crate) async fn serve(listener: UnixListener, routes: Routes) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let routes = routes.clone();
                connections.spawn(async move {
                    if let Ok(Err(error)) = tokio::time::timeout(REQUEST_MAX, forward(stream, &routes)).await
                    {
                        tracing::warn!(error = format!("{error:#}"), "admin request failed");
                    }
                });
            }
            // Out of descriptors: a pause lets other connections end.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn forward(mut client: UnixStream, routes: &Routes) -> Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        anyhow::ensure!(head.len() < HEAD_BYTES_MAX, "the head of the request is too large");
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let path = routes.target(&head);
    let mut service =
        UnixStream::connect(path).await.with_context(|| format!("cannot connect to {}", path.display()))?;
    service.write_all(&head).await?;
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}
