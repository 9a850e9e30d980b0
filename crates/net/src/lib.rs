//! repono-net
