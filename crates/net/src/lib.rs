//! Listening, TLS and the life of a socket: what every service does to a
//! connection before the first byte of HTTP and after the last.
//!
//! | module | holds |
//! |---|---|
//! | [`socket`] | options of a socket, connecting, `TCP_INFO`, reset |
//! | [`listen`] | listening sockets and an accept loop that outlives a shortage of descriptors |
//! | [`proxy_v2`] | who the client is, said by the balancer to a head under a key |
//! | [`tls`] | server and client configuration, certificates, ticket keys that all heads share |
//! | [`descriptors`] | how many files and sockets a process may have open |
//! | [`drain`] | how a service is told to stop, and knows that it has |
//! | [`reserve`] | free ports, kept for services until they listen |
//! | [`throttle`] | limits on failed log-ins, per source and per user |
//! | [`close`] | the staged close, which loses no byte that the peer has yet to read |

pub mod close;
pub mod descriptors;
pub mod drain;
pub mod listen;
pub mod proxy_v2;
pub mod reserve;
pub mod socket;
pub mod throttle;
pub mod tls;
