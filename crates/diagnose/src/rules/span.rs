//! What of an attempt can take long.

use serde::Deserialize;

/// A part of an attempt that can take long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Span {
    /// From the head of the request to the reply, or to the failure.
    #[default]
    Reply,
    /// From getting a connection that carries another request to its turn.
    Queue,
    /// From wanting a connection until it stood: name look-up and TCP.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// From the head to the body that waited for 100 (Continue).
    Continue,
    /// From the head of the reply until the caller was done with it.
    Transfer,
    /// From the last piece of the body to the reply.
    Written,
    /// In a proxy's queue.
    ProxyQueue,
    /// Until a proxy was connected to the peer behind it.
    ProxyConnect,
}
