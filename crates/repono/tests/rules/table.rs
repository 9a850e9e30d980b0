//! A rule of the interface as a row, and the one head that all rows are put to.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};
use toml::Table;

/// Access lists and new users are in force at every head within this.
const IN_FORCE: Duration = Duration::from_secs(20);
const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// One rule: what it says, the request line without its version, header fields, the
/// body, the status, and what the reply must tell besides.
///
/// Fields that begin with `@` choose who asks: `@anyone`, `@guest` (a user without a
/// policy); `@unframed` leaves the length out. `%NAME%` in a field or a target is what
/// an earlier reply told.
///
/// What is told: `Name: value`, `Name: *` (there), `Name: *part*`, `!Name` (not there),
/// `~part of the body`, `=the whole body`, `NAME<Header` (remembered as `%NAME%`).
pub(crate) type Rule =
    (&'static str, &'static str, &'static [&'static str], &'static str, u16, &'static [&'static str]);

/// A head, who asks it, and what they remember.
pub(crate) struct Stage {
    system: System,
    owner: String,
    guest: String,
    wire: Option<Wire>,
    remembered: Vec<(String, String)>,
    seen: HashSet<String>,
    wrong: Vec<String>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let system = System::start(PROGRAM, &["--heads", "1"]).expect("a system");
        let owner = system.ticket(&[]).expect("a ticket").join("\r\n");
        let guest = guest(&system);
        Self {
            system,
            owner,
            guest,
            wire: None,
            remembered: Vec::new(),
            seen: HashSet::new(),
            wrong: Vec::new(),
        }
    }

    /// Puts rules to the head, one after another.
    pub(crate) fn hold(&mut self, section: &str, rules: &[Rule]) {
        for rule in rules {
            let broken = self.broken(rule);
            self.wrong.extend(broken.map(|wrong| format!("{section} {wrong}")));
        }
    }

    /// Panics with all that did not hold.
    pub(crate) fn judge(&self) {
        assert!(
            self.wrong.is_empty(),
            "{} of {} do not hold:\n{}",
            self.wrong.len(),
            self.seen.len(),
            self.wrong.join("\n")
        );
    }

    /// What is wrong with the reply to a rule's request.
    fn broken(&mut self, rule: &Rule) -> Option<String> {
        let (says, request, fields, body, status, told) = *rule;
        assert!(self.seen.insert(format!("{says}{request}{fields:?}")), "{says} stands twice");
        let response = match self.ask(request, fields, body) {
            Ok(response) => response,
            Err(error) => return Some(format!("- {says}: {request}: {error}")),
        };
        let mut wrong = Vec::new();
        if response.status != status {
            wrong.push(format!("{} instead of {status}", response.status));
        }
        for id in ["x-trans-id", "x-openstack-request-id"] {
            if response.header(id) != response.header("x-trans-id") || response.header(id).is_none() {
                wrong.push(format!("no {id}"));
            }
        }
        wrong.extend(
            told.iter().filter(|told| !self.is_told(&response, told)).map(|told| format!("not {told}")),
        );
        (!wrong.is_empty()).then(|| {
            let fields: Vec<_> =
                response.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!(
                "- {says}: {request}: {}\n    {}\n    {}",
                wrong.join(", "),
                fields.join("; "),
                response.text()
            )
        })
    }

    fn is_told(&mut self, response: &Response, told: &str) -> bool {
        if let Some(name) = told.strip_prefix('!') {
            return response.header(&name.to_lowercase()).is_none();
        }
        if let Some(part) = told.strip_prefix('~') {
            return response.text().contains(part);
        }
        if let Some(whole) = told.strip_prefix('=') {
            return response.text() == whole;
        }
        if let Some((name, header)) = told.split_once('<') {
            let value = response.header(&header.to_lowercase()).map(str::to_owned);
            self.remembered.extend(value.clone().map(|value| (format!("%{name}%"), value)));
            return value.is_some();
        }
        let (name, value) = told.split_once(": ").expect("Name: value");
        let value = self.filled(value);
        response.header(&name.to_lowercase()).is_some_and(|found| is_like(found, &value))
    }

    fn filled(&self, text: &str) -> String {
        self.remembered.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn ask(&mut self, request: &str, fields: &[&str], body: &str) -> anyhow::Result<Response> {
        let who = fields.iter().find_map(|field| field.strip_prefix('@').filter(|who| *who != "unframed"));
        let ticket = match who {
            Some("anyone") => String::new(),
            Some("guest") => format!("{}\r\n", self.guest),
            _ => format!("{}\r\n", self.owner),
        };
        let sent: String = fields
            .iter()
            .filter(|field| !field.starts_with('@'))
            .map(|field| format!("{}\r\n", self.filled(field)))
            .collect();
        let framed = |field: &&&str| {
            ["Transfer-", "Content-Length", "@unframed"].iter().any(|start| field.starts_with(start))
        };
        let framed = fields.iter().any(|field| framed(&field));
        let length = match framed || request.starts_with("GET") || request.starts_with("HEAD") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let (method, target) = request.split_once(' ').expect("a method and a target");
        let target = self.filled(target);
        let text = format!("{method} {target} HTTP/1.1\r\nHost: head\r\n{ticket}{sent}{length}\r\n{body}");
        let mut wire = self.wire.take().unwrap_or_else(|| self.connect());
        wire.send(text.as_bytes())?;
        let response = wire.response(method)?;
        let ends = response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        self.wire = (!ends).then_some(wire);
        Ok(response)
    }

    /// What only an administrator does.
    pub(crate) fn admin(&self, arguments: &[&str]) {
        self.system.ok(&[&["admin"], arguments].concat()).expect("done");
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.system.heads()[0], &PathBuf::from(self.system.fact("ca"))).expect("TLS")
    }

    /// Waits until a request is answered so: an access list is in force within seconds.
    pub(crate) fn until(&mut self, request: &str, fields: &[&str], status: u16) {
        let answered =
            || self.ask(request, fields, "").is_ok_and(|response| response.status == status).then_some(());
        wait::until(&format!("{status} to {request}"), IN_FORCE, answered).expect("in time");
    }
}

/// Whether a text has the parts between the asterisks of a pattern, in their order.
fn is_like(text: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some((_, behind)) = left.split_once(part) else { return false };
        left = behind;
    }
    left.ends_with(end)
}

/// The ticket of a user to whom no policy allows anything.
fn guest(system: &System) -> String {
    let profile = fs::read_to_string(system.fact("profile")).expect("a profile");
    let mut profile: Table = profile.parse().expect("TOML");
    let application = profile["application"].as_str().expect("an application").to_owned();
    let create = ["--json", "admin", "user", "create", "demo:guest", "--application", &application];
    let created = system.ok(&create).expect("created");
    let created: serde_json::Value = serde_json::from_str(&created).expect("JSON");
    profile.insert("user".into(), "guest".into());
    profile.insert("user_secret".into(), created["secret"].as_str().expect("a secret").into());
    let file = system.path("guest.toml");
    fs::write(&file, profile.to_string()).expect("written");
    system.ticket(&["--profile", &file.display().to_string()]).expect("a ticket").join("\r\n")
}
