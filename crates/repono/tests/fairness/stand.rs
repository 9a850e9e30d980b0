//! A system, two users, and a head of the test's own with limits that are soon
//! reached.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use repono_testkit::port;
use repono_testkit::system::System;
use repono_testkit::wait::until;
use repono_testkit::wire::{Response, Wire};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use toml::{Table, Value};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
pub(crate) const SMALL: &str = "/v1/demo/files/small";
pub(crate) const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::files/*"}]}"#;

/// A head learns of changed users and policies within 2 s; a busy machine takes longer.
const LEARNED_WITHIN: Duration = Duration::from_secs(20);

/// A system with one head, and tickets of two users.
pub(crate) struct Stand {
    pub(crate) system: System,
    /// The demo user, who floods.
    pub(crate) busy: String,
    /// Another user of the same account.
    pub(crate) other: String,
}

/// A further head on the same store.
pub(crate) struct OwnHead {
    child: Child,
    pub(crate) url: String,
    pub(crate) balanced: SocketAddr,
}

impl Stand {
    pub(crate) fn start() -> Result<Self> {
        let system = System::start(PROGRAM, &["--heads", "1"])?;
        let busy = system.ticket(&[])?.join("\r\n");
        let other = other_user(&system)?;
        let stand = Self { system, busy, other };
        stand.put(SMALL, b"small")?;
        stand.wait_until_served(&stand.other)?;
        Ok(stand)
    }

    /// Waits until the head has learned of a ticket's user and policy.
    fn wait_until_served(&self, ticket: &str) -> Result<()> {
        let mut wire = self.wire(&self.head())?;
        until("the head to serve a new user", LEARNED_WITHIN, || {
            get(&mut wire, ticket).ok().filter(|response| response.status == 200)
        })?;
        Ok(())
    }

    pub(crate) fn head(&self) -> String {
        self.system.heads().first().copied().unwrap_or_default().to_owned()
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.system.fact("ca").into()
    }

    pub(crate) fn wire(&self, url: &str) -> Result<Wire> {
        Wire::connect(url, &self.ca())
    }

    /// Stores an object as the demo user.
    pub(crate) fn put(&self, path: &str, body: &[u8]) -> Result<()> {
        let mut wire = self.wire(&self.head())?;
        wire.send(head("PUT", path, &self.busy, body.len()).as_bytes())?;
        wire.send(body)?;
        let response = wire.response("PUT")?;
        ensure!(response.status == 201, "{}", response.text());
        Ok(())
    }

    /// Begins an upload of 4 bytes and sends none of them.
    pub(crate) fn upload(&self, url: &str, name: &str) -> Result<Wire> {
        let mut wire = self.wire(url)?;
        wire.send(head("PUT", &format!("/v1/demo/files/{name}"), &self.busy, 4).as_bytes())?;
        Ok(wire)
    }

    /// Starts a head with the limits that these keys of its configuration set.
    pub(crate) fn own_head(&self, limits: &[(&str, i64)]) -> Result<OwnHead> {
        let theirs = self.system.data().join("run/head-1.toml");
        let mut config: Table = fs::read_to_string(theirs)?.parse()?;
        let (direct, balanced) = (port::free()?, port::free()?);
        config.insert("name".into(), "own".into());
        config.insert("direct".into(), direct.to_string().into());
        config.insert("balanced".into(), balanced.to_string().into());
        config.insert("threads".into(), Value::Integer(1));
        for (key, limit) in limits {
            config.insert((*key).into(), Value::Integer(*limit));
        }
        let path = self.system.path("own.toml");
        fs::write(&path, config.to_string())?;
        let mut command = self.system.command();
        command.arg("head").arg("--config").arg(&path);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut ready = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut ready)?;
        ensure!(ready.contains("ready"), "the head did not start");
        Ok(OwnHead { child, url: format!("https://{direct}"), balanced })
    }
}

impl Drop for OwnHead {
    fn drop(&mut self) {
        // It may have ended; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A user with a ticket, by a profile made of the demo user's.
fn other_user(system: &System) -> Result<String> {
    let mut profile: Table = fs::read_to_string(system.fact("profile"))?.parse()?;
    let application = profile["application"].as_str().context("no application")?.to_owned();
    let created =
        system.ok(&["--json", "admin", "user", "create", "demo:other", "--application", &application])?;
    let created: serde_json::Value = serde_json::from_str(&created)?;
    let policy = system.path("policy.json");
    fs::write(&policy, POLICY)?;
    let policy = policy.display().to_string();
    system.ok(&["admin", "policy", "put", "demo", "other", "--user", "demo:other", "--document", &policy])?;
    profile.insert("user".into(), "other".into());
    profile.insert("user_secret".into(), created["secret"].as_str().context("no secret")?.into());
    let path = system.path("other.toml");
    fs::write(&path, profile.to_string())?;
    let path = path.display().to_string();
    Ok(system.ticket(&["--profile", &path])?.join("\r\n"))
}

pub(crate) fn head(method: &str, path: &str, ticket: &str, length: usize) -> String {
    let body = if method == "PUT" { format!("Content-Length: {length}\r\n") } else { String::new() };
    format!("{method} {path} HTTP/1.1\r\nHost: h\r\n{ticket}\r\n{body}\r\n")
}

/// One GET of the small object on this connection.
pub(crate) fn get(wire: &mut Wire, ticket: &str) -> Result<Response> {
    wire.send(head("GET", SMALL, ticket, 0).as_bytes())?;
    wire.response("GET")
}

/// A connection from another address of this machine.
pub(crate) fn from_address(last: u8, url: &str) -> Result<TcpStream> {
    let to = repono_testkit::wire::address(url)?;
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    connect(&socket, &to)?;
    Ok(socket.into())
}
