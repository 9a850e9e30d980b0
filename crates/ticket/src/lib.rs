//! repono-ticket
