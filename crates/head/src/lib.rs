//! repono-head
