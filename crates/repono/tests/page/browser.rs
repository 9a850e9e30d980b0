//! Chromium, driven by scripts.

use std::path::Path;
use std::process::Command;

use repono_testkit::system::System;

use crate::PROGRAM;

/// The longest scene waits for a fault to be told; a browser that hangs must not hold
/// the test for ever.
const SCENE_S_MAX: &str = "150";

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
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let script = here.join("tests/page/scenes").join(scene).with_extension("mjs");
        let output = Command::new("timeout")
            .args(["--kill-after=5", SCENE_S_MAX, "node"])
            .arg(script)
            .env("PAGE_MODULES", here.join("../../target/browser/node_modules"))
            .env("PAGE_URL", self.system.fact("monitor"))
            .env("PAGE_TICKET", &self.token)
            .env("PAGE_MONITOR_PID", self.system.pid("monitor").to_string())
            .env("PAGE_PROGRAM", PROGRAM)
            .env("REPONO_PROFILE", self.system.fact("profile"))
            .output()
            .expect("node runs: `cargo xtask needs` installs it");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{scene}: {}\n{told}", String::from_utf8_lossy(&output.stdout));
    }
}
