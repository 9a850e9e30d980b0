//! Swift's v1 log-in as a whole: the token is a ticket at every head, under both names
//! of its header; when it is revoked it ends everywhere, and a stock client that holds
//! it logs in again by itself.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use repono_testkit::system::System;
use repono_testkit::wait;
use repono_testkit::wire::{Response, Wire};

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Within this a revocation is known to every head.
const REVOKED_MAX: Duration = Duration::from_secs(5);
const CHALLENGE: &str = "Swift realm=\"demo\"";
/// That of a log-in names no account: it would tell which ones exist.
const LOG_IN_CHALLENGE: &str = "Swift realm=\"repono\"";
/// Where the salt lies in the bytes of a token: after the key id and the expiry.
const SALT: std::ops::Range<usize> = 12..28;

fn ask(system: &System, url: &str, path: &str, fields: &[(&str, &str)]) -> Response {
    let mut wire = Wire::connect(url, &PathBuf::from(system.fact("ca"))).expect("connected");
    let mut head = format!("GET {path} HTTP/1.1\r\nHost: h\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    wire.send(head.as_bytes()).expect("sent");
    wire.response("GET").expect("a response")
}

fn secret(system: &System) -> String {
    let profile = fs::read_to_string(system.fact("profile")).expect("the profile");
    let line = profile.lines().find_map(|line| line.strip_prefix("user_secret = ")).expect("a secret");
    line.trim_matches('"').to_owned()
}

fn log_in(system: &System, secret: &str) -> Response {
    let fields = [("X-Auth-User", "demo:demo"), ("X-Auth-Key", secret)];
    ask(system, system.fact("vending"), "/auth/v1.0", &fields)
}

/// The status of a listing with this token, at each head.
fn statuses(system: &System, name: &str, token: &str) -> Vec<u16> {
    let heads = system.heads();
    heads.iter().map(|head| ask(system, head, "/v1/demo", &[(name, token)]).status).collect()
}

fn revoke(system: &System, token: &str) {
    let bytes = BASE64URL_NOPAD.decode(token.trim_start_matches("RK1.").as_bytes()).expect("a token");
    let salt = HEXLOWER.encode(bytes.get(SALT).expect("a salt"));
    system.ok(&["admin", "revoke", "ticket", &salt]).expect("revoked");
    wait::until("every head refuses the token", REVOKED_MAX, || {
        statuses(system, "X-Auth-Token", token).iter().all(|status| *status == 401).then_some(())
    })
    .expect("refused");
}

#[test]
fn a_token_is_a_ticket_at_every_head_until_it_is_revoked() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let granted = log_in(&system, &secret(&system));
    assert_eq!(granted.status, 200, "{}", granted.text());
    assert_eq!(granted.header("x-storage-url"), Some(format!("{}/v1/demo", system.balancer()).as_str()));
    let token = granted.header("x-auth-token").expect("a token");
    let other = log_in(&system, &secret(&system));
    let other = other.header("x-auth-token").expect("a token");
    assert_ne!(token, other, "each log-in has a ticket of its own");
    for name in ["X-Auth-Token", "X-Storage-Token"] {
        assert_eq!(statuses(&system, name, token), [200, 200], "{name}");
    }

    // Two credentials are no credential, even if each of them holds.
    for (first, second) in [("X-Auth-Token", "X-Storage-Token"), ("X-Auth-Token", "X-Auth-Token")] {
        let both = ask(&system, system.balancer(), "/v1/demo", &[(first, token), (second, token)]);
        assert_eq!(both.status, 400, "{first} and {second}");
    }
    let lines = system.ticket(&[]).expect("a ticket");
    let mut fields: Vec<_> = lines.iter().filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(ask(&system, system.balancer(), "/v1/demo", &fields).status, 200);
    fields.push(("X-Auth-Token", token));
    assert_eq!(ask(&system, system.balancer(), "/v1/demo", &fields).status, 400, "a ticket and a token");

    revoke(&system, token);
    let refused = ask(&system, system.balancer(), "/v1/demo", &[("X-Auth-Token", token)]);
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some(CHALLENGE)));
    let nobody = ask(&system, system.balancer(), "/v1/demo", &[]);
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some(CHALLENGE)));
    assert_eq!(statuses(&system, "X-Auth-Token", other), [200, 200], "the other one goes on");

    let wrong = log_in(&system, "not the secret");
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, Some(LOG_IN_CHALLENGE)));
}

#[test]
fn a_stock_client_goes_on_when_its_token_ends() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut client = Command::new(root.join("target/python/bin/python"))
        .arg(root.join("testing/clients/swift_again.py"))
        .args([&format!("{}/auth/v1.0", system.fact("vending")), "demo:demo", system.fact("ca")])
        .env("ST_KEY", secret(&system))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs; see `cargo xtask needs`");
    let mut said = BufReader::new(client.stdout.take().expect("piped")).lines();
    let token = said.next().expect("a token").expect("text");
    revoke(&system, &token);
    client.stdin.take().expect("piped").write_all(b"ended\n").expect("told");
    assert_eq!(said.next().expect("a line").expect("text"), "went on");
    assert!(client.wait().expect("it ended").success());
}
