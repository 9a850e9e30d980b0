//! A running system with three users and two tenants, and the runner of attacks.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use repono_core::refusal::After;
use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};
use serde_json::{Value, json};

use crate::attack::{Ask, Attack, Ending, MARKER};
use crate::ticket::Ticket;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// An object that every attack must leave as it is.
pub(crate) const KNOWN: &str = "/v1/demo/files/known";
/// The same, with a body that is kept as a blob.
pub(crate) const KNOWN_BLOB: &str = "/v1/demo/files/known-blob";
/// An object of the other tenant.
pub(crate) const SECRET: &str = "/v1/globex/vault/secret";
/// Error documents are no longer than this, so that none is worth provoking.
const DOCUMENT_BYTES_MAX: usize = 1024;
/// Changes by an administrator are in force everywhere within this.
pub(crate) const IN_FORCE: Duration = Duration::from_secs(5);
/// Everything in the user's own account, and nothing in others, whatever `*` says.
const OWNER_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

/// The bytes of [`KNOWN`] and, cut, of other objects.
pub(crate) fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| b'a' + (n * n % 23) as u8).collect()
}

/// What a user needs for a ticket.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    secret: String,
    application: String,
    application_secret: String,
}

/// A way to a head.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) name: &'static str,
    pub(crate) url: String,
}

/// A running system and who acts in it.
pub(crate) struct Stage {
    pub(crate) system: System,
    /// `demo:demo`, who may do everything in `demo`.
    pub(crate) owner: Ticket,
    pub(crate) owner_login: Login,
    /// `demo:guest`, to whom no policy allows anything.
    pub(crate) guest: Ticket,
    /// `globex:mallory`, who may do everything in `globex`.
    pub(crate) mallory: Ticket,
    pub(crate) mallory_login: Login,
}

/// Plays one test on a stage of its own.
///
/// *Errors*: none; a failure panics, so that the system prints its messages.
pub(crate) fn on_stage(heads: u8, play: impl FnOnce(&Stage) -> Result<()>) {
    play_on(Stage::new(heads), |stage| play(stage));
}

/// The same on a stage that was set already, and that the test changes.
pub(crate) fn play_on(stage: Result<Stage>, play: impl FnOnce(&mut Stage) -> Result<()>) {
    let (mut stage, set) = match stage {
        Ok(stage) => (Some(stage), Ok(())),
        Err(error) => (None, Err(error.context("the stage cannot be set"))),
    };
    let played = set.and_then(|()| stage.as_mut().map_or(Ok(()), play));
    let failure = played.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(played.is_ok(), "{failure}");
}

impl Login {
    pub(crate) fn new(user: &str, secret: &str, application: &str, application_secret: &str) -> Self {
        let [user, secret, application, application_secret] =
            [user, secret, application, application_secret].map(str::to_owned);
        Self { user, secret, application, application_secret }
    }
}

impl Stage {
    /// Starts a system and fills it.
    pub(crate) fn new(heads: u8) -> Result<Self> {
        Self::on(System::start(PROGRAM, &["--heads", &heads.to_string()])?)
    }

    /// Fills a running system.
    pub(crate) fn on(system: System) -> Result<Self> {
        let owner_login = profile(&system)?;
        let (application, secret) = (&owner_login.application, &owner_login.application_secret);
        let guest_login = create_user(&system, "demo:guest", application, secret)?;
        system.ok(&["admin", "account", "create", "globex"])?;
        let created = admin(&system, &["application", "create", "globex-app"])?;
        let secret = created["secret"].as_str().context("no secret")?.to_owned();
        let mallory_login = create_user(&system, "globex:mallory", "globex-app", &secret)?;
        let policy = system.path("owner.json");
        fs::write(&policy, OWNER_POLICY)?;
        let policy = policy.display().to_string();
        let put = ["policy", "put", "globex", "owner", "--user", "globex:mallory", "--document", &policy];
        admin(&system, &put)?;

        let owner = vend(&system, &owner_login, &json!({}))?;
        let guest = vend(&system, &guest_login, &json!({}))?;
        let mallory = vend(&system, &mallory_login, &json!({}))?;
        let stage = Self { system, owner, owner_login, guest, mallory, mallory_login };
        // Until a head knows the users and the policy, both are refused otherwise.
        stage.everywhere(&Ask::new("GET", KNOWN).ticket(&stage.guest), 403)?;
        stage.everywhere(&Ask::new("GET", "/v1/globex/vault").ticket(&stage.mallory), 404)?;
        stage.put(KNOWN, &content(1000))?;
        stage.put(KNOWN_BLOB, &content(40_000))?;
        let vault = Ask::new("PUT", "/v1/globex/vault").ticket(&stage.mallory).body("");
        stage.once(&vault, 201)?;
        stage.once(&Ask::new("PUT", SECRET).ticket(&stage.mallory).body("secret of globex"), 201)?;
        Ok(stage)
    }

