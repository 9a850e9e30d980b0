//! Tickets that were ended before their time: at every head within five seconds.

use anyhow::{Context, Result, ensure};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use serde_json::{Value, json};

use crate::attack::{Ask, Attack};
use crate::stage::{IN_FORCE, KNOWN, Login, Stage, on_stage, play_on};
use crate::ticket::Ticket;

const READ_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// Asks every head and the balancer, each over a connection that knows the ticket
/// already, until `ask` is answered by `status`.
fn everywhere(wires: &mut [Wire], ask: &Ask, status: u16) -> Result<()> {
    wait::until(&format!("{status} at every head"), IN_FORCE, || {
        let mut answer = |wire: &mut Wire| -> Result<u16> {
            wire.send(&ask.bytes())?;
            Ok(wire.response("GET")?.status)
        };
        let answers: Result<Vec<u16>> = wires.iter_mut().map(&mut answer).collect();
        match answers {
            Ok(answers) if answers.iter().any(|answer| *answer != status) => None,
            Ok(_) => Some(Ok(())),
            Err(error) => Some(Err(error)),
        }
    })?
}

fn wires(stage: &Stage) -> Result<Vec<Wire>> {
    let mut urls = stage.system.heads();
    urls.push(stage.system.balancer());
    urls.into_iter().map(|url| stage.connect(url)).collect()
}

/// A user who may read, by an application that has no other user.
fn reader(stage: &Stage) -> Result<Login> {
    stage.admin(&["application", "create", "readers"])?;
    let rotated = stage.admin(&["application", "rotate-secret", "readers"])?;
    let created = stage.admin(&["user", "create", "demo:reader", "--application", "readers"])?;
    let text = |value: &Value| value["secret"].as_str().map(str::to_owned).context("no secret");
    let policy = stage.system.path("read.json");
    std::fs::write(&policy, READ_POLICY)?;
    let policy = policy.display().to_string();
    stage.admin(&["policy", "put", "demo", "read", "--user", "demo:reader", "--document", &policy])?;
    Ok(Login::new("demo:reader", &text(&created)?, "readers", &text(&rotated)?))
}

/// A ticket that works everywhere, a link made with it, and connections that have
/// used both.
struct Held {
    ticket: Ticket,
    link: String,
    wires: Vec<Wire>,
}

impl Held {
    fn by(stage: &Stage, login: &Login) -> Result<Self> {
        let ticket = stage.vend(login, &json!({}))?;
        let mut wires = wires(stage)?;
        everywhere(&mut wires, &Ask::new("GET", KNOWN).ticket(&ticket), 200)?;
        // A link says when it ends and not when it was made, so one that is made in
        // the second of a revocation counts as made before.
        let link = wait::until("a link holds", IN_FORCE, || {
            let link = stage.link(KNOWN, &ticket).ok()?;
            stage.once(&Ask::new("GET", &link), 200).ok().map(|_| link)
        })?;
        everywhere(&mut wires, &Ask::new("GET", &link), 200)?;
        Ok(Self { ticket, link, wires })
    }

    /// Both end everywhere; then they are refused like any that never held.
    fn ended(mut self, stage: &Stage, what: &str) -> Result<()> {
        let read = Ask::new("GET", KNOWN).ticket(&self.ticket);
        everywhere(&mut self.wires, &read, 401).with_context(|| format!("the ticket after {what}"))?;
        let link = Ask::new("GET", &self.link);
        everywhere(&mut self.wires, &link, 403).with_context(|| format!("the link after {what}"))?;
        let attacks: [Attack; 2] = [
            read.keeps(format!("a ticket after {what}"), 401, "Unauthorized"),
            link.keeps(format!("a link after {what}"), 403, "AccessDenied"),
        ];
        stage.repel(&attacks)
    }
}

#[test]
fn what_was_revoked_ends_everywhere() {
    on_stage(3, |stage| {
        let login = reader(stage)?;

        let held = Held::by(stage, &login)?;
        let other = Held::by(stage, &login)?;
        stage.admin(&["revoke", "ticket", held.ticket.salt()])?;
        held.ended(stage, "the ticket was revoked")?;

        // The user's other ticket goes on until the user is revoked.
        stage.once(&Ask::new("GET", KNOWN).ticket(&other.ticket), 200)?;
        stage.admin(&["revoke", "user", "demo:reader"])?;
        other.ended(stage, "the user was revoked")?;

        let held = Held::by(stage, &login)?;
        stage.admin(&["revoke", "application", "readers"])?;
        held.ended(stage, "the application was revoked")?;

        let held = Held::by(stage, &login)?;
        stage.admin(&["user", "disable", "demo:reader"])?;
        held.ended(stage, "the user was disabled")?;
        ensure!(stage.vend(&login, &json!({})).is_err(), "a disabled user got a ticket");
        stage.admin(&["user", "enable", "demo:reader"])?;

        let held = Held::by(stage, &login)?;
        stage.admin(&["application", "disable", "readers"])?;
        held.ended(stage, "the application was disabled")?;
        stage.admin(&["application", "enable", "readers"])?;

        let held = Held::by(stage, &login)?;
        stage.admin(&["user", "delete", "demo:reader"])?;
        held.ended(stage, "the user was deleted")
    });
}

#[test]
fn a_policy_that_was_taken_back_refuses_everywhere() {
    on_stage(3, |stage| {
        let login = reader(stage)?;
        let Held { ticket, link, mut wires } = Held::by(stage, &login)?;
        stage.admin(&["policy", "delete", "demo", "read"])?;
        everywhere(&mut wires, &Ask::new("GET", KNOWN).ticket(&ticket), 403)?;
        // A link is authorized again at every use.
        everywhere(&mut wires, &Ask::new("GET", &link), 403)
    });
}

#[test]
fn a_key_that_was_revoked_ends_all_that_it_signed() {
    play_on(Stage::new(3), |stage| {
        let mut wires = wires(stage)?;
        let (old, link) = (stage.owner.clone(), stage.link(KNOWN, &stage.owner)?);
        let read = Ask::new("GET", KNOWN).ticket(&old);
        everywhere(&mut wires, &read, 200)?;
        for role in ["ticket", "preauth"] {
            let keys = stage.admin(&["signing-key", "list"])?;
            let active = keys.as_array().into_iter().flatten();
            let active =
                active.filter(|key| key["role"] == role && key["state"] == "active").collect::<Vec<_>>();
            ensure!(active.len() == 1, "{role}: {keys}");
            let id = active.first().and_then(|key| key["id"].as_str()).context("no id")?;
            stage.admin(&["revoke", "key", role, id])?;
        }
        everywhere(&mut wires, &read, 401)?;
        everywhere(&mut wires, &Ask::new("GET", &link), 403)?;

        stage.owner = stage.vend(&stage.owner_login, &json!({}))?;
        everywhere(&mut wires, &Ask::new("GET", KNOWN).ticket(&stage.owner), 200)?;
        let link = stage.link(KNOWN, &stage.owner)?;
        everywhere(&mut wires, &Ask::new("GET", &link), 200)?;
        stage.mallory = stage.vend(&stage.mallory_login, &json!({}))?;
        stage.repel(&[read.keeps("a ticket of a revoked key", 401, "Unauthorized")])
    });
}
