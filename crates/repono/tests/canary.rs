//! Planted canaries: every kind of credential goes through a running system, by paths that
//! succeed and paths that fail; then all that the system wrote or shows is searched.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use repono_testkit::system::{Site, System, send};
use repono_testkit::wait;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const LIMIT: Duration = Duration::from_secs(60);

/// Stands in a path that is no secret: whoever searches must find this one.
const VISIBLE: &str = "visible-CANARY-5b1f";

/// One secret, and the words by which it would be recognized.
struct Canary {
    what: &'static str,
    needles: Vec<Vec<u8>>,
}

impl Canary {
    /// The secret whole, and every long part of it: a log may cut, encode or split it.
    fn new(what: &'static str, secret: &str) -> Self {
        let cores = secret.split(['.', ';', ' ', ':', '&', '=', ',']).filter(|core| core.len() >= 16);
        let cores: Vec<&str> = cores.chain([secret]).collect();
        let halves =
            cores.iter().flat_map(|core| [core.get(..24), core.get(core.len().saturating_sub(24)..)]);
        let plain = cores.iter().copied().chain(halves.flatten()).filter(|needle| needle.len() >= 16);
        let mut needles: Vec<Vec<u8>> = plain.map(|needle| needle.as_bytes().to_vec()).collect();
        needles.push(secret.replace('=', "%3D").replace('.', "%2E").into_bytes());
        needles.push(data_encoding::BASE64.encode(secret.as_bytes()).into_bytes());
        needles.push(data_encoding::HEXLOWER.encode(secret.as_bytes()).into_bytes());
        Self { what, needles }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        self.needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
    }
}

/// What was searched, by name.
#[derive(Default)]
struct Found(Vec<(String, Vec<u8>)>);

impl Found {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// Every file below, but for those that hold secrets by their purpose.
    fn add_folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => self.add_folder(&path),
                kind if kind.is_file() => {
                    self.add(path.display().to_string(), fs::read(&path).unwrap_or_default())
                }
                _socket => {}
            }
        }
    }

    fn places_of(&self, canary: &Canary) -> Vec<&str> {
        self.0.iter().filter(|(_, bytes)| canary.is_in(bytes)).map(|(name, _)| name.as_str()).collect()
    }
}

/// Asks by curl, whatever the answer; gives its head.
fn curl(system: &System, url: &str, arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-s", "-i", "--max-time", "30", "--cacert", system.fact("ca")])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl");
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
    line.and_then(|line| line.split_once(": ")).map(|(_, value)| value.trim()).expect("a field")
}

fn canary(number: u8) -> String {
    format!("CANARY{number}x{}", "Q7d9".repeat(8))
}

fn with<'a>(fields: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [fields, more].concat()
}

