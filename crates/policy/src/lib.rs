//! repono-policy
