//! repono-testkit
