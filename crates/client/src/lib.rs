//! repono-client
