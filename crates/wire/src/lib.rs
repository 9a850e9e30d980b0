//! Requests and replies of the native interface, as pure functions: a parsed
//! head in, a decision or bytes out. No I/O, no clock, no policy.
//!
//! | module | holds |
//! |---|---|
//! | [`native`] | what a request asks for, with every name decoded once |
//! | [`access`] | the headers of access lists, and who is shown what |
//! | [`conditions`] | `If-…` headers and whether a `Range` counts |
//! | [`bulk`] | many names deleted by one request |
//! | [`copy`] | the other side of a server-side copy |
//! | [`cors`] | what a container grants to pages of other origins |
//! | [`expiry`] | when an object ends |
//! | [`metadata`] | user metadata and the headers that are kept with an object |
//! | [`content_type`] | the media type of an upload |
//! | [`put`] | uploads and metadata updates, checked before the body is read |
//! | [`quota`] | quotas of a container |
//! | [`unserved`] | requests for features that would otherwise be ignored silently |
//! | [`large`] | large objects: manifests, and ranges over segments |
//! | [`listing`] | listing queries, and listings as text and JSON |
//! | [`reply`] | the header fields of every reply |
//! | [`byteranges`] | the body of a reply with several ranges |
//! | [`error_body`] | the body of a refusal |
//! | [`refusals`] | every refusal of the native interface |
//! | [`info`] | the limits that `/info` announces |
//! | [`percent`] | percent-encoding, decoded once and strictly |

pub mod access;
pub mod bulk;
pub mod byteranges;
pub mod conditions;
pub mod content_type;
pub mod copy;
pub mod cors;
pub mod error_body;
pub mod expiry;
pub mod idempotency;
pub mod info;
pub mod large;
pub mod listing;
pub mod metadata;
pub mod native;
pub mod percent;
pub mod put;
pub mod quota;
pub mod refusals;
pub mod reply;
mod scratch;
pub mod unserved;
