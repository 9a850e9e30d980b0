//! repono-conformance
