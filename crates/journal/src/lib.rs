//! repono-journal
