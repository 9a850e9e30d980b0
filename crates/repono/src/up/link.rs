//! The one-time link to the monitor's page, for the person at the terminal.

use std::fs;
use std::io::{self, IsTerminal};

use anyhow::{Context, Result, anyhow};
use rand::TryRngCore;
use repono_core::time::Timestamp;
use zeroize::Zeroizing;

use super::layout::Layout;
use super::materials::write_private;
use crate::output::Form;

/// Makes a link where a person can read it: standard output is a terminal and text is
/// wanted. The monitor gets its hash, in a file that it takes and deletes; elsewhere no
/// link is made, and one that an earlier start left is taken away.
pub(super) fn made(layout: &Layout, monitor: &str, form: Form) -> Result<Option<Zeroizing<String>>> {
    let file = layout.one_time_link();
    match (form, io::stdout().is_terminal()) {
        (Form::Text, true) => {}
        (Form::Json, _) | (Form::Text, false) => {
            return match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).with_context(|| format!("cannot remove {}", file.display()))
                }
                Ok(()) | Err(_) => Ok(None),
            };
        }
    }
    let mut random = Zeroizing::new([0; 32]);
    rand::rngs::OsRng.try_fill_bytes(&mut *random).context("the system has no random numbers")?;
    let now_ms = Timestamp::now().unix_seconds().saturating_mul(1000);
    let offer = repono_monitor::offer(&random, &user(layout)?, now_ms)?;
    write_private(&file, offer.file.as_bytes())?;
    Ok(Some(Zeroizing::new(format!("{monitor}/login?once={}", *offer.secret))))
}

/// The user of the profile, `account:user`.
fn user(layout: &Layout) -> Result<String> {
    let path = layout.profile();
    let text =
        Zeroizing::new(fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?);
    let profile: toml::Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    let of = |key: &str| {
        let value = profile.get(key).and_then(toml::Value::as_str);
        value.ok_or_else(|| anyhow!("{} has no text `{key}`", path.display()))
    };
    Ok(format!("{}:{}", of("account")?, of("user")?))
}
