//! Whether a service answers, asked as a client would: through TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use repono_net::socket::{self, SocketOptions};
use repono_net::tls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

/// All of one question: connect, handshake, answer.
const QUESTION_MAX: Duration = Duration::from_secs(2);
/// Between two questions: the balancer looks at its heads once a second at most.
const PAUSE: Duration = Duration::from_millis(20);
/// How long services may take until they answer.
const ANSWERS_MAX: Duration = Duration::from_secs(15);

/// Asks until the service at `address` says that it is well.
pub(super) async fn wait(name: &str, address: SocketAddr, ca_pem: &[u8]) -> Result<()> {
    let config = tls::client_config(ca_pem).context("the CA cannot be used")?;
    let begun = Instant::now();
    loop {
        let answer = tokio::time::timeout(QUESTION_MAX, ask(address, &config)).await;
        if matches!(answer, Ok(Ok(()))) {
            return Ok(());
        }
        if begun.elapsed() > ANSWERS_MAX {
            bail!("{name} at {address} does not answer: see its log");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(address: SocketAddr, config: &Arc<rustls::ClientConfig>) -> Result<()> {
    let tcp = socket::connect(address, &SocketOptions::CLIENT, QUESTION_MAX).await?;
    let name = rustls_pki_types::ServerName::try_from("localhost")?;
    let (mut stream, _facts) = tls::connect(config, name, tcp, QUESTION_MAX).await?;
    stream.write_all(b"GET /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    stream.flush().await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    anyhow::ensure!(&status == b"HTTP/1.1 200", "the service is not well");
    Ok(())
}
