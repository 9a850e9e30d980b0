//! One question or order to the balancer, and asking again and again.

use std::io;
use std::path::Path;
use std::sync::Arc;

use axum::http::header::{HOST, HeaderValue};
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::heads::Answer;
use crate::limits::{ANSWER_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, ASK_EVERY, ASK_MAX, ORDER_MAX};

/// Names the person for whom the balancer is given an order.
const ON_BEHALF_OF: &str = "repono-on-behalf-of";

/// The last answer; `None` until there is one.
pub(crate) type Latest = Option<Arc<Answer>>;

/// Why a service gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("the balancer's socket cannot be opened")]
    Connect(#[source] io::Error),
    #[error("there was no answer in time")]
    Timeout,
    #[error("the answer broke off, or is no HTTP")]
    Http(#[from] hyper::Error),
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is not of its form")]
    Form(#[from] serde_json::Error),
    #[error("the answer has a date that is none")]
    Date,
    #[error("the name of the person cannot stand in a header field")]
    Person,
}

/// Whether the last question was answered; a change is logged once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contact {
    None,
    Held,
    Lost,
}

/// Asks until the future is dropped, and keeps the last answer in `latest`.
pub(crate) async fn again_and_again(socket: &Path, latest: watch::Sender<Latest>) {
    let mut turns = interval(ASK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut contact = Contact::None;
    loop {
        turns.tick().await;
        match once(socket).await {
            Ok(answer) => {
                if contact != Contact::Held {
                    tracing::info!(heads = answer.heads.len(), "the balancer answers");
                }
                contact = Contact::Held;
                latest.send_replace(Some(Arc::new(answer)));
            }
            Err(error) => {
                if contact != Contact::Lost {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "what is known of the heads grows old");
                }
                contact = Contact::Lost;
            }
        }
    }
}

async fn once(socket: &Path) -> Result<Answer, AskError> {
    let asked = Instant::now();
    let question = self::asked(socket, Uri::from_static("/v1/heads"));
    let bytes = timeout(ASK_MAX, question).await.map_err(|_| AskError::Timeout)??;
    Ok(Answer { heads: serde_json::from_slice(&bytes)?, asked })
}

/// The body of the answer to one question.
pub(crate) async fn asked(socket: &Path, question: Uri) -> Result<Vec<u8>, AskError> {
    let reply = exchange(socket, Request::new(Empty::new()), question).await?;
    match reply.status {
        StatusCode::OK => Ok(reply.body),
        other => Err(AskError::Status(other)),
    }
}

/// Gives the balancer an order, in the name of a person: `POST path`.
///
/// *Errors*: [`AskError`]; a refusal of the balancer is a reply.
pub(crate) async fn order(socket: &Path, path: Uri, person: &str) -> Result<Reply, AskError> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(ON_BEHALF_OF, HeaderValue::from_str(person).map_err(|_| AskError::Person)?);
    timeout(ORDER_MAX, exchange(socket, request, path)).await.map_err(|_| AskError::Timeout)?
}

async fn exchange(socket: &Path, mut request: Request<Empty<Bytes>>, path: Uri) -> Result<Reply, AskError> {
    let stream = UnixStream::connect(socket).await.map_err(AskError::Connect)?;
    let (sender, connection) =
        http1::Builder::new().max_buf_size(ANSWER_HEAD_BYTES_MAX).handshake(TokioIo::new(stream)).await?;
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, HeaderValue::from_static("balancer"));
    over(sender, connection, request, ANSWER_BYTES_MAX).await
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// One exchange on a connection of its own, which ends with it.
///
/// *Errors*: [`AskError::Http`], [`AskError::TooLarge`].
pub(crate) async fn over<B: Body + 'static>(
    mut sender: http1::SendRequest<B>,
    connection: impl Future<Output = hyper::Result<()>>,
    request: Request<B>,
    bytes_max: usize,
) -> Result<Reply, AskError> {
    let exchange = async {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = bounded(body, bytes_max).await?;
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    };
    // The connection's own end is no news: the exchange hears of it.
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        reply = &mut exchange => reply,
        _ = connection => exchange.await,
    }
}

async fn bounded(mut body: Incoming, bytes_max: usize) -> Result<Vec<u8>, AskError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            if bytes.len().saturating_add(data.len()) > bytes_max {
                return Err(AskError::TooLarge(bytes_max));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::{AskError, once};
    use crate::limits::ANSWER_BYTES_MAX;

    /// Answers one question with these bytes, and keeps silent where there are none.
    async fn answered(reply: impl Into<Vec<u8>>) -> AskError {
        let (_folder, path) = place();
        let listener = UnixListener::bind(&path).unwrap();
        let reply = reply.into();
        let balancer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            // The asker may hang up before it has heard everything.
            let _ = stream.write_all(&reply).await;
            if reply.is_empty() {
                std::future::pending::<()>().await;
            }
        };
        let mut asking = std::pin::pin!(once(&path));
        tokio::select! {
            outcome = &mut asking => outcome.unwrap_err(),
            () = balancer => asking.await.unwrap_err(),
        }
    }

    fn place() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("balancer.sock");
        (folder, path)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn an_answer_of_another_form_is_refused() {
        assert!(matches!(answered(ok("{}")).await, AskError::Form(_)));
        assert!(matches!(answered(ok(r#"[{"name":"head-1"}]"#)).await, AskError::Form(_)));
        assert!(matches!(answered("no HTTP\r\n\r\n").await, AskError::Http(_)));
        assert!(matches!(answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[").await, AskError::Http(_)));
        let unwell = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        assert!(matches!(answered(unwell).await, AskError::Status(status) if status == 503));
        assert!(matches!(answered(ok(&" ".repeat(ANSWER_BYTES_MAX + 1))).await, AskError::TooLarge(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_waited_for() {
        assert!(matches!(answered("").await, AskError::Timeout));
    }

    #[tokio::test]
    async fn no_socket_is_no_answer() {
        assert!(matches!(once(Path::new("/nonexistent/socket")).await, Err(AskError::Connect(_))));
    }
}
