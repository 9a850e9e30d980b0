//! The vocabulary of Repono: names, instants, identifiers, ranges and the shape
//! of a request and of a refusal. No I/O, no policy.
//!
//! | module | holds |
//! |---|---|
//! | [`name`] | accounts, containers, object keys, users, applications |
//! | [`time`] | [`time::Timestamp`] (10 µs) and the date forms of the wire |
//! | [`id`] | transaction, connection, version and blob identifiers |
//! | [`etag`] | the MD5 of an object's bytes |
//! | [`range`] | the `Range` header, parsed and resolved |
//! | [`request`] | the head of an HTTP request, as every protocol crate reads it |
//! | [`trace`] | `traceparent` and `tracestate` |
//! | [`refusal`] | what a caller is told when a request is not carried out |

pub mod etag;
pub mod id;
pub mod name;
pub mod range;
pub mod refusal;
pub mod request;
pub mod time;
pub mod trace;
