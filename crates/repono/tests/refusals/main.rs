//! What must be refused is refused, through the balancer and straight to a head.
//!
//! Every attack is a row: exact bytes, the status and the code that must come, and
//! whether the connection may go on. After each row the runner also checks what
//! rows have in common: a short document that reflects nothing of the request
//! (every request carries [`attack::MARKER`]), exactly one response, an announced
//! end or a connection that serves the next request, a store whose listings are
//! those of before, and a new connection that is served.
//!
//! | module | attacks |
//! |---|---|
//! | [`tickets`] | tickets that are missing, changed, foreign, narrowed |
//! | [`revocation`] | tickets that were ended before their time |
//! | [`links`] | pre-authorized URIs |
//! | [`names`] | accounts, containers and keys that are none |
//! | [`ranges`] | ranges that are ignored or cannot be satisfied |
//! | [`bodies`] | lengths, checksums, conditions, features that are not served |
//! | [`containers`] | accounts, containers, listings, metadata, access lists |
//! | [`copies`] | server-side copies, of both sides |
//! | [`framing`] | request heads that two parties could read differently |
//! | [`chunks`] | chunked bodies and their trailers |
//! | [`doors`] | PROXY headers and connections without one |
//! | [`clocks`] | what comes too slowly or too late |
//! | [`full_disk`] | no room |

mod attack;
mod bodies;
mod chunks;
mod clocks;
mod containers;
mod copies;
mod doors;
mod framing;
mod full_disk;
mod links;
mod names;
mod ranges;
mod revocation;
mod stage;
mod ticket;
mod tickets;
