//! How the path to the system is probed.

use std::path::PathBuf;

use repono_probe::target::{Target, TargetError};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// The longest that a quiet connection is tried: above every limit that is usual.
const IDLE_MAX_S: u64 = 3_600;
/// What a probe needs beside the quiet itself, s: connecting, and the last answers.
const BESIDE_S: u64 = 60;

/// The path to the system, which is probed now and then: how long a connection may be
/// idle on it, and how it ends.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PathProbe {
    /// The URL that HEAD is sent to, `http://` or `https://`, as clients reach the system:
    /// through everything that lies between. No default.
    pub target: String,
    /// Authorities to trust with `https`, PEM. Default: those of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Seconds between two probes; the first comes after as long. 0: only when an operator
    /// asks for one. Default 3,600: a changed firewall is known within the hour.
    #[serde(default = "every_s")]
    pub every_s: u64,
    /// The longest quiet that is tried, seconds. Default 360: above the limits of 60 to 350 s
    /// that usual firewalls and balancers have.
    #[serde(default = "idle_max_s")]
    pub idle_max_s: u64,
}

impl PathProbe {
    /// That of this target, with the defaults.
    #[must_use]
    pub const fn of(target: String, ca: Option<PathBuf>) -> Self {
        Self { target, ca, every_s: every_s(), idle_max_s: idle_max_s() }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        Target::shown(&self.target).map_err(|_: TargetError| ConfigError::PathTarget)?;
        if !(2..=IDLE_MAX_S).contains(&self.idle_max_s) {
            return Err(ConfigError::PathIdle);
        }
        // One that found something else is made again at once.
        let shortest_s = 2 * (self.idle_max_s + BESIDE_S);
        if self.every_s > 0 && self.every_s < shortest_s {
            return Err(ConfigError::PathEvery { shortest_s });
        }
        Ok(())
    }
}

const fn every_s() -> u64 {
    3_600
}

const fn idle_max_s() -> u64 {
    360
}