    /// Waits until every head answers a request like this.
    pub(crate) fn everywhere(&self, ask: &Ask, status: u16) -> Result<()> {
        for url in self.system.heads() {
            wait::until(&format!("{status} at {url}"), IN_FORCE, || {
                (self.fetch(url, ask).ok()?.status == status).then_some(())
            })?;
        }
        Ok(())
    }

    /// Vends a ticket for a user; `options` may have `life_s` and `scope`.
    pub(crate) fn vend(&self, login: &Login, options: &Value) -> Result<Ticket> {
        vend(&self.system, login, options)
    }

    /// Runs a command of an administrator.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Result<Value> {
        admin(&self.system, arguments)
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.system.fact("ca").into()
    }

    pub(crate) fn connect(&self, url: &str) -> Result<Wire> {
        Wire::connect(url, &self.ca())
    }

    /// The two ways that every attack takes.
    pub(crate) fn routes(&self) -> Vec<Route> {
        let head = self.system.heads().first().copied().unwrap_or_default();
        vec![
            Route { name: "through the balancer", url: self.system.balancer().to_owned() },
            Route { name: "straight to a head", url: head.to_owned() },
        ]
    }

    /// Sends one request over a new connection and reads the reply.
    pub(crate) fn fetch(&self, url: &str, ask: &Ask) -> Result<Response> {
        let attack = ask.clone().keeps("", 0, "");
        let mut wire = self.connect(url)?;
        wire.send(&attack.bytes)?;
        wire.response(attack.method)
    }

    /// The same through the balancer, with a status that must come.
    pub(crate) fn once(&self, ask: &Ask, status: u16) -> Result<Response> {
        let response = self.fetch(self.system.balancer(), ask)?;
        ensure!(response.status == status, "{} instead of {status}: {}", response.status, response.text());
        Ok(response)
    }

    /// Stores an object as the owner.
    pub(crate) fn put(&self, target: &str, body: &[u8]) -> Result<()> {
        self.once(&Ask::new("PUT", target).ticket(&self.owner).body(body), 201).map(drop)
    }

    /// The pre-authorized URI of an object, path and query.
    pub(crate) fn link(&self, target: &str, ticket: &Ticket) -> Result<String> {
        let head = self.once(&Ask::new("HEAD", target).ticket(ticket), 200)?;
        Ok(head.header("x-preauth-uri").context("no link")?.to_owned())
    }

    /// Everything that the tenants have, by their listings.
    pub(crate) fn inventory(&self, wire: &mut Wire) -> Result<String> {
        let mut inventory = String::new();
        for (account, ticket) in [("demo", &self.owner), ("globex", &self.mallory)] {
            let containers = list(wire, &format!("/v1/{account}"), ticket)?;
            for container in containers.as_array().context("no array")? {
                let name = container["name"].as_str().context("no name")?;
                inventory +=
                    &format!("{container}\n{}\n", list(wire, &format!("/v1/{account}/{name}"), ticket)?);
            }
        }
        Ok(inventory)
    }

    /// Runs every attack over both routes.
    ///
    /// *Errors*: all that went wrong, a line each.
    pub(crate) fn repel(&self, attacks: &[Attack]) -> Result<()> {
        let mut wire = self.connect(self.system.balancer())?;
        let before = self.inventory(&mut wire)?;
        let mut faults = Vec::new();
        for attack in attacks {
            for route in self.routes() {
                if let Err(error) = self.repel_one(attack, &route.url, &before) {
                    faults.push(format!("{}, {}: {error:#}", attack.name, route.name));
                }
            }
        }
        println!("{} attacks over {} routes", attacks.len(), self.routes().len());
        if !faults.is_empty() {
            bail!("{} of {} went wrong:\n{}", faults.len(), attacks.len() * 2, faults.join("\n"));
        }
        Ok(())
    }

    fn repel_one(&self, attack: &Attack, url: &str, before: &str) -> Result<()> {
        let asks = String::from_utf8_lossy(&attack.bytes).contains(MARKER);
        ensure!(asks, "the request has no marker: the test would see no reflection");
        let mut wire = self.connect(url)?;
        wire.send(&attack.bytes)?;
        if attack.ending == Ending::Finished {
            wire.finish()?;
        }
        let response = wire.response(attack.method)?;
        check(attack, &response)?;
        match attack.after {
            After::Keep => self.is_served(&mut wire).context("on the same connection")?,
            After::Close => ensure!(wire.ends_cleanly()?, "something follows the response"),
        }
        drop(wire);
        let mut wire = self.connect(url)?;
        self.is_served(&mut wire).context("on a new connection")?;
        let after = self.inventory(&mut wire)?;
        ensure!(after == before, "the store has changed:\n{before}\nbecame\n{after}");
        Ok(())
    }

    /// Whether the next request gets its own reply, and the right one.
    pub(crate) fn is_served(&self, wire: &mut Wire) -> Result<()> {
        for (target, bytes) in [(KNOWN, 1000), (KNOWN_BLOB, 40_000)] {
            wire.send(&Ask::new("GET", target).ticket(&self.owner).bytes())?;
            let response = wire.response("GET")?;
            ensure!(response.status == 200, "{target}: {}: {}", response.status, response.text());
            ensure!(response.body == content(bytes), "{target} has other content");
        }
        Ok(())
    }
}

