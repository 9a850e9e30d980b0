//! Secrets of users and applications: made, hashed, compared.
//!
//! | kind | form | kept as |
//! |---|---|---|
//! | generated | `rsec_` and 43 characters of base64url: 256 random bits | `sha256$` and 64 hex digits |
//! | chosen by a person | anything else, 12 to 1024 bytes | argon2id, as a PHC string |
//!
//! Which of the two comparisons is made depends on the form of what was presented
//! alone, never on what is kept: so the time of an answer tells nothing about who
//! exists, and 256 random bits never wait behind argon2id.

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use rand::{CryptoRng, Rng};
use repono_store::model::identity::SecretHash;
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::{Zeroize, Zeroizing};

use crate::limits::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_QUEUE_MAX, CHOSEN_BYTES_MIN, SECRET_BYTES_MAX,
};

/// How a generated secret begins, so that scanners for leaked secrets find it.
const GENERATED_PREFIX: &str = "rsec_";
/// How the kept form of a generated secret begins.
const DIGEST_PREFIX: &str = "sha256$";
/// Random bytes of a generated secret.
const GENERATED_BYTES: usize = 32;
/// Bytes of a SHA-256 digest.
const DIGEST_BYTES: usize = 32;
/// Bytes of the salt of argon2id (RFC 9106 section 3.1 recommends 16).
const SALT_BYTES: usize = 16;

/// A secret in the clear. No `Debug`, no `Display`; wiped when it goes.
pub(crate) struct Secret(Zeroizing<String>);

/// What a secret looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One of ours.
    Generated,
    /// Anything else.
    Chosen,
}

/// Why a secret that a person chose is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChoiceError {
    /// Too few or too many bytes.
    #[error("a chosen secret has {CHOSEN_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")]
    Length,
    /// It looks like one of ours, which would be compared otherwise.
    #[error("a chosen secret does not begin with `{GENERATED_PREFIX}`")]
    Prefix,
    /// A character that no keyboard sends.
    #[error("a chosen secret has no control characters")]
    Character,
}

/// Why no comparison or hash was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    /// Too many wait for argon2id already.
    #[error("too many log-ins with chosen secrets at a time")]
    Crowded,
    /// The library refused, or its thread ended.
    #[error("argon2id failed")]
    Failed,
}

impl Secret {
    /// A new generated secret.
    pub(crate) fn generate(random: &mut (impl Rng + CryptoRng)) -> Self {
        let mut bytes = Zeroizing::new([0; GENERATED_BYTES]);
        random.fill_bytes(bytes.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(GENERATED_PREFIX.len() + 43));
        text.push_str(GENERATED_PREFIX);
        BASE64URL_NOPAD.encode_append(bytes.as_slice(), &mut text);
        Self(text)
    }

    /// A secret as a request presents it.
    pub(crate) fn presented(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// Checks a secret that a person chose.
    ///
    /// *Errors*: [`ChoiceError`].
    pub(crate) fn check_choice(&self) -> Result<(), ChoiceError> {
        if !(CHOSEN_BYTES_MIN..=SECRET_BYTES_MAX).contains(&self.0.len()) {
            return Err(ChoiceError::Length);
        }
        if self.0.starts_with(GENERATED_PREFIX) {
            return Err(ChoiceError::Prefix);
        }
        if self.0.chars().any(char::is_control) {
            return Err(ChoiceError::Character);
        }
        Ok(())
    }

    pub(crate) fn form(&self) -> Form {
        let digits = self.0.strip_prefix(GENERATED_PREFIX).map(str::as_bytes);
        let decoded = digits.filter(|d| d.len() == 43).map(|d| BASE64URL_NOPAD.decode(d).map(Zeroizing::new));
        match decoded {
            Some(Ok(_)) => Form::Generated,
            Some(Err(_)) | None => Form::Chosen,
        }
    }

    /// Whether it is longer than any secret that is kept.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > SECRET_BYTES_MAX
    }

    /// The text, for the one who is to have it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_inner(self) -> Zeroizing<String> {
        self.0
    }

    /// The kept form of a generated secret.
    pub(crate) fn digest(&self) -> SecretHash {
        Self::digest_of(&self.0)
    }

    /// The kept form of a generated secret in its text form.
    pub(crate) fn digest_of(text: &str) -> SecretHash {
        SecretHash::new(format!("{DIGEST_PREFIX}{}", HEXLOWER.encode(&sha256(text))))
    }
}

fn sha256(text: &str) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    let digest = digest(&SHA256, text.as_bytes());
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new).map(Self)
    }
}

/// What a presented secret is compared with.
pub(crate) enum Kept {
    /// The SHA-256 of a generated secret.
    Digest([u8; DIGEST_BYTES]),
    /// The PHC string of a chosen one.
    Phc(Zeroizing<String>),
    /// Nothing that can be compared with: no secret fits.
    Nothing,
}

/// What stands in for the secret of someone who does not exist.
pub(crate) static NOTHING: Kept = Kept::Nothing;

