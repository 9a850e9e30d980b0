//! The one shape of a refusal, and how bodies are read and written.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use repono_store::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::limits::{BODY_BYTES_MAX, BODY_MAX};

/// What a caller is told when a request is not carried out:
/// `{"error":{"code":…,"message":…,"hint":…}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    message: Cow<'static, str>,
    hint: Cow<'static, str>,
    retry_after_s: Option<u64>,
}

/// The code of a refusal, left in the response for the journal.
#[derive(Clone, Copy)]
pub(crate) struct Code(pub(crate) &'static str);

#[derive(Serialize)]
struct Shape<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

impl Fault {
    /// The body is too large.
    pub(crate) const TOO_LARGE: Self = Self::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "EntityTooLarge",
        "The body is larger than 64 KiB.",
        "Send a smaller one.",
    );
    const SLOW_BODY: Self = Self::new(
        StatusCode::REQUEST_TIMEOUT,
        "RequestTimeout",
        "The body did not arrive in time.",
        "Send the request again.",
    );
    const TORN_BODY: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "IncompleteBody",
        "The body ended before its announced length.",
        "Send the request again.",
    );
    /// No such path.
    pub(crate) const NOT_FOUND: Self = Self::new(
        StatusCode::NOT_FOUND,
        "NotFound",
        "There is nothing under this path.",
        "Tickets are vended by POST /v1/tickets.",
    );
    /// The path has other methods.
    pub(crate) const METHOD: Self = Self::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        "The path does not have this method.",
        "The Allow header names those that it has.",
    );
    /// Something of ours broke; the log says what.
    pub(crate) const INTERNAL: Self = Self::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "InternalError",
        "The request failed for a reason on this side.",
        "Try again; the service's log says more.",
    );

    /// A fault with fixed text.
    pub(crate) const fn new(
        status: StatusCode,
        code: &'static str,
        message: &'static str,
        hint: &'static str,
    ) -> Self {
        Self { status, code, message: Cow::Borrowed(message), hint: Cow::Borrowed(hint), retry_after_s: None }
    }

    /// A fault that speaks of what was asked.
    pub(crate) fn about(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, message: message.into(), hint: hint.into(), retry_after_s: None }
    }

    /// A fault of the request's form.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::about(StatusCode::BAD_REQUEST, "InvalidRequest", message, hint)
    }

    /// The same, with advice when to come again: whole seconds, rounded up.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after_s: Some(seconds.max(1)), ..self }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response<Body> {
        let shape = Shape { error: Inner { code: self.code, message: &self.message, hint: &self.hint } };
        let mut response = json(self.status, &shape);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Repono realm=\"repono\""));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Code(self.code));
        response
    }
}

/// A failure of the store, as the caller is told.
impl From<&StoreError> for Fault {
    fn from(error: &StoreError) -> Self {
        let unavailable = |message: &'static str| {
            let hint = "Nothing was changed; try again.";
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message, hint)
                .retry_after(Duration::from_secs(1))
        };
        match error {
            StoreError::NoSuch(subject) => {
                Self::about(StatusCode::NOT_FOUND, "NotFound", format!("{subject} does not exist"), "")
            }
            StoreError::AlreadyExists(subject) => {
                let hint = "Choose another name, or change the one that is there.";
                Self::about(StatusCode::CONFLICT, "AlreadyExists", format!("{subject} exists already"), hint)
            }
            StoreError::Conflict(subject) => {
                let hint =
                    "Remove first what belongs to it: containers of an account, users of an application.";
                Self::about(StatusCode::CONFLICT, "InUse", format!("{subject} is still in use"), hint)
            }
            StoreError::Full => unavailable("The disk is full."),
            StoreError::Busy { .. } | StoreError::Overloaded => unavailable("The store is busy."),
            StoreError::ReadOnly => unavailable("The store takes no more writes; its log says why."),
            StoreError::Closed => unavailable("The store is closed."),
            StoreError::NoContainer
            | StoreError::PreconditionFailed
            | StoreError::KeyReused
            | StoreError::LengthMismatch { .. }
            | StoreError::DigestMismatch
            | StoreError::TooLarge
            | StoreError::Corrupt { .. }
            | StoreError::Missing
            | StoreError::Incompatible(_)
            | StoreError::Io(_)
            | StoreError::Database(_) => Self::INTERNAL,
        }
    }
}

