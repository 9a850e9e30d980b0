//! The monitor's door in a running system: tickets, roles by policy, the one-time link.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use repono_testkit::system::{Site, System, send};
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// A session's ticket is asked about once a minute; clocks of tickets may differ by 30 s.
const LIMIT: Duration = Duration::from_secs(90);
const CHOSEN: &str = "a secret that was chosen for a test";
const READER: &str = r#"{"Version":"2012-10-17","Statement":[
    {"Effect":"Allow","Action":"repono:ViewMonitor","Resource":"*"}]}"#;

fn json(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

/// A person at the page.
struct Person<'a> {
    system: &'a System,
    origin: String,
    cookie: String,
}

impl<'a> Person<'a> {
    /// Logs in by the form; gives the status and the answer where that fails.
    fn log_in(system: &'a System, token: &str) -> Result<(Self, String), (u16, String)> {
        let origin = format!("Origin: {}", system.fact("monitor"));
        let form = format!("ticket={token}");
        let arguments = ["-X", "POST", "-H", &origin, "--data-urlencode", &form];
        let (status, answer) = system.monitor("/login", &arguments).expect("an answer");
        let set = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned);
        match (status, set) {
            (303, Some(set)) => {
                let cookie = format!("Cookie: {}", set.split(';').next().expect("a pair"));
                Ok((Self { system, origin, cookie }, set))
            }
            _ => Err((status, answer)),
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.system.monitor(path, &["-H", &self.cookie]).expect("an answer")
    }

    fn post(&self, path: &str, more: &[&str]) -> u16 {
        let arguments = [&["-X", "POST", "-H", &self.cookie, "-H", &self.origin][..], more].concat();
        self.system.monitor(path, &arguments).expect("an answer").0
    }

    fn csrf(&self) -> String {
        let session = json(&self.get("/api/v1/session").1);
        format!("X-CSRF-Token: {}", session["csrf"].as_str().expect("a token"))
    }
}

fn token(system: &System, arguments: &[&str]) -> String {
    let all = [&["ticket", "--format", "token"][..], arguments].concat();
    system.ok(&all).expect("a ticket").trim().to_owned()
}

/// A user of the demo account who may look alone; gives the profile.
fn reader(system: &System, name: &str) -> String {
    let secret = system.path("secret");
    fs::write(&secret, CHOSEN).expect("written");
    let document = system.path("reader.json");
    fs::write(&document, READER).expect("written");
    let user = format!("demo:{name}");
    let [secret, document] = [&secret, &document].map(|path| path.to_str().expect("text"));
    system
        .ok(&["admin", "user", "create", &user, "--application", "demo-app", "--secret-file", secret])
        .expect("made");
    system
        .ok(&["admin", "policy", "put", "demo", name, "--user", &user, "--document", document])
        .expect("put");
    let text = fs::read_to_string(system.fact("profile")).expect("a profile");
    let mut profile: toml::Table = text.parse().expect("TOML");
    profile.insert("user".into(), name.into());
    profile.insert("user_secret".into(), CHOSEN.into());
    let path = system.path(&format!("{name}.toml"));
    fs::write(&path, profile.to_string()).expect("written");
    path.to_str().expect("text").to_owned()
}

