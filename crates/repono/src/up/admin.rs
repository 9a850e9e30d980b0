//! The admin socket of `repono up`: one address for the commands of `repono
//! admin`; each connection carries one request and is passed on to the service
//! that owns what the request is about.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
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
    /// `/v1/heads…` and `/v1/connections`
    pub(crate) balancer: PathBuf,
    /// Everything else.
    pub(crate) vending: PathBuf,
}

impl Routes {
    fn target(&self, head: &[u8]) -> &Path {
        let target = head.split(|b| *b == b' ').nth(1).unwrap_or_default();
        let path = target.split(|b| *b == b'?').next().unwrap_or_default();
        let is_balancers = path.starts_with(b"/v1/heads") || path == b"/v1/connections";
        if is_balancers { &self.balancer } else { &self.vending }
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
    let (mut from_client, mut to_client) = client.split();
    let (mut from_service, mut to_service) = service.split();
    let request = async {
        // A service may answer and close before it has taken the whole request: its
        // answer counts all the same.
        let _ = copy(&mut from_client, &mut to_service).await;
        let _ = to_service.shutdown().await;
        std::future::pending::<()>().await;
    };
    let answer = async {
        // A reset behind the answer says no more than that. An answer that was cut
        // short shows by its length.
        let _ = copy(&mut from_service, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::select! {
        () = answer => Ok(()),
        () = request => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{UnixListener, UnixStream};

    use super::{Routes, forward};

    #[test]
    fn heads_and_connections_are_the_balancers() {
        let routes = Routes { balancer: "balancer".into(), vending: "vending".into() };
        for (target, service) in [
            ("/v1/heads", "balancer"),
            ("/v1/heads/head-1/drain", "balancer"),
            ("/v1/connections", "balancer"),
            ("/v1/connections?x", "balancer"),
            ("/v1/connections/1", "vending"),
            ("/v1/users", "vending"),
            ("", "vending"),
        ] {
            let head = format!("GET {target} HTTP/1.1\r\n\r\n");
            assert_eq!(routes.target(head.as_bytes()).to_str(), Some(service), "{target}");
        }
    }

    /// A service that answers by the head alone, and closes, has answered: although
    /// the rest of the request can be written to nobody.
    #[tokio::test]
    async fn an_answer_before_the_end_of_the_request_arrives() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("service.sock");
        let service = UnixListener::bind(&path).unwrap();
        let routes = Routes { balancer: path.clone(), vending: path };
        let (mut client, ours) = UnixStream::pair().unwrap();
        let forwarding = tokio::spawn(async move { forward(ours, &routes).await });
        client.write_all(b"POST /v1/heads/head-1/drain HTTP/1.1\r\n\r\n").await.unwrap();
        let (mut served, _) = service.accept().await.unwrap();
        let mut head = [0; 40];
        served.read_exact(&mut head).await.unwrap();
        served.write_all(b"answer").await.unwrap();
        drop(served);
        // Each piece is written to a socket that is closed.
        for _ in 0..100 {
            if client.write_all(&[0; 64]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        forwarding.await.unwrap().unwrap();
    }
}
