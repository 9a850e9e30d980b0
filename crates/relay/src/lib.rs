//! repono-relay
