//! From logs to findings: what happened to the requests, on which hop, and how one
//! knows.
//!
//! Every adapter turns its log into the same events; requests and their attempts are
//! put together from these, rules that are data look at each attempt, and a report
//! says what was found, with its evidence, and what the evidence cannot tell.
//!
//! | module | holds |
//! |---|---|
//! | [`adapter`] | what every format has |
//! | [`event`] | the closed set of events |
//! | `input` | lines of files, in any encoding, and packets of captures |
//! | `system_net` | the adapter of System.Net traces |
//! | `journal` | the adapter of this system's journals |
//! | `curl` | the adapter of what curl tells |
//! | `envoy` | the adapter of Envoy's access log |
//! | `nginx` | the adapter of nginx's access and error logs |
//! | `har` | the adapter of HAR files |
//! | `haproxy` | the adapter of HAProxy's log |
//! | [`pcap`] | the adapter of captures: packets as connections, connections as turns |
//! | [`proxy`] | what a proxy says of what it passed on |
//! | [`wire`] | what packets tell of an attempt |
//! | [`witness`] | what other sides' records say of an attempt |
//! | [`timeline`] | requests and attempts, put together from events |
//! | `moment` | times as logs write them |
//! | `words` | fields of a line, some in quotes |
//! | `scalar` | fields of a record in JSON |
//! | `rules` | the rules and their conditions; `rules.toml` is the data |
//! | `tally` | what the rules say, counted |
//! | `span` | spans of time in words |
//! | `story` | what happened to one request, in words |
//! | [`finding`] | what was found, with its evidence |
//! | [`diagnosis`] | all of it in a row |
//! | [`report`] | a diagnosis as text, Markdown, HTML or JSON |

pub mod adapter;
mod curl;
pub mod diagnosis;
mod envoy;
pub mod event;
pub mod finding;
mod haproxy;
mod har;
mod input;
mod journal;
mod moment;
mod nginx;
pub mod pcap;
pub mod proxy;
mod redact;
pub mod report;
mod rules;
mod scalar;
mod span;
mod story;
#[cfg(test)]
mod synthetic;
mod system_net;
mod tally;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod wire;
pub mod witness;
mod words;
