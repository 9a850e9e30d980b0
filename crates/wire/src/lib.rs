//! repono-wire