fn token_of(system: &System, profile: &str, arguments: &[&str]) -> String {
    let mut command = system.command();
    command.env("REPONO_PROFILE", profile).args(["ticket", "--format", "token"]).args(arguments);
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn journal(system: &System) -> String {
    let files = fs::read_dir(system.data().join("journal")).expect("a folder").flatten();
    files.map(|file| fs::read_to_string(file.path()).expect("text")).collect()
}

#[test]
fn an_operator_logs_in_by_ticket_and_the_journal_names_the_person() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let token = token(&system, &[]);
    let (status, answer) = Person::log_in(&system, "RK1.AAAA").err().expect("refused");
    assert!(status == 401 && answer.contains("does not hold"), "{answer}");
    let (person, set) = Person::log_in(&system, &token).expect("logged in");
    let attributes = set.split_once("; Path=/").expect("a path").1;
    assert_eq!(attributes.trim_end(), "; Secure; HttpOnly; SameSite=Strict");
    assert!(set.starts_with("__Host-repono=") && !set.contains(&token[..40]), "{set}");
    assert_eq!(person.get("/").0, 200);
    let session = json(&person.get("/api/v1/session").1);
    assert_eq!((&session["user"], &session["role"]), (&"demo:demo".into(), &"operator".into()));

    let csrf = person.csrf();
    let drain = "/api/v1/heads/head-2/drain";
    assert_eq!(person.post(drain, &[]), 403, "without the session's token");
    assert_eq!(person.post(drain, &["-H", &csrf]), 200);
    wait::until("the record names the person", LIMIT, || {
        let journal = journal(&system);
        let named = |line: &str| line.contains("head-2.state") && line.contains("demo:demo (uid ");
        journal.lines().any(named).then_some(())
    })
    .expect("in time");
    let told = wait::until("the page shows the change", LIMIT, || {
        let (_, changes) = person.get("/api/v1/changes");
        changes.contains("demo:demo (uid ").then_some(changes)
    });
    assert!(told.expect("in time").contains("draining"));

    // A script sends the ticket itself, as to heads, and needs no token of a session.
    let by_token = format!("X-Auth-Token: {token}");
    let ready = "/api/v1/heads/head-2/ready";
    let script = |path: &str, arguments: &[&str]| system.monitor(path, arguments).expect("an answer").0;
    assert_eq!(script(ready, &["-X", "POST", "-H", &by_token]), 200);
    let foreign = ["-X", "POST", "-H", &by_token, "-H", "Origin: https://evil.example"];
    assert_eq!(script(ready, &foreign), 403);
    let five = system.ticket(&[]).expect("a ticket");
    let five: Vec<&str> = five.iter().flat_map(|line| ["-H", line.as_str()]).collect();
    assert_eq!(script("/api/v1/heads", &five), 200);
    assert_eq!(script("/api/v1/heads", &five[2..]), 401, "a part is missing");
    assert_eq!(script("/api/v1/heads", &["-H", &by_token, "-H", &by_token]), 401, "twice");

    // Revocation is heard of before the next change, and ends the session.
    system.ok(&["admin", "revoke", "user", "demo:demo"]).expect("revoked");
    assert_eq!(person.post(drain, &["-H", &csrf]), 401);
    assert_eq!(person.get("/api/v1/heads").0, 401);
    assert_eq!(Person::log_in(&system, &token).err().expect("refused").0, 401);
}

#[test]
fn a_reader_looks_and_changes_nothing_until_the_ticket_is_revoked_or_ends() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let profile = reader(&system, "rita");
    let short = token_of(&system, &profile, &["--life", "1s"]);
    let (ending, _) = Person::log_in(&system, &token_of(&system, &profile, &["--life", "40s"])).expect("in");
    let (person, _) = Person::log_in(&system, &token_of(&system, &profile, &[])).expect("logged in");
    let session = json(&person.get("/api/v1/session").1);
    assert_eq!((&session["user"], &session["role"]), (&"demo:rita".into(), &"reader".into()));
    let csrf = person.csrf();
    assert_eq!(person.post("/api/v1/heads/head-1/drain", &["-H", &csrf]), 403);
    assert!(system.ok(&["admin", "head", "list"]).expect("a list").contains("ready"));

    // A user of whom no policy speaks, and a ticket that is narrowed to looking.
    let nobody =
        system.ok(&["admin", "policy", "delete", "demo", "rita"]).map(|_| token_of(&system, &profile, &[]));
    assert_eq!(Person::log_in(&system, &nobody.expect("gone")).err().expect("refused").0, 403);
    let document = system.path("reader.json");
    let document = document.to_str().expect("text");
    system
        .ok(&["admin", "policy", "put", "demo", "rita", "--user", "demo:rita", "--document", document])
        .expect("put");
    let (narrow, _) =
        Person::log_in(&system, &token(&system, &["--scope", "m=GET,HEAD"])).expect("logged in");
    assert_eq!(json(&narrow.get("/api/v1/session").1)["role"], "reader");

    let ended = |person: &Person<'_>| (person.get("/api/v1/heads").0 == 401).then_some(());
    wait::until("an expired ticket is refused", LIMIT, || {
        let by_token = format!("X-Auth-Token: {short}");
        (system.monitor("/api/v1/heads", &["-H", &by_token]).ok()?.0 == 401).then_some(())
    })
    .expect("in time");
    assert_eq!(person.get("/api/v1/heads").0, 200);
    system.ok(&["admin", "revoke", "user", "demo:rita"]).expect("revoked");
    wait::until("a revoked session ends", LIMIT, || ended(&person)).expect("in time");
    wait::until("a session ends with its ticket", LIMIT, || ended(&ending)).expect("in time");
    assert_eq!(narrow.get("/api/v1/heads").0, 200, "another's session goes on");
}

