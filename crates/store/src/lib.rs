//! repono-store
