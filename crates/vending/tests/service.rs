//! The service as its callers see it: over TLS on loopback, and over the admin
//! socket, with a store in a folder of its own.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on must end")]

#[path = "service/admin.rs"]
mod admin;
#[path = "service/house.rs"]
mod house;
#[path = "service/introspection.rs"]
mod introspection;
#[path = "service/life.rs"]
mod life;
#[path = "service/revocation.rs"]
mod revocation;
#[path = "service/swift_login.rs"]
mod swift_login;
#[path = "service/tickets.rs"]
mod tickets;
