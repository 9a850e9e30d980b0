//! The one-time link: how the person at the terminal of `repono up` gets in, also where
//! no policy names anybody yet.
//!
//! The supervisor keeps the secret for the terminal and leaves the monitor its hash, in a
//! file of mode 0600 that the monitor takes and deletes when it starts. So a monitor that
//! is started again has none, and a used link stays used.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::limits::{LINK_FILE_BYTES_MAX, LINK_LIFE};

/// The file's contents.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Offered {
    /// In whose name the link's session acts, `account:user`.
    user: String,
    /// BLAKE3 of the secret's text, hex.
    hash: String,
    /// Unix milliseconds.
    until_ms: u64,
}

/// A link that was not used yet.
#[derive(Debug)]
pub(crate) struct OneTimeLink {
    user: String,
    hash: blake3::Hash,
    until: Instant,
}

/// A secret for a link as it stands in the address, and what the monitor is given instead:
/// the text of its file.
pub struct Offer {
    /// For `GET /login?once=…`.
    pub secret: Zeroizing<String>,
    /// For the file.
    pub file: String,
}

/// Makes a link for `user` (`account:user`) of 32 random bytes, good for 10 minutes from
/// `now_ms` (Unix milliseconds).
///
/// *Errors*: those of the JSON writer, which has none for this shape.
pub fn offer(random: &[u8; 32], user: &str, now_ms: u64) -> Result<Offer, serde_json::Error> {
    let secret = Zeroizing::new(HEXLOWER.encode(random));
    let life_ms = u64::try_from(LINK_LIFE.as_millis()).unwrap_or(u64::MAX);
    let offered = Offered {
        user: user.to_owned(),
        hash: blake3::hash(secret.as_bytes()).to_hex().to_string(),
        until_ms: now_ms.saturating_add(life_ms),
    };
    Ok(Offer { file: serde_json::to_string(&offered)?, secret })
}

impl OneTimeLink {
    /// Takes the link that a supervisor left, and its file away; `None` where there is
    /// none, or none that can be used.
    pub(crate) fn take(path: &Path, now_ms: u64, now: Instant) -> Option<Self> {
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the one-time link cannot be read");
                return None;
            }
        };
        // A link whose file stays could come back with the next start.
        if let Err(error) = fs::remove_file(path) {
            tracing::error!(file = %path.display(), %error, "the one-time link is not used: its file stays");
            return None;
        }
        let link = Self::parse(&text, now_ms, now);
        if link.is_none() {
            tracing::warn!(file = %path.display(), "the one-time link is old or cannot be read");
        }
        link
    }

    fn parse(text: &str, now_ms: u64, now: Instant) -> Option<Self> {
        let offered: Offered = serde_json::from_str(text).ok()?;
        let left = Duration::from_millis(offered.until_ms.checked_sub(now_ms)?).min(LINK_LIFE);
        Some(Self {
            user: offered.user,
            hash: blake3::Hash::from_hex(&offered.hash).ok()?,
            until: now + left,
        })
    }

    /// The user, if this is the secret and its time is not over.
    pub(super) fn opens(&self, secret: &str, now: Instant) -> Option<&str> {
        (blake3::hash(secret.as_bytes()) == self.hash && now < self.until).then_some(self.user.as_str())
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LINK_FILE_BYTES_MAX {
        return Err(io::Error::other("it is larger than any"));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{OneTimeLink, offer};

    #[tokio::test(start_paused = true)]
    async fn a_link_is_taken_once_and_opens_for_10_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("link");
        let offered = offer(&[7; 32], "demo:demo", 1_000).unwrap();
        assert!(!offered.file.contains(offered.secret.as_str()));
        std::fs::write(&path, &offered.file).unwrap();
        let link = OneTimeLink::take(&path, 1_000, Instant::now()).unwrap();
        assert!(!path.exists() && OneTimeLink::take(&path, 1_000, Instant::now()).is_none());
        assert_eq!(link.opens(&offered.secret, Instant::now()), Some("demo:demo"));
        assert_eq!(link.opens("", Instant::now()), None);
        advance(Duration::from_secs(600)).await;
        assert_eq!(link.opens(&offered.secret, Instant::now()), None);
    }

    #[tokio::test]
    async fn an_old_or_garbled_link_is_none_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("link");
        let old = offer(&[7; 32], "demo:demo", 0).unwrap().file;
        for text in [old.as_str(), "", "{}", r#"{"user":"a","hash":"b","until_ms":99999999}"#] {
            std::fs::write(&path, text).unwrap();
            assert!(OneTimeLink::take(&path, 600_001, Instant::now()).is_none(), "{text}");
            assert!(!path.exists());
        }
        // A clock that went back does not make it longer.
        let link = offer(&[7; 32], "demo:demo", 9_000_000).unwrap();
        let taken = OneTimeLink::parse(&link.file, 0, Instant::now()).unwrap();
        assert!(taken.opens(&link.secret, Instant::now() + Duration::from_secs(601)).is_none());
    }
}
