//! The fault matrix: what goes wrong on the way, and what head, balancer and client
//! make of it. Each row is a test of the built program; a row's name is the test's.
//!
//! | row | fault | made by | tests |
//! |---|---|---|---|
//! | 1, 2 | FIN on an idle connection | relay | `idle::a_fin_evicts_the_idle_connection_at_once` |
//! | 3 | RST on an idle connection | relay | `idle::an_rst_evicts_the_idle_connection_at_once` |
//! | 4 | idle connection forgotten in silence | relay, conntrack | `idle::silence_…`, `forgetful::a_forgetful_box_…`, `forgetful::keepalive_…` |
//! | 5 | RST for the next request | relay, conntrack | `idle::an_rst_for_the_next_request_…`, `forgetful::a_box_that_resets_…` |
//! | 6 | failover forgets every flow | conntrack | `forgetful::a_failover_…` |
//! | 6, 7 | balancer killed, FIN lost | kill -9, relay, nft | `idle::a_lost_fin_…`, `hosts::a_fin_that_is_dropped_…` |
//! | 8 | close races a request | relay | `idle::a_close_that_races_…` |
//! | 9 | limits of requests and age | – | `repono/tests/life/` |
//! | 11 | TLS ticket of another head | – | `net`: `a_session_of_one_head_is_resumed_at_another` |
//! | 12 | cut short without close_notify | relay | `torn::a_body_…`, `torn::an_upload_…` |
//! | 13 | drain with an answer under way | – | `changes::a_drain_…`, `drain.rs` |
//! | 14 | head killed in an answer | kill -9 | `heads::a_head_killed_in_an_answer_…` |
//! | 15 | host of a head gone | nft | `hosts::a_host_that_is_gone_…` |
//! | 16 | balancer replaced and reloaded | – | `changes::drains_a_reload_…`, `balancer/successor.rs` |
//! | 17 | SYN dropped | nft | `hosts::a_lost_syn_…`, `forgetful::a_lost_syn_…` |
//! | 18 | accepts and never answers; queue full | relay | `heads::a_head_that_accepts_…`, `heads::a_full_queue_…`, `doors::…` |
//! | 19 | loss | nft | `hosts::loss_…` |
//! | 20 | MTU black hole | nft | `hosts::an_mtu_black_hole_…` |
//! | 21 | another source address | nat | `forgetful::a_rebound_nat_…` |
//! | 22, 23 | HTTP/2 | – | `http2.rs`; our client speaks HTTP/1.1 |
//! | 24 | 100 Continue comes late | relay | `torn::a_late_100_…` |
//! | 25 | gray head | SIGSTOP | `heads::a_stopped_head_…` |
//! | 26 | body stalls | relay | `torn::a_body_that_stalls_…` |
//! | 27 | client gone without FIN | nft | `hosts::a_client_that_is_gone_…` |
//! | 28 | RST erases a response | – | `changes::a_refusal_reaches_…` |
//! | 32 | all connections closed at once | relay | `idle::a_mass_close_…` |
//! | – | byte by byte | relay | `torn::a_dribble_…` |
//!
//! Without a row here: 10 is a check of the configuration; 29 (ports used up), 30 (the
//! clock jumps) and 31 (another address behind a name) need no fault on the way.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

mod caller;
mod changes;
mod doors;
mod forgetful;
mod heads;
mod hosts;
mod idle;
mod journal;
mod net;
mod own;
mod stand;
mod torn;

use std::time::Duration;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// How long a state may take on a loaded machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
