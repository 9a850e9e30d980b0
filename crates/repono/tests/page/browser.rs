//! Chromium, driven by scripts.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use repono_testkit::system::System;

use crate::PROGRAM;

/// The longest scene makes four pictures; a browser that hangs must not hold the test
/// for ever.
const SCENE_S_MAX: &str = "300";

/// What the scenes are told of a system.
pub(crate) struct Browser<'a> {
    system: &'a System,
    token: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn of(system: &'a System) -> Self {
        let token = system.ok(&["ticket", "--format", "token"]).expect("a ticket");
        Self { system, token: token.trim().to_owned() }
    }

    /// Plays a scene of that name to its end.
    pub(crate) fn plays(&self, scene: &str) {
        self.plays_with(scene, || ());
    }

    /// Plays a scene that says `ready` when `deed` is to be done, and is told when it is.
    pub(crate) fn plays_with(&self, scene: &str, deed: impl FnOnce()) {
        let mut child = self.scene(scene).spawn().expect("node runs: `cargo xtask needs` installs it");
        let mut told = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        while told.read_line(&mut line).expect("text") > 0 && line.trim_end() != "ready" {
            line.clear();
        }
        if line.trim_end() == "ready" {
            deed();
            let mut stdin = child.stdin.take().expect("a pipe");
            stdin.write_all(b"done\n").expect("it listens");
        }
        let mut rest = String::new();
        told.read_to_string(&mut rest).expect("text");
        let status = child.wait().expect("it ends");
        assert!(status.success(), "{scene}: {status}\n{rest}");
    }

    fn scene(&self, scene: &str) -> Command {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", SCENE_S_MAX, "node"])
            .arg(here.join("tests/page/scenes").join(scene).with_extension("mjs"))
            .env("PAGE_MODULES", here.join("../../target/browser/node_modules"))
            .env("PAGE_URL", self.system.fact("monitor"))
            .env("PAGE_TICKET", &self.token)
            .env("PAGE_MONITOR_PID", self.system.pid("monitor").to_string())
            .env("PAGE_PROGRAM", PROGRAM)
            .env("REPONO_PROFILE", self.system.fact("profile"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }
}
