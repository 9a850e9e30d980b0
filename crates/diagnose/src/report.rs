//! A diagnosis for people and for programs.

mod html;
mod json;
mod lanes;
mod text;

pub use html::html;
pub use json::json;
pub use text::{markdown, text};

/// What adds times to a trace, for whoever has one without.
///
/// *Source*: learn.microsoft.com, "How to: Configure network tracing".
pub(crate) const TIMES_CONFIGURATION: &str = r#"<system.diagnostics>
  <sources>
    <source name="System.Net" tracemode="protocolonly" maxdatasize="0"><listeners><add name="net"/></listeners></source>
  </sources>
  <switches><add name="System.Net" value="Verbose"/></switches>
  <sharedListeners>
    <add name="net" type="System.Diagnostics.TextWriterTraceListener" initializeData="net.log"
         traceOutputOptions="DateTime,ProcessId,ThreadId"/>
  </sharedListeners>
  <trace autoflush="true"/>
</system.diagnostics>"#;
