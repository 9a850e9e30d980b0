//! repono-http1
