//! One timestamped record for every connection and every request, as JSON lines.
//!
//! Client, balancer, head and vending all write the same records, joined by the
//! connection id. Recording never blocks a request: a record is a plain value of
//! fixed size, copied into a bounded ring; one thread per process turns the rings
//! into lines of JSON under the field names of ECS, and what does not fit is
//! counted, not waited for.
//!
//! | item | is |
//! |---|---|
//! | [`Journal`] | the files, the thread and the counters of one process |
//! | [`Recorder`], [`SharedRecorder`] | where a shard, or a seldom user, puts records |
//! | [`RequestRecord`] | one request, when it ended |
//! | [`ConnectionRecord`] | one connection, when it ended |
//! | [`TurnRecord`] | one turn of a connection that is traced or recorded |
//! | [`TurnMeter`] | makes them out of the bytes that pass |
//! | [`read`] | the lines, read back |
//! | [`follow`] | the lines of folders of journals as they grow |
//! | [`EndCode`] | two letters for how a relayed connection ended |
//! | [`ChangeRecord`] | one change of configuration: who, what, from, to |
//! | [`AuditRecord`] | one decision about a credential: issued, refused, revoked |
//! | [`Stamp`] | an instant on both clocks |
//! | [`Text`], [`UrlPath`] | text of bounded length, held in line |

mod change;
mod connection;
mod encode;
mod end_code;
mod files;
pub mod follow;
mod journal;
mod json;
pub mod read;
mod recorder;
mod request;
mod ring;
mod sample;
mod stamp;
mod text;
mod turn;
mod turn_meter;
mod words;
mod writer;

pub use change::{AuditRecord, ChangeRecord, Decision};
pub use connection::{ClosedBy, ConnectionRecord, Manner, Phase, TcpSummary, Tls, TlsVersion, Turns};
pub use end_code::{EndCause, EndCode, EndPhase};
pub use journal::{Journal, JournalConfig, JournalError};
pub use recorder::{Recorder, SharedRecorder};
pub use request::{Outcome, Phases, RequestRecord, Reuse, Side};
pub use stamp::Stamp;
pub use text::{Text, UrlPath};
pub use turn::{TurnKind, TurnRecord, TurnRequest};
pub use turn_meter::{TurnMeter, TurnNames};