/// A reply in JSON that nobody on the way may keep: most carry secrets.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    // Only maps with keys that are no text fail, and there are none.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a body must look like.
pub(crate) trait Documented: DeserializeOwned {
    /// Its form, for the hint of a refusal.
    const FORM: &'static str;
}

/// The body of a request, read and parsed; wiped in between, because it may hold
/// secrets. An unknown field is an error.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: Documented, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &S) -> Result<Self, Fault> {
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX);
        let bytes = timeout(BODY_MAX, read(body)).await.map_err(|_| Fault::SLOW_BODY)??;
        parse(&bytes).map(Self)
    }
}

async fn read(mut body: Limited<Body>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_BYTES_MAX));
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() { Fault::TOO_LARGE } else { Fault::TORN_BODY }
        })?;
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes)
}

/// The error's own text is left out: it may quote a secret.
fn parse<T: Documented>(bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                "has a field that is missing, unknown, twice or of another type"
            }
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => "is not JSON",
        };
        let place = format!("The body {what}, at line {}, column {}.", error.line(), error.column());
        Fault::invalid(place, T::FORM)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::StatusCode;
    use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
    use axum::response::IntoResponse;
    use repono_store::error::{StoreError, Subject};
    use serde::Deserialize;

    use super::{Documented, Fault, parse};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its absence matters")]
        secret: String,
    }

    impl Documented for Sample {
        const FORM: &'static str = "{\"secret\":…}";
    }

    #[test]
    fn what_was_sent_is_not_quoted() {
        for body in [
            r#"{"secret":4711}"#,
            r#"{"secret":"a","hunter2":1}"#,
            r#"{"secret":"hunter2"#,
            r#"{"secret":["hunter2"]}"#,
            "hunter2",
            "",
        ] {
            let fault = parse::<Sample>(body.as_bytes()).expect_err("refused");
            assert_eq!(fault.status, StatusCode::BAD_REQUEST);
            assert_eq!(fault.hint, Sample::FORM);
            assert!(
                !fault.message.contains("hunter2") && !fault.message.contains("4711"),
                "{}",
                fault.message
            );
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        let wait = |ms| {
            let fault = Fault::TOO_LARGE.retry_after(Duration::from_millis(ms));
            fault.into_response().headers()[RETRY_AFTER].to_str().expect("text").to_owned()
        };
        assert_eq!((&*wait(0), &*wait(1), &*wait(6000), &*wait(6001)), ("1", "1", "6", "7"));
    }

    #[test]
    fn only_a_401_asks_for_credentials() {
        let of = |fault: Fault| fault.into_response().headers().contains_key(WWW_AUTHENTICATE);
        assert!(of(Fault::new(StatusCode::UNAUTHORIZED, "Unauthorized", "", "")));
        assert!(!of(Fault::NOT_FOUND));
    }

    #[test]
    fn failures_of_the_store_keep_their_kind() {
        for (error, status) in [
            (StoreError::NoSuch(Subject::User), StatusCode::NOT_FOUND),
            (StoreError::AlreadyExists(Subject::User), StatusCode::CONFLICT),
            (StoreError::Conflict(Subject::Account), StatusCode::CONFLICT),
            (StoreError::Overloaded, StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::ReadOnly, StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::Full, StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::Closed, StatusCode::SERVICE_UNAVAILABLE),
            (StoreError::Missing, StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            assert_eq!(Fault::from(&error).status, status, "{error}");
        }
    }
}
