//! PROXY headers where none may be, and connections without one where one must be.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use repono_core::id::ConnectionId;
use repono_net::proxy_v2::{self, Header, ProxyKey};
use repono_testkit::wire::{Wire, address};

use crate::attack::{Ask, MARKER};
use crate::stage::{KNOWN, Stage, on_stage};

/// Everything here is closed within a few seconds.
const CLOSED_MAX: Duration = Duration::from_secs(15);
/// `ContentType::alert` of a TLS record, and the length of one with its header.
const TLS_ALERT: (u8, usize) = (21, 7);

/// The key that the balancer and the heads of this stage share.
fn shared_key(stage: &Stage) -> Result<ProxyKey> {
    let hex = fs::read_to_string(stage.system.data().join("secrets/proxy.key"))?;
    let bytes = data_encoding::HEXLOWER.decode(hex.trim_end().as_bytes())?;
    Ok(ProxyKey::new(bytes.as_slice().try_into().context("not 32 bytes")?))
}

/// The balancer-only listener of the first head.
fn balanced(stage: &Stage) -> Result<SocketAddr> {
    let text = fs::read_to_string(stage.system.data().join("run/head-1.toml"))?;
    let config: toml::Table = text.parse()?;
    let address = config.get("balanced").and_then(toml::Value::as_str);
    address.context("no `balanced`")?.parse().context("no address")
}

fn header() -> Result<Header> {
    Ok(Header {
        source: "203.0.113.9:4711".parse()?,
        destination: "127.0.0.1:7443".parse()?,
        id: ConnectionId::from_bytes(*b"connection 1"),
    })
}

/// A header of anybody's own making: version 2, TCP over IPv4, these bytes.
fn foreign_v2(length: u16, rest: &[u8]) -> Vec<u8> {
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11".as_slice(), &length.to_be_bytes(), rest].concat()
}

/// Sends bytes over plain TCP and gives everything that comes back until the end.
fn spoken_to(to: SocketAddr, bytes: &[u8], end: Option<Shutdown>) -> Result<Vec<u8>> {
    let mut tcp = TcpStream::connect(to)?;
    tcp.set_read_timeout(Some(CLOSED_MAX))?;
    // The peer may have closed before it has seen everything.
    let _ = tcp.write_all(bytes);
    if let Some(end) = end {
        let _ = tcp.shutdown(end);
    }
    let mut replied = Vec::new();
    match tcp.read_to_end(&mut replied) {
        Ok(_) => Ok(replied),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(replied),
        Err(error) => Err(error).context("the connection was not closed"),
    }
}

/// A connection on which TLS begins behind these bytes.
fn behind(stage: &Stage, to: SocketAddr, bytes: &[u8]) -> Result<Wire> {
    let wire = Wire::over(TcpStream::connect(to)?, &stage.ca())?;
    wire.tcp().write_all(bytes)?;
    Ok(wire)
}

#[test]
fn clients_cannot_say_who_they_are() {
    on_stage(2, |stage| {
        let genuine = proxy_v2::encode(&header()?, &shared_key(stage)?);
        let headers = [
            ("PROXY v1", b"PROXY TCP4 10.0.0.1 127.0.0.1 4711 443\r\n".to_vec()),
            ("PROXY v1, unknown", b"PROXY UNKNOWN\r\n".to_vec()),
            ("PROXY v2", foreign_v2(12, &[10, 0, 0, 1, 127, 0, 0, 1, 18, 103, 1, 187])),
            ("the balancer's own", genuine),
        ];
        let ask = Ask::new("GET", KNOWN).ticket(&stage.owner).bytes();
        for route in stage.routes() {
            let to = address(&route.url)?;
            for (name, header) in &headers {
                let name = format!("{name}, {}", route.name);
                // In the clear, then in front of TLS.
                let replied =
                    spoken_to(to, &[header.as_slice(), &ask].concat(), None).context(name.clone())?;
                let alert = replied.first() == Some(&TLS_ALERT.0) && replied.len() == TLS_ALERT.1;
                ensure!(replied.is_empty() || alert, "{name}: {}", replied.escape_ascii());
                let mut wire = behind(stage, to, header)?;
                let answered = wire.send(&ask).and_then(|()| wire.response("GET"));
                ensure!(answered.is_err(), "{name}: {answered:?}");
            }
            stage.is_served(&mut stage.connect(&route.url)?)?;
        }
        Ok(())
    });
}

#[test]
fn only_the_balancer_gets_a_word() {
    on_stage(2, |stage| {
        let (to, key) = (balanced(stage)?, shared_key(stage)?);
        let genuine = proxy_v2::encode(&header()?, &key);
        let other = ProxyKey::new(&[7; 32]);
        let ask = Ask::new("GET", KNOWN).ticket(&stage.owner).bytes();
        let changed = |at: usize| {
            let mut bytes = genuine.clone();
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
            bytes
        };
        let strangers = [
            ("nothing", Vec::new()),
            ("one byte", vec![b'\r']),
            ("HTTP", ask.clone()),
            ("noise", MARKER.repeat(500).into_bytes()),
            ("PROXY v1", b"PROXY TCP4 10.0.0.1 127.0.0.1 4711 443\r\n".to_vec()),
            ("PROXY v2 without a key", foreign_v2(12, &[10, 0, 0, 1, 127, 0, 0, 1, 18, 103, 1, 187])),
            ("PROXY v2 with an endless length", foreign_v2(u16::MAX, &[0; 100])),
            ("another key", proxy_v2::encode(&header()?, &other)),
            ("a health check with another key", proxy_v2::encode_local(&other)),
            ("another source", changed(16)),
            ("another connection id", changed(16 + 12 + 3)),
            ("another signature", changed(genuine.len() - 1)),
            ("half of a header", genuine.iter().take(40).copied().collect()),
        ];
        for (name, bytes) in &strangers {
            for end in [None, Some(Shutdown::Write)] {
                let replied = spoken_to(to, bytes, end).context(*name)?;
                ensure!(replied.is_empty(), "{name}: {}", replied.escape_ascii());
            }
            let mut wire = behind(stage, to, bytes)?;
            let answered = wire.send(&ask).and_then(|()| wire.response("GET"));
            ensure!(answered.is_err(), "{name}, then TLS: {answered:?}");
        }
        // With the right header the same request is served, so it was the header.
        stage.is_served(&mut behind(stage, to, &genuine)?)
    });
}