impl Kept {
    /// The kept form, ready to be compared with.
    pub(crate) fn parse(hash: &SecretHash) -> Self {
        let text = hash.expose();
        let Some(hex) = text.strip_prefix(DIGEST_PREFIX) else {
            let argon2id = PasswordHash::new(text).is_ok_and(|h| h.algorithm.as_str() == "argon2id");
            return if argon2id { Self::Phc(Zeroizing::new(text.to_owned())) } else { Self::Nothing };
        };
        let mut digest = [0; DIGEST_BYTES];
        let decoded =
            hex.len() == 2 * DIGEST_BYTES && HEXLOWER.decode_mut(hex.as_bytes(), &mut digest).is_ok();
        if decoded { Self::Digest(digest) } else { Self::Nothing }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        match self {
            Self::Digest(digest) => digest.zeroize(),
            Self::Phc(_) | Self::Nothing => {}
        }
    }
}

/// Compares secrets, and hashes chosen ones: one argon2id per core at a time.
pub(crate) struct Verifier {
    dummy: Zeroizing<String>,
    turns: Arc<Semaphore>,
    queue: Semaphore,
}

/// A turn of argon2id.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

/// One comparison to be made.
pub(crate) struct Comparison<'a> {
    /// What was presented.
    pub(crate) presented: &'a Secret,
    /// What is kept under the name that was presented with it.
    pub(crate) kept: &'a Kept,
}

impl Verifier {
    /// A verifier that makes `turns` computations of argon2id at a time.
    ///
    /// *Errors*: [`SecretError::Failed`].
    ///
    /// *Cost*: one argon2id.
    pub(crate) fn new(turns: usize, random: &mut (impl Rng + CryptoRng)) -> Result<Self, SecretError> {
        let dummy = phc(&Secret::generate(random), random.random())?;
        Ok(Self {
            dummy: Zeroizing::new(dummy.expose().to_owned()),
            turns: Arc::new(Semaphore::new(turns.max(1))),
            queue: Semaphore::new(ARGON2_QUEUE_MAX),
        })
    }

    /// Waits for a turn where one of the comparisons needs it.
    ///
    /// *Errors*: [`SecretError::Crowded`].
    pub(crate) async fn turn(&self, comparisons: &[Comparison<'_>]) -> Result<Option<Turn>, SecretError> {
        if comparisons.iter().all(|c| c.presented.form() == Form::Generated) {
            return Ok(None);
        }
        self.wait().await.map(Some)
    }

    /// Whether each presented secret is the kept one. The work depends on what was
    /// presented alone.
    ///
    /// *Errors*: [`SecretError::Failed`].
    ///
    /// *Cost*: a microsecond for a generated secret, 20 ms of another thread for a
    /// chosen one.
    pub(crate) async fn all_match(
        &self,
        comparisons: &[Comparison<'_>],
        turn: Option<Turn>,
    ) -> Result<bool, SecretError> {
        let mut all = true;
        let mut slow = Vec::new();
        for Comparison { presented, kept } in comparisons {
            match presented.form() {
                Form::Generated => all &= digest_matches(presented, kept),
                Form::Chosen => {
                    let (phc, known) = match kept {
                        Kept::Phc(phc) => (phc, true),
                        Kept::Digest(_) | Kept::Nothing => (&self.dummy, false),
                    };
                    all &= known;
                    slow.push((presented.0.clone(), phc.clone()));
                }
            }
        }
        if slow.is_empty() {
            return Ok(all);
        }
        let compare = move || {
            let _turn = turn;
            slow.iter().fold(true, |all, (presented, phc)| all & phc_matches(presented, phc))
        };
        let slow = tokio::task::spawn_blocking(compare).await.map_err(|_| SecretError::Failed)?;
        Ok(all & slow)
    }

    /// The kept form of a secret that a person chose.
    ///
    /// *Errors*: [`SecretError`].
    pub(crate) async fn hash_chosen(
        &self,
        secret: Secret,
        salt: [u8; SALT_BYTES],
    ) -> Result<SecretHash, SecretError> {
        let turn = self.wait().await?;
        let hash = move || {
            let _turn = turn;
            phc(&secret, salt)
        };
        tokio::task::spawn_blocking(hash).await.map_err(|_| SecretError::Failed)?
    }

    async fn wait(&self) -> Result<Turn, SecretError> {
        let _place = self.queue.try_acquire().map_err(|_| SecretError::Crowded)?;
        let permit = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| SecretError::Failed)?;
        Ok(Turn { _permit: permit })
    }
}

fn digest_matches(presented: &Secret, kept: &Kept) -> bool {
    let digest = Zeroizing::new(sha256(&presented.0));
    let (kept, known) = match kept {
        Kept::Digest(kept) => (kept, true),
        // Nobody knows a secret whose digest is zero.
        Kept::Phc(_) | Kept::Nothing => (&[0; DIGEST_BYTES], false),
    };
    bool::from(digest.ct_eq(kept)) & known
}

fn argon2id() -> Result<Argon2<'static>, SecretError> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None);
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| SecretError::Failed)?))
}

fn phc(secret: &Secret, salt: [u8; SALT_BYTES]) -> Result<SecretHash, SecretError> {
    let hash: PasswordHash =
        argon2id()?.hash_password_with_salt(secret.0.as_bytes(), &salt).map_err(|_| SecretError::Failed)?;
    Ok(SecretHash::new(hash.to_string()))
}

fn phc_matches(presented: &str, phc: &str) -> bool {
    let Ok(argon2) = argon2id() else { return false };
    PasswordHash::new(phc).is_ok_and(|hash| argon2.verify_password(presented.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests;
