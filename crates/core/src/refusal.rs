//! What a caller is told when a request is not carried out.

/// One refusal: the same five facts for every service and every cause.
///
/// The text is fixed at compile time, so nothing that a caller sent, and nothing
/// internal, can be reflected in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable machine-readable code in S3's style, such as `NoSuchKey`.
    pub code: &'static str,
    /// One sentence that says what to do.
    pub message: &'static str,
    /// Seconds after which the same request may succeed, for `Retry-After`.
    pub retry_after_s: Option<u32>,
    /// Whether the connection can carry another request.
    pub connection: After,
}

/// What becomes of the connection after a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It stays open for the next request.
    Keep,
    /// It is closed in stages after the reply: the framing of what follows is not
    /// certain, or the peer has shown that it must not go on.
    Close,
}

impl Refusal {
    /// A refusal that leaves the connection usable.
    #[must_use]
    pub const fn new(status: u16, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, retry_after_s: None, connection: After::Keep }
    }

    /// The same, with advice when to come again.
    #[must_use]
    pub const fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The same, ending the connection.
    #[must_use]
    pub const fn closing(self) -> Self {
        Self { connection: After::Close, ..self }
    }
}
