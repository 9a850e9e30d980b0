//! Secrets in requests and replies: generated unless the request brings one.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use rand::{Rng, SeedableRng, rngs::StdRng};
use repono_store::model::identity::SecretHash;
use serde::{Deserialize, Serialize};

use crate::limits::DIRECTORY_POLL;
use crate::office::Office;
use crate::reply::{Documented, Fault, json};
use crate::secret::{Secret, SecretError};

/// The body of a request for a new secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    pub(super) secret: Option<Secret>,
}

impl Documented for NewSecret {
    const FORM: &'static str = r#"{} for a generated secret, {"secret":"…"} for a chosen one"#;
}

/// A secret that will be kept.
pub(super) struct Prepared {
    /// What is kept.
    pub(super) hash: SecretHash,
    /// What the reply tells: a generated secret; a chosen one is known already.
    generated: Option<Secret>,
}

/// Generates a secret, or checks and hashes the one that the request brings.
///
/// *Errors*: 400 for a chosen secret that is too weak, 503.
pub(super) async fn prepare(office: &Office, chosen: Option<Secret>) -> Result<Prepared, Fault> {
    let mut random = StdRng::from_rng(&mut rand::rng());
    let Some(chosen) = chosen else {
        let generated = Secret::generate(&mut random);
        return Ok(Prepared { hash: generated.digest(), generated: Some(generated) });
    };
    chosen.check_choice().map_err(|error| {
        Fault::invalid(format!("`secret`: {error}."), "Leave it out, and one is generated.")
    })?;
    match office.verifier.hash_chosen(chosen, random.random()).await {
        Ok(hash) => Ok(Prepared { hash, generated: None }),
        Err(SecretError::Crowded) => Err(Fault::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Too many log-ins with chosen secrets are under way.",
            "Nothing was changed; try again.",
        )
        .retry_after(DIRECTORY_POLL)),
        Err(error @ SecretError::Failed) => {
            tracing::error!(?error, "a chosen secret could not be hashed");
            Err(Fault::INTERNAL)
        }
    }
}

/// A reply with the secret in it, if it was generated.
#[derive(Serialize)]
struct Told<'a, T> {
    #[serde(flatten)]
    facts: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl Prepared {
    /// The reply that tells the secret, this once.
    pub(super) fn tell(&self, status: StatusCode, facts: &impl Serialize) -> Response<Body> {
        json(status, &Told { facts, secret: self.generated.as_ref().map(Secret::expose) })
    }
}
