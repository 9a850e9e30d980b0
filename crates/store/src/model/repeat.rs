//! Writes that may arrive twice and take effect once: those with an
//! `Idempotency-Key`.

use std::time::Duration;

/// How long an answer is kept: what resends a request does so within minutes.
pub const ANSWER_KEPT: Duration = Duration::from_secs(60 * 60);

/// A digest of 128 bits: two of a milliard requests are the same with a probability
/// of 10^-21.
pub type Digest = [u8; 16];

/// A write whose answer is kept in the transaction in which it takes effect.
///
/// *Shape*: its second arrival gets the first answer and has no effect; another
/// request under the same key is refused with
/// [`crate::error::StoreError::KeyReused`]. What was refused left nothing, and is
/// decided anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatable {
    id: Digest,
    request: Digest,
    body: Body,
}

/// Whether the body says if it is the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// It was sent, so it must be the same.
    Sent,
    /// It is made here, of what may have changed meanwhile.
    Made,
}

impl Repeatable {
    /// A request of an actor under its key; `parts` are what it asks for, but for the
    /// body.
    #[must_use]
    pub fn new<'a>(actor: &str, key: &str, parts: impl IntoIterator<Item = &'a [u8]>, body: Body) -> Self {
        let id = digest([actor.as_bytes(), key.as_bytes()]);
        Self { id, request: digest(parts), body }
    }

    /// Which key of which actor it is.
    #[must_use]
    pub const fn id(&self) -> &Digest {
        &self.id
    }

    /// What it asks for.
    #[must_use]
    pub const fn request(&self) -> &Digest {
        &self.request
    }

    /// Whether the body says if it is the same request.
    #[must_use]
    pub const fn body(&self) -> Body {
        self.body
    }
}

/// Each part with its length before it, so that no two lists look alike.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut digest = Digest::default();
    hasher.finalize_xof().fill(&mut digest);
    digest
}

#[cfg(test)]
mod tests {
    use super::{Body, Repeatable};

    #[test]
    fn actor_key_and_request_are_told_apart() {
        let of = |actor, key, parts: [&'static str; 2]| {
            Repeatable::new(actor, key, parts.map(str::as_bytes), Body::Sent)
        };
        let one = of("demo:ann", "k", ["PUT", "/a"]);
        assert_eq!(one, of("demo:ann", "k", ["PUT", "/a"]));
        assert_ne!(one.id(), of("demo:an", "nk", ["PUT", "/a"]).id());
        assert_ne!(one.id(), of("demo:ann", "l", ["PUT", "/a"]).id());
        assert_ne!(one.request(), of("demo:ann", "k", ["PUT/", "a"]).request());
    }
}
