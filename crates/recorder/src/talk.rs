//! Heads of HTTP/1.1 in bytes that pass.
//!
//! No body is followed: a client that does not pipeline sends its next head after the
//! whole reply, so what comes from it after a reply began is a head, or the rest of a
//! body that the server did not wait for.

use repono_core::id::ConnectionId;
use repono_core::refusal::After;
use repono_journal::{Text, TurnRequest, UrlPath};

/// A head may have so many fields,
const FIELDS_MAX: usize = 128;
/// and so many bytes: servers refuse more than 16 to 64 KiB.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Where a conversation stands.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    stage: Stage,
    /// What came of a head that is not whole.
    head: Vec<u8>,
    request: Option<TurnRequest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No request is under way. Left for `Asking` by the first bytes of a head.
    #[default]
    Ready,
    /// A head of the client is under way. Left for `Asked` when it is whole.
    Asking,
    /// The head is whole. Left for `Ready` by the head of the final reply.
    Asked,
}

/// What the client's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A request, or a part of one that waits for its reply.
    Request,
    /// The rest of a request that has its reply already.
    Rest,
    /// Not HTTP/1.1.
    Foreign,
}

/// What the server's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replied {
    /// The reply, or a part of its head.
    Reply,
    /// Only what comes before it (RFC 9110 section 15.2).
    Interim,
    /// Not HTTP/1.1, or not any more.
    Foreign,
}

impl Talk {
    /// The request of the last turn, with what is known of its reply.
    pub(crate) const fn request(&self) -> Option<TurnRequest> {
        self.request
    }

    /// Bytes came from the client.
    pub(crate) fn client(&mut self, bytes: &[u8]) -> Said {
        match self.stage {
            Stage::Asked => return Said::Request,
            Stage::Ready => self.head.clear(),
            Stage::Asking => {}
        }
        self.head.extend_from_slice(bytes);
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        match head.parse(&self.head) {
            Ok(httparse::Status::Complete(_)) => {
                let path = UrlPath::of_target(head.path.unwrap_or_default().as_bytes());
                self.request = Some(TurnRequest::new(Text::new(head.method.unwrap_or_default()), path));
                self.stage = Stage::Asked;
                self.head = Vec::new();
                Said::Request
            }
            Ok(httparse::Status::Partial) if self.head.len() <= HEAD_BYTES_MAX => {
                self.request = None;
                self.stage = Stage::Asking;
                Said::Request
            }
            Ok(httparse::Status::Partial) | Err(_)
                if self.stage == Stage::Ready && self.request.is_some() =>
            {
                Said::Rest
            }
            Ok(httparse::Status::Partial) | Err(_) => Said::Foreign,
        }
    }

    /// Bytes came from the server.
    pub(crate) fn server(&mut self, bytes: &[u8]) -> Replied {
        if self.stage != Stage::Asked {
            return Replied::Reply;
        }
        self.head.extend_from_slice(bytes);
        let mut interim = false;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
            let mut head = httparse::Response::new(&mut fields);
            let read = match head.parse(&self.head) {
                Ok(httparse::Status::Complete(read)) => read,
                Ok(httparse::Status::Partial) if self.head.is_empty() && interim => return Replied::Interim,
                Ok(httparse::Status::Partial) if self.head.len() <= HEAD_BYTES_MAX => return Replied::Reply,
                Ok(httparse::Status::Partial) | Err(_) => return Replied::Foreign,
            };
            match head.code.unwrap_or_default() {
                // Another protocol from here on (RFC 9110 section 15.2.2).
                101 => return Replied::Foreign,
                100..200 => {
                    interim = true;
                    self.head.drain(..read);
                }
                status => {
                    let fields = read_fields(&head);
                    self.request =
                        self.request.map(|request| TurnRequest { status: Some(status), ..fields(request) });
                    self.stage = Stage::Ready;
                    self.head = Vec::new();
                    return Replied::Reply;
                }
            }
        }
    }
}

/// What the fields of a reply say of its request and its connection.
fn read_fields(head: &httparse::Response<'_, '_>) -> impl FnOnce(TurnRequest) -> TurnRequest + use<> {
    let value = |name: &str| {
        head.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    let says = |option: &str| {
        let said = value("connection").unwrap_or_default().split(|byte| *byte == b',');
        said.into_iter().any(|said| said.trim_ascii().eq_ignore_ascii_case(option.as_bytes()))
    };
    let closes = says("close") || (head.version == Some(0) && !says("keep-alive"));
    let id = value("x-trans-id").or_else(|| value("x-amz-request-id")).map_or(Text::EMPTY, Text::new);
    let peer_connection = value("x-repono-connection").and_then(ConnectionId::parse);
    let connection_after = if closes { After::Close } else { After::Keep };
    move |request| TurnRequest { id, peer_connection, connection_after, ..request }
}

#[cfg(test)]
mod tests {
    use repono_core::refusal::After;

    use super::{Replied, Said, Talk};

    #[test]
    fn heads_are_read_whatever_the_pieces() {
        let request = b"PUT /v1/a/c/k?token=PREA_00 HTTP/1.1\r\nHost: a\r\nX-Auth-Token: RK1.secret\r\n\r\n";
        let reply = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX-Trans-Id: tx1\r\nConnection: close\r\n\r\n";
        for pieces in 1..request.len() {
            let mut talk = Talk::default();
            for piece in request.chunks(pieces) {
                assert_eq!(talk.client(piece), Said::Request);
            }
            assert_eq!(talk.client(b"the body"), Said::Request);
            reply.chunks(pieces).for_each(|piece| assert_ne!(talk.server(piece), Replied::Foreign));
            let seen = talk.request().expect("a request");
            assert_eq!((seen.method.as_bytes(), seen.path.as_bytes()), (&b"PUT"[..], &b"/v1/a/c/k"[..]));
            assert_eq!((seen.status, seen.id.as_bytes()), (Some(201), &b"tx1"[..]));
            assert_eq!(seen.connection_after, After::Close);
        }
    }

    #[test]
    fn an_interim_reply_alone_ends_nothing() {
        let mut talk = Talk::default();
        assert_eq!(talk.client(b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"), Said::Request);
        assert_eq!(talk.server(b"HTTP/1.1 100 Continue\r\n\r\n"), Replied::Interim);
        assert_eq!(talk.client(b"body"), Said::Request);
        assert_eq!(talk.server(b"HTTP/1.1 200 OK\r\n\r\n"), Replied::Reply);
        assert_eq!(talk.server(b"the body of the reply"), Replied::Reply);
        assert_eq!(talk.client(b"\x00\x01 the rest of a body"), Said::Rest);
        assert_eq!(talk.client(b"GET /next HTTP/1.1\r\n\r\n"), Said::Request);
        assert_eq!(talk.request().expect("the next").status, None);
    }

    #[test]
    fn what_is_no_http_is_said_to_be_none() {
        assert_eq!(Talk::default().client(b"\x00\x01"), Said::Foreign);
        let mut talk = Talk::default();
        assert_eq!(
            talk.client(format!("GET / HTTP/1.1\r\nA: {}", "x".repeat(70_000)).as_bytes()),
            Said::Foreign
        );
        let mut upgraded = Talk::default();
        assert_eq!(upgraded.client(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"), Said::Request);
        assert_eq!(upgraded.server(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), Replied::Foreign);
    }
}
