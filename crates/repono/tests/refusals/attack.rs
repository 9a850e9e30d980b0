//! A request as exact bytes, and what must become of it.

use repono_core::refusal::After;

use crate::ticket::Ticket;

/// Stands in every request and nowhere else: a reply that contains it reflects
/// what was sent.
pub(crate) const MARKER: &str = "Zq8kMarker5X";

/// A request under construction.
#[derive(Clone)]
pub(crate) struct Ask {
    method: &'static str,
    head: Vec<u8>,
    body: Vec<u8>,
    ending: Ending,
}

/// What follows the last byte of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Nothing: the connection stays open in both directions.
    Open,
    /// close_notify and FIN.
    Finished,
}

impl Ask {
    /// A request line, `Host`, and the marker.
    pub(crate) fn new(method: &'static str, target: impl AsRef<[u8]>) -> Self {
        Self::without_host(method, target, "HTTP/1.1").line("Host: h")
    }

    /// A request line and the marker.
    pub(crate) fn without_host(method: &'static str, target: impl AsRef<[u8]>, version: &str) -> Self {
        let line = [method.as_bytes(), b" ", target.as_ref(), b" ", version.as_bytes()].concat();
        Self::starting(method, line)
    }

    /// Any first line, and the marker. Replies are read as those to `method`.
    pub(crate) fn starting(method: &'static str, line: impl AsRef<[u8]>) -> Self {
        Self { method, head: Vec::new(), body: Vec::new(), ending: Ending::Open }
            .line(line)
            .line(format!("User-Agent: {MARKER}"))
    }

    /// Adds a header line, whatever it contains, and its CRLF.
    pub(crate) fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        self.head.extend_from_slice(line.as_ref());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn ticket(mut self, ticket: &Ticket) -> Self {
        self.head.extend_from_slice(ticket.lines().as_bytes());
        self
    }

    /// A body and its length.
    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Self {
        let length = body.as_ref().len();
        self.line(format!("Content-Length: {length}")).then(body)
    }

    /// A body in one chunk.
    pub(crate) fn chunked(self, body: impl AsRef<[u8]>) -> Self {
        let size = format!("{:x}\r\n", body.as_ref().len());
        self.line("Transfer-Encoding: chunked").then(size).then(body).then("\r\n0\r\n\r\n")
    }

    /// Bytes behind the head, without any framing.
    pub(crate) fn then(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.body.extend_from_slice(bytes.as_ref());
        self
    }

    /// Ends our direction of the connection behind the last byte.
    pub(crate) fn finished(mut self) -> Self {
        self.ending = Ending::Finished;
        self
    }

    /// The request as it goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), b"\r\n", &self.body].concat()
    }

    /// Bytes as they are, in place of a request.
    pub(crate) fn raw(method: &'static str, bytes: impl AsRef<[u8]>) -> Raw {
        Raw { method, bytes: bytes.as_ref().to_vec() }
    }

    /// Must be refused, and the connection goes on.
    pub(crate) fn keeps(self, name: impl Into<String>, status: u16, code: &'static str) -> Attack {
        let bytes = self.bytes();
        Attack {
            name: name.into(),
            method: self.method,
            bytes,
            ending: self.ending,
            status,
            code,
            after: After::Keep,
        }
    }

    /// Must be refused, and the connection ends.
    pub(crate) fn closes(self, name: impl Into<String>, status: u16, code: &'static str) -> Attack {
        Attack { after: After::Close, ..self.keeps(name, status, code) }
    }
}

/// Bytes that are no request.
pub(crate) struct Raw {
    method: &'static str,
    bytes: Vec<u8>,
}

impl Raw {
    /// Must be refused, and the connection ends.
    pub(crate) fn closes(self, name: impl Into<String>, status: u16, code: &'static str) -> Attack {
        let Self { method, bytes } = self;
        Attack { name: name.into(), method, bytes, ending: Ending::Open, status, code, after: After::Close }
    }
}

/// One row: bytes, and what must become of them.
pub(crate) struct Attack {
    pub(crate) name: String,
    /// The method by which the reply is to be read.
    pub(crate) method: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ending: Ending,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) after: After,
}