fn link(shown: &Path) -> String {
    let text = fs::read_to_string(shown).expect("what was shown");
    let line = text.lines().find(|line| line.contains("/login?once=")).expect("a link");
    let url = line.split_whitespace().find(|word| word.starts_with("https://")).expect("a URL");
    url[url.find("/login").expect("a path")..].to_owned()
}

#[test]
fn a_terminal_gets_a_link_that_opens_once_and_nobody_else_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = folder.path().join("terminal");
    let system = System::start_at(Site::terminal(&shown), PROGRAM, &["--heads", "1"]).expect("up");
    let path = wait::until("the terminal shows it", LIMIT, || {
        fs::read_to_string(&shown).ok().filter(|text| text.contains("Stop with Ctrl-C")).map(|_| link(&shown))
    })
    .expect("in time");
    assert!(!system.data().join("run/monitor-link.json").exists(), "the monitor took it");
    let ready = fs::read_to_string(system.path("ready.json")).expect("a file");
    assert!(!ready.contains("once"), "{ready}");
    // As in a folder of an earlier version: no policy speaks of the monitor.
    system.ok(&["admin", "policy", "delete", "demo", "owner"]).expect("gone");
    let (status, answer) = system.monitor(&path, &[]).expect("an answer");
    assert!(status == 303 && answer.contains("location: /\r\n"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    let cookie = format!("Cookie: {}", cookie.split(';').next().expect("a pair"));
    let session = json(&system.monitor("/api/v1/session", &["-H", &cookie]).expect("an answer").1);
    assert_eq!((&session["user"], &session["role"]), (&"demo:demo".into(), &"operator".into()));
    assert_eq!(system.monitor(&path, &[]).expect("an answer").0, 401, "it was used");

    let before = system.pid("monitor");
    send(before, Signal::KILL).expect("it runs");
    let again =
        wait::until("another monitor", LIMIT, || system.monitor(&path, &[]).ok().map(|(status, _)| status));
    assert_eq!(again.expect("in time"), 401, "a used link stays used");
}

#[test]
fn a_pipe_gets_no_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = folder.path().join("piped");
    let script = format!("exec \"$0\" \"$@\" > '{}'", shown.display());
    let through = ["sh", "-c", &script].map(str::to_owned).to_vec();
    let site = Site { through, ..Site::HERE };
    let system = System::start_at(site, PROGRAM, &["--heads", "1"]).expect("up");
    let said = wait::until("it said that it is up", LIMIT, || {
        fs::read_to_string(&shown).ok().filter(|text| text.contains("Stop with Ctrl-C"))
    });
    assert!(!said.expect("in time").contains("login"));
    assert!(!system.data().join("run/monitor-link.json").exists());
}
