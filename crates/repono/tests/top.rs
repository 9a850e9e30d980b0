//! `repono top` beside a running system: printed, as JSON, and in a real terminal.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::process::Command;
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// The monitor follows the journals within a second.
const LIMIT: Duration = Duration::from_secs(30);

/// A terminal of 110 columns and 32 lines, on a server of its own.
struct Terminal(String);

impl Terminal {
    /// Runs `repono top` in it, and keeps the shell that ran it.
    fn with_top(system: &System, name: &str, redirected: &str) -> Self {
        let terminal = Self(format!("repono-top-{name}-{}", std::process::id()));
        let shell = format!(
            "REPONO_PROFILE='{}' '{PROGRAM}' top {redirected}; echo \"ended with $?\"; stty -a | grep -o ' -\\?icanon'; exec cat",
            system.fact("profile")
        );
        let size = ["-x", "110", "-y", "32"];
        terminal
            .tmux(&[&["-f", "/dev/null", "new-session", "-d"][..], &size, &["sh", "-c", &shell]].concat());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux").args(["-L", &self.0]).args(arguments).output().expect("tmux");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"][..], keys].concat());
    }

    /// Looks until the screen is as wanted.
    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let seen = wait::until(what, LIMIT, || {
            last = self.tmux(&["capture-pane", "-p"]);
            wanted(&last).then(|| last.clone())
        });
        assert!(seen.is_ok(), "{what} was not seen:\n{last}");
        seen.expect("just looked at")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The server may have ended with its session.
        let _ended = Command::new("tmux").args(["-L", &self.0, "kill-server"]).output();
    }
}

#[test]
fn heads_and_requests_are_shown_and_the_terminal_is_put_back() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("it starts");
    for _ in 0..3 {
        system.ok(&["ls", "demo/files"]).expect("listed");
    }
    let told = wait::until("the heads are ready, and the requests counted", LIMIT, || {
        let told: Value = serde_json::from_str(&system.ok(&["top", "--json"]).ok()?).ok()?;
        let ready = told["heads"]["heads"].as_array()?.iter().all(|head| head["state"] == "ready");
        (ready && !told["slowest"].as_array()?.is_empty()).then_some(told)
    });
    let told = told.expect("in time");
    assert_eq!(told["heads"]["heads"][0]["name"], "head-1");
    assert!(told["latency"]["head"]["count"].is_array() && told["changes"].is_array(), "{told}");

    let printed = system.ok(&["top", "--once"]).expect("printed");
    for part in ["head-1", "head-2", "● ready", "/v1/demo/files", "GET", "live", "closes"] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "no terminal, no colours: {printed:?}");

    let terminal = Terminal::with_top(&system, "live", "");
    terminal.until("the heads are shown", |seen| seen.contains("head-2") && seen.contains("/v1/demo/files"));
    terminal.press(&[" "]);
    terminal.until("it is frozen", |seen| seen.contains("frozen"));
    system.ok(&["admin", "head", "drain", "head-2"]).expect("drained");
    let age = |seen: &str| {
        let (_, rest) = seen.split_once("frozen, ")?;
        rest.split_once(" s old")?.0.parse::<u64>().ok()
    };
    terminal.until("what is frozen grows old", |seen| {
        assert!(!seen.contains("▲ draining"), "it was not frozen:\n{seen}");
        age(seen).is_some_and(|age| age >= 3)
    });
    terminal.press(&[" "]);
    terminal.until("what came meanwhile is shown", |seen| {
        seen.contains("▲ draining") && seen.contains("head-2.state: ready → draining")
    });
    terminal.press(&["/", "h", "e", "a", "d", "-", "1", "Enter"]);
    terminal
        .until("the filter holds", |seen| seen.contains("filter: head-1") && !seen.contains("▲ draining"));
    terminal.press(&["Down"]);
    terminal.until("one is chosen", |seen| seen.lines().any(|line| line.starts_with("▸ ")));
    terminal.press(&["Enter"]);
    let whole = terminal.until("all of it is shown", |seen| seen.contains("slow request ──"));
    for part in ["connection  ", "phases      ", "told by     head, head-1", "200, attempt 1"] {
        assert!(whole.contains(part), "{part} is not in\n{whole}");
    }
    terminal.press(&["Escape"]);
    terminal.until("it is gone", |seen| !seen.contains("slow request ──"));
    terminal.press(&["q"]);
    let seen = terminal.until("it has ended", |seen| seen.contains("icanon"));
    assert!(seen.contains("ended with 0") && seen.contains("icanon") && !seen.contains("-icanon"), "{seen}");
}

#[test]
fn a_monitor_that_does_not_answer_is_an_error_with_advice() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("it starts");
    let nobody = system.run(&["top", "--once", "--monitor", "https://127.0.0.1:1"]).expect("it runs");
    let said = String::from_utf8_lossy(&nobody.stderr);
    assert_eq!(nobody.status.code(), Some(1), "{said}");
    assert!(said.contains("127.0.0.1:1") && said.contains("repono:ViewMonitor"), "{said}");
    let json = system.run(&["--json", "top", "--monitor", "https://127.0.0.1:1"]).expect("it runs");
    let told: Value = serde_json::from_slice(&json.stderr).expect("JSON");
    assert_eq!((json.status.code(), &told["error"]["code"]), (Some(1), &Value::from("Monitor")));
    let wrong = system.run(&["top", "--monitor", "http://127.0.0.1:1"]).expect("it runs");
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("--monitor") && said.contains("https://") && !said.contains("profile"), "{said}");
}

#[test]
fn without_keys_it_prints_once() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("it starts");
    let terminal = Terminal::with_top(&system, "once", "< /dev/null");
    let seen = terminal.until("it has ended", |seen| seen.contains("ended with"));
    assert!(seen.contains("ended with 0") && seen.contains("closes"), "{seen}");
}

#[test]
fn its_scope_is_good_for_looking_and_for_nothing_else() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("it starts");
    system.ok(&["ls", "demo/files"]).expect("listed");
    let narrow = ["--scope", "m=GET;p=/monitor", "--life", "300"];
    let token = system.ok(&[&["ticket", "--format", "token"][..], &narrow].concat()).expect("a ticket");
    let (status, session) = system
        .monitor("/api/v1/session", &["-H", &format!("X-Auth-Token: {}", token.trim())])
        .expect("an answer");
    assert!(status == 200 && session.contains("\"role\":\"reader\""), "{status} {session}");
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", system.fact("ca")]);
    curl.args(["-H", &format!("X-Auth-Token: {}", token.trim())]);
    let reply = curl.arg(format!("{}/v1/demo/files", system.balancer())).output().expect("curl");
    assert_eq!(String::from_utf8_lossy(&reply.stdout), "403");
}