/// Sends objects and tickets through clients, heads, balancer and vending.
fn through_the_store(system: &System, ticket: &[String], planted: &mut Vec<Canary>) {
    let fields: Vec<&str> = ticket.iter().flat_map(|line| ["-H", line.as_str()]).collect();
    let object = format!("{}/v1/demo/files/{VISIBLE}", system.balancer());
    let [query, bearer, signature, wrong, secret] = [1, 2, 3, 4, 5].map(canary);
    assert!(curl(system, &object, &with(&fields, &["-T", "/etc/hostname"])).contains(" 201"));
    let head = curl(system, &object, &with(&fields, &["-I"]));
    let link = header(&head, "x-preauth-uri").to_owned();
    assert!(curl(system, &format!("{}{link}", system.balancer()), &[]).contains(" 200"));
    let preauth = link.split_once('?').expect("a query").1.to_owned();
    for door in system.heads().into_iter().chain([system.balancer()]) {
        let object = format!("{door}/v1/demo/files/{VISIBLE}");
        curl(system, &format!("{object}?temp_url_sig={query}&token={query}"), &fields);
        curl(system, &format!("{door}/v1/demo/files/absent-{VISIBLE}?x={query}"), &fields);
        curl(system, &object, &["-H", &format!("Authorization: Bearer {bearer}")]);
        let aws = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=K/20260101/r/s3/aws4_request, Signature={signature}"
        );
        curl(system, &object, &["-H", &aws]);
        curl(system, &object, &["-H", &format!("X-Auth-Token: RK1.{wrong}")]);
        curl(system, &format!("{object}?{preauth}&token={wrong}"), &[]);
        curl(system, &format!("{object}?{}", preauth.replace('A', "B")), &[]);
        curl(
            system,
            &object,
            &with(&fields, &["-H", "Range: bytes=900-100", "-H", &format!("Cookie: a={wrong}")]),
        );
        curl(system, &object, &with(&fields, &["-X", &format!("BREW{wrong}")]));
    }
    let body = format!(
        r#"{{"user":"demo:demo","secret":"{secret}","application":"demo-app","application_secret":"{secret}"}}"#
    );
    let vending = system.fact("vending");
    for path in ["/v1/tickets", "/v1/introspect", "/nowhere"] {
        let url = format!("{vending}{path}?token={query}");
        curl(system, &url, &["-d", &body, "-H", &format!("X-Auth-Token: RK1.{wrong}")]);
        curl(
            system,
            &url,
            &with(&fields, &["-d", r#"{"source":"127.0.0.1","actions":["repono:ViewMonitor"]}"#]),
        );
    }
    let key = format!("X-Auth-Key: {secret}");
    curl(system, &format!("{vending}/auth/v1.0"), &["-H", "X-Auth-User: demo:demo", "-H", &key]);
    for arguments in [
        &["ls", "demo/files"][..],
        &["get", "demo/files/absent", "-"],
        &["stat", &format!("demo/files/{VISIBLE}")],
    ] {
        system.run(arguments).expect("it runs");
    }
    for (what, text) in [
        ("query string", query),
        ("Authorization header", bearer),
        ("S3 signature", signature),
        ("X-Auth-Token", wrong),
        ("secret", secret),
        ("preauth token", preauth),
    ] {
        planted.push(Canary::new(what, &text));
    }
}

/// The monitor's door, by every way in and by ways that fail; gives the session's cookie.
fn through_the_monitor(system: &System, link: &str, token: &str, planted: &mut Vec<Canary>) -> String {
    let [wrong, query] = [6, 7].map(canary);
    let monitor = system.fact("monitor");
    let origin = format!("Origin: {monitor}");
    let log_in = |ticket: &str| {
        let form = format!("ticket={ticket}");
        curl(system, &format!("{monitor}/login"), &["-H", &origin, "--data-urlencode", &form])
    };
    log_in(&format!("RK1.{wrong}"));
    let by_ticket = log_in(token);
    let by_link = curl(system, &format!("{monitor}{link}"), &[]);
    curl(system, &format!("{monitor}{link}"), &[]);
    curl(system, &format!("{monitor}/login?once={wrong}"), &[]);
    let cookies = [by_ticket, by_link].map(|answer| {
        let set = header(&answer, "set-cookie");
        format!("Cookie: {}", set.split(';').next().expect("a pair"))
    });
    for path in ["/", "/metrics", "/nowhere", "/api/v1/series?step=never", "/api/v1/session"] {
        let and = if path.contains('?') { '&' } else { '?' };
        let url = format!("{monitor}{path}{and}token={query}");
        for cookie in &cookies {
            curl(system, &url, &["-H", cookie]);
        }
        curl(system, &url, &["-H", &format!("Cookie: __Host-repono={wrong}")]);
        curl(system, &url, &["-H", &format!("X-Auth-Token: RK1.{wrong}")]);
        curl(system, &url, &["-H", &format!("X-Auth-Token: {token}")]);
    }
    let session = curl(system, &format!("{monitor}/api/v1/session"), &["-H", &cookies[0]]);
    let (_, csrf) = session.split_once("\"csrf\":\"").expect("a token");
    let csrf = csrf.split('"').next().expect("its end").to_owned();
    for (head, token) in [("head-1", csrf.as_str()), ("head-9", &csrf), ("head-1", &wrong)] {
        let url = format!("{monitor}/api/v1/heads/{head}/weight/2?token={query}");
        curl(
            system,
            &url,
            &["-X", "POST", "-H", &origin, "-H", &cookies[0], "-H", &format!("X-CSRF-Token: {token}")],
        );
    }
    for (what, text) in [
        ("one-time link", link.split_once("once=").expect("a secret").1),
        ("session cookie", cookies[0].split_once('=').expect("a value").1),
        ("session cookie of the link", cookies[1].split_once('=').expect("a value").1),
        ("session's own token", &csrf),
        ("wrong ticket, link and cookie", &wrong),
        ("query at the monitor", &query),
    ] {
        planted.push(Canary::new(what, text));
    }
    cookies[1].clone()
}

/// Everything that the system wrote or shows.
fn everything(system: &System, cookie: &str) -> Found {
    let mut found = Found::default();
    let data = system.data();
    for folder in ["journal", "log", "monitor", "run"] {
        found.add_folder(&data.join(folder));
    }
    found.add("up.log", fs::read(system.path("up.log")).expect("a log"));
    found.add("ready.json", fs::read(system.path("ready.json")).expect("a file"));
    let monitor = system.fact("monitor");
    // The session's own page alone is told its token: /api/v1/session is no place to search.
    for path in [
        "/",
        "/login",
        "/metrics",
        "/api/v1/heads",
        "/api/v1/slowest",
        "/api/v1/slowest.har",
        "/api/v1/heatmap",
        "/api/v1/closes",
        "/api/v1/changes",
    ] {
        found.add(path, curl(system, &format!("{monitor}{path}"), &["-H", cookie]));
    }
    for step in ["second", "minute", "hour"] {
        let path = format!("/api/v1/series?step={step}");
        found.add(path.clone(), curl(system, &format!("{monitor}{path}"), &["-H", cookie]));
    }
    for door in system.heads().into_iter().chain([system.fact("vending"), system.balancer()]) {
        found.add(format!("{door}/metrics"), curl(system, &format!("{door}/metrics"), &[]));
    }
    let journal = data.join("journal");
    let journal = journal.to_str().expect("text");
    for form in ["text", "md", "html", "json"] {
        let report = system.run(&["diagnose", "--report", form, journal]).expect("it runs");
        found.add(format!("diagnose {form}"), [report.stdout, report.stderr].concat());
    }
    for form in [&[][..], &["--json"]] {
        found.add(format!("tail {form:?}"), tail(system, journal, form));
    }
    found
}

/// What `repono tail` says of the last hour, ended as by Ctrl-C once it has said all.
fn tail(system: &System, journal: &str, form: &[&str]) -> Vec<u8> {
    let file = system.path("tail.out");
    let out = fs::File::create(&file).expect("a file");
    let mut command = system.command();
    command.args(["tail", journal, "--since", "1h", "--connections", "--changes"]).args(form);
    let mut child = command.stdout(Stdio::from(out)).spawn().expect("it runs");
    // The last thing that happened is a change of the weight.
    let said = wait::until("the tail has said all", LIMIT, || {
        let text = fs::read_to_string(&file).ok()?;
        (text.contains("head-1.weight") && text.contains(VISIBLE)).then_some(())
    });
    send(child.id(), Signal::INT).expect("it runs");
    child.wait().expect("it ends");
    said.expect("in time");
    fs::read(&file).expect("what it said")
}

#[test]
fn no_credential_is_in_anything_that_the_system_writes_or_shows() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = folder.path().join("terminal");
    let system = System::start_at(Site::terminal(&shown), PROGRAM, &["--heads", "2"]).expect("up");
    let link = wait::until("a link", LIMIT, || {
        let text = fs::read_to_string(&shown).ok().filter(|text| text.contains("Stop with Ctrl-C"))?;
        let at = text.find("/login?once=")?;
        Some(text[at..].split_whitespace().next()?.to_owned())
    })
    .expect("in time");
    let mut planted = Vec::new();
    let ticket = system.ticket(&[]).expect("a ticket");
    let token = system.ok(&["ticket", "--format", "token"]).expect("a token").trim().to_owned();
    through_the_store(&system, &ticket, &mut planted);
    let cookie = through_the_monitor(&system, &link, &token, &mut planted);
    for line in &ticket {
        let secret =
            ["x-auth-ticket: ", "x-auth-dev-ticket: "].iter().find_map(|name| line.strip_prefix(name));
        planted.extend(secret.map(|secret| Canary::new("ticket or dev-ticket", secret)));
    }
    planted.push(Canary::new("ticket in one string", &token));
    let profile = fs::read_to_string(system.fact("profile")).expect("a profile");
    let profile: toml::Table = profile.parse().expect("TOML");
    for key in ["user_secret", "application_secret"] {
        planted.push(Canary::new(key, profile[key].as_str().expect("text")));
    }
    assert_eq!(planted.len(), 17);

    // What was written is searched once it has been counted, and kept.
    let visible = Canary::new("what may be seen", VISIBLE);
    wait::until("the monitor has counted", LIMIT, || {
        let slowest = curl(&system, &format!("{}/api/v1/slowest", system.fact("monitor")), &["-H", &cookie]);
        let changes = curl(&system, &format!("{}/api/v1/changes", system.fact("monitor")), &["-H", &cookie]);
        (visible.is_in(slowest.as_bytes()) && changes.contains("head-1.weight")).then_some(())
    })
    .expect("in time");
    let mut found = everything(&system, &cookie);
    // The monitor writes its state when it ends.
    send(system.pid("monitor"), Signal::TERM).expect("it runs");
    wait::until("the state is kept", LIMIT, || {
        let kept = fs::read_dir(system.data().join("monitor")).ok()?.flatten().next();
        kept.map(drop)
    })
    .expect("in time");
    found.add_folder(&system.data().join("monitor"));

    for canary in &planted {
        assert_eq!(found.places_of(canary), [""; 0], "{} was found", canary.what);
    }
    // The search finds: what is no secret, in every kind of place …
    let places = found.places_of(&visible).join("\n");
    for place in ["/journal/head-1", "/monitor/", "/api/v1/slowest", "tail []", "tail [\"--json\"]"] {
        assert!(places.contains(place), "{place} is not among\n{places}");
    }
    // … and each secret, where it is written down, whole, cut short or encoded.
    for canary in &planted {
        for needle in &canary.needles {
            let mut haystack = Found::default();
            haystack.add("control", [b"{\"x\":\"".as_slice(), needle, b"\"}"].concat());
            assert_eq!(haystack.places_of(canary), ["control"], "{}", canary.what);
        }
    }
}