/// Checks what every refusal has in common, and that it is the expected one.
pub(crate) fn check(attack: &Attack, response: &Response) -> Result<()> {
    let text = response.text();
    ensure!(response.status == attack.status, "{} instead of {}: {text}", response.status, attack.status);
    let reply = [response.head.as_slice(), &response.body].concat();
    let reply = String::from_utf8_lossy(&reply).to_lowercase();
    ensure!(!reply.contains(&MARKER.to_lowercase()), "the reply reflects the request: {reply}");
    let connection = response.header("connection").unwrap_or_default();
    let expected = match attack.after {
        After::Keep => "keep-alive",
        After::Close => "close",
    };
    ensure!(connection == expected, "Connection: {connection} instead of {expected}");
    ensure!(response.header("content-type") == Some("application/xml"), "the document is no XML");
    let trans_id = response.header("x-trans-id").context("no X-Trans-Id")?;
    if attack.method == "HEAD" {
        return Ok(());
    }
    ensure!(response.body.len() <= DOCUMENT_BYTES_MAX, "{} bytes of document", response.body.len());
    let message = message(&text, attack.code, trans_id)
        .with_context(|| format!("not the document of {}: {text}", attack.code))?;
    ensure!(message.ends_with('.') && !message.contains(['<', '>']), "not a sentence: {message}");
    Ok(())
}

/// The sentence of an error document, if it has that code, that id, and no more.
pub(crate) fn message<'d>(document: &'d str, code: &str, trans_id: &str) -> Option<&'d str> {
    let begin = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>");
    let end = format!("</Message><RequestId>{trans_id}</RequestId></Error>");
    document.strip_prefix(begin.as_str())?.strip_suffix(end.as_str())
}

fn list(wire: &mut Wire, target: &str, ticket: &Ticket) -> Result<Value> {
    wire.send(&Ask::new("GET", format!("{target}?format=json")).ticket(ticket).bytes())?;
    let response = wire.response("GET")?;
    ensure!(response.status == 200, "{target}: {}: {}", response.status, response.text());
    Ok(serde_json::from_slice(&response.body)?)
}

fn profile(system: &System) -> Result<Login> {
    let profile: toml::Table = fs::read_to_string(system.fact("profile"))?.parse()?;
    let text = |name: &str| {
        profile
            .get(name)
            .and_then(toml::Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("no {name}"))
    };
    let user = format!("{}:{}", text("account")?, text("user")?);
    Ok(Login::new(&user, &text("user_secret")?, &text("application")?, &text("application_secret")?))
}

fn admin(system: &System, arguments: &[&str]) -> Result<Value> {
    let printed = system.ok(&[&["--json", "admin"], arguments].concat())?;
    serde_json::from_str(&printed).with_context(|| format!("repono admin {arguments:?} printed {printed}"))
}

fn create_user(system: &System, user: &str, application: &str, application_secret: &str) -> Result<Login> {
    let created = admin(system, &["user", "create", user, "--application", application])?;
    let secret = created["secret"].as_str().context("no secret")?;
    Ok(Login::new(user, secret, application, application_secret))
}

fn vend(system: &System, login: &Login, options: &Value) -> Result<Ticket> {
    let mut request = json!({
        "user": login.user, "secret": login.secret,
        "application": login.application, "application_secret": login.application_secret,
    });
    for (name, value) in options.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    let ask =
        Ask::new("POST", "/v1/tickets").line("Content-Type: application/json").body(request.to_string());
    let mut wire = Wire::connect(system.fact("vending"), system.fact("ca").as_ref())?;
    wire.send(&ask.bytes())?;
    let response = wire.response("POST")?;
    ensure!(response.status == 200, "no ticket for {}: {}", login.user, response.text());
    Ticket::of(&serde_json::from_slice(&response.body)?)
}
