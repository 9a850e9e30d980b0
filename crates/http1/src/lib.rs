//! The HTTP/1.1 server codec: bytes in, a request head and a body out, and reply
//! heads into a buffer. No I/O, no clock, no state beyond one request.
//!
//! It is strict where stock servers are lenient: whatever two parties could read
//! in two ways is refused, and every [`Reject`] ends the connection.
//!
//! | item | does |
//! |---|---|
//! | [`parse_head`] | one request head, checked in full, into a reused [`RequestHead`](repono_core::request::RequestHead) |
//! | [`BodyDecoder`] | the body behind that head, by length or in chunks |
//! | [`ResponseHead`] | writes a reply head |
//! | [`Limits`] | every bound, with its reason |
//! | [`Reject`] | every cause of refusing, and what the client is told |
//!
//! *Source*: RFC 9112 (HTTP/1.1), RFC 9110 (HTTP semantics).

mod body;
mod grammar;
mod head;
mod limits;
mod reject;
mod response;

pub use body::{BodyDecoder, Decoded};
pub use head::{BodyKind, Expect, HeadParse, parse_head};
pub use limits::Limits;
pub use reject::Reject;
pub use response::{CONTINUE, ResponseHead, reason};
