//! What can be seen of TLS without its keys: where a handshake ends, and whether an end
//! was announced.

mod greeting;
mod tail;

pub use greeting::{Greeting, Heard};
pub use tail::{Tail, is_client_hello, without_alert};
