//! The head of an answer.

use bytes::{Buf, BytesMut};

/// A head may have so many fields,
const HEADERS_MAX: usize = 128;
/// and so many bytes: servers that are in use stay below 16 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Bytes that are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is not an answer of HTTP/1.1")]
pub struct Unreadable;

/// What an answer says of itself and of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The minor version: 1 for HTTP/1.1.
    pub minor: u8,
    /// Options of `Connection`, in lower case.
    pub connection: Vec<String>,
    /// Parameters of `Keep-Alive`.
    pub keep_alive: KeepAlive,
    /// `Server`
    pub server: Option<String>,
    /// `Via`
    pub via: Option<String>,
}

/// `Keep-Alive: timeout=5, max=100` (RFC 2068 section 19.7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepAlive {
    /// `timeout`, seconds.
    pub timeout_s: Option<u64>,
    /// `max`, requests.
    pub max: Option<u64>,
}

impl Reply {
    /// Takes the first head out of what has come; `None` while it is not whole.
    ///
    /// *Errors*: [`Unreadable`].
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Unreadable> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let bytes = match head.parse(buffer) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if buffer.len() <= HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(Unreadable),
        };
        let reply = Self::of(&head);
        buffer.advance(bytes);
        Ok(Some(reply))
    }

    fn of(head: &httparse::Response<'_, '_>) -> Self {
        let values = |name: &str| {
            let named = head.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
            named.map(|field| String::from_utf8_lossy(field.value).into_owned()).collect::<Vec<_>>()
        };
        let options = values("connection").join(",").to_ascii_lowercase();
        let options = options.split(',').map(str::trim).filter(|option| !option.is_empty());
        Self {
            status: head.code.unwrap_or_default(),
            minor: head.version.unwrap_or_default(),
            connection: options.map(str::to_owned).collect(),
            keep_alive: KeepAlive::of(&values("keep-alive").join(",")),
            server: values("server").into_iter().next(),
            via: values("via").into_iter().next(),
        }
    }

    /// Whether the connection ends with it (RFC 9112 section 9.3).
    pub fn closes(&self) -> bool {
        let says = |option: &str| self.connection.iter().any(|said| said == option);
        says("close") || (self.minor == 0 && !says("keep-alive"))
    }

    /// Whether it comes before the final one.
    pub const fn is_interim(&self) -> bool {
        self.status < 200
    }
}

impl KeepAlive {
    fn of(value: &str) -> Self {
        let number = |name: &str| {
            value.split(',').find_map(|parameter| {
                let (key, number) = parameter.split_once('=')?;
                key.trim().eq_ignore_ascii_case(name).then(|| number.trim().trim_matches('"').parse().ok())?
            })
        };
        Self { timeout_s: number("timeout"), max: number("max") }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{KeepAlive, Reply, Unreadable};

    fn taken(text: &str) -> Reply {
        Reply::take(&mut BytesMut::from(text)).expect("an answer").expect("whole")
    }

    #[test]
    fn a_head_says_what_becomes_of_its_connection() {
        let kept =
            taken("HTTP/1.1 401 Unauthorized\r\nServer: x\r\nKeep-Alive: timeout=55, max=\"9\"\r\n\r\n");
        assert_eq!(kept.keep_alive, KeepAlive { timeout_s: Some(55), max: Some(9) });
        assert_eq!((kept.status, kept.server.as_deref(), kept.closes()), (401, Some("x"), false));
        assert!(taken("HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\n\r\n").closes());
        assert!(taken("HTTP/1.0 200 OK\r\n\r\n").closes());
        assert!(!taken("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").closes());
    }

    #[test]
    fn what_is_no_head_is_refused_and_what_is_not_whole_is_waited_for() {
        let mut part = BytesMut::from("HTTP/1.1 200 OK\r\nServer");
        assert_eq!(Reply::take(&mut part), Ok(None));
        assert_eq!(Reply::take(&mut BytesMut::from("SSH-2.0-x\r\n")), Err(Unreadable));
        let mut endless = BytesMut::from(format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(70_000)).as_str());
        assert_eq!(Reply::take(&mut endless), Err(Unreadable));
    }
}
