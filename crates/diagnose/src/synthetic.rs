//! Traces of System.Net made by the grammar: synthetic, with names of our own.
//!
//! A story is a list of events of one thread, each with the time since the one before
//! it; stories of several threads are interleaved by their times, as the listener's
//! lock does it.

pub(crate) mod journals;

use std::fmt::Write;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// When the first event of a trace happens: 2026-03-02T10:00:00Z, in milliseconds.
const BEGIN_MS: u64 = 1_772_445_600_000;

/// What one thread does.
#[derive(Clone, Default)]
pub(crate) struct Story {
    thread: u32,
    /// Objects of different stories must not share a hash.
    base: u32,
    events: Vec<(u64, String)>,
    now_ms: u64,
    streams: u32,
}

/// What stands beside the events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Given,
    Missing,
}

impl Story {
    pub(crate) fn new(thread: u32) -> Self {
        Self { thread, base: thread * 1_000, ..Self::default() }
    }

    fn event(&mut self, after_ms: u64, level: &str, message: &str) {
        self.now_ms += after_ms;
        let thread = self.thread;
        self.events.push((self.now_ms, format!("System.Net {level}: 0 : [{thread:04}] {message}")));
    }

    fn say(&mut self, message: &str) {
        self.event(0, "Information", message);
    }

    fn request_name(&self, number: u32) -> String {
        format!("HttpWebRequest#{}", self.base + number)
    }

    fn connection_name(&self, number: u32) -> String {
        format!("Connection#{}", self.base + 500 + number)
    }

    fn stream_name(&self) -> String {
        format!("ConnectStream#{}", self.base + 100_000 + self.streams)
    }

    pub(crate) fn pause(mut self, ms: u64) -> Self {
        self.now_ms += ms;
        self
    }

    /// All of it, so much later.
    pub(crate) fn later(mut self, ms: u64) -> Self {
        self.events.iter_mut().for_each(|(at, _)| *at += ms);
        self
    }

    /// The application makes a request.
    pub(crate) fn create(mut self, request: u32) -> Self {
        let name = self.request_name(request);
        self.event(0, "Verbose", &format!("{name}::HttpWebRequest(https://files.example/v1/demo/o#1)"));
        self
    }

    /// It gets a connection of the pool.
    pub(crate) fn assign(mut self, request: u32, connection: u32) -> Self {
        let (request, connection) = (self.request_name(request), self.connection_name(connection));
        self.say(&format!("Associating {request} with ServicePoint#77"));
        self.say(&format!("Associating {connection} with {request}"));
        self
    }

    /// The connection is opened, with TLS.
    pub(crate) fn open(self, connection: u32) -> Self {
        self.open_in(connection, 8)
    }

    /// The same, with a handshake that takes so long.
    pub(crate) fn open_in(mut self, connection: u32, handshake_ms: u64) -> Self {
        let name = self.connection_name(connection);
        self.event(
            2,
            "Information",
            &format!("{name} - Created connection from 192.0.2.7:50122 to 198.51.100.4:443."),
        );
        self.say("TlsStream#4711::.ctor(host=files.example, #certs=0)");
        for code in ["ContinueNeeded", "ContinueNeeded", "ContinueNeeded", "OK"] {
            self.say(&format!(
                "InitializeSecurityContext(In-Buffers count=2, Out-Buffer length=0, returned code={code})."
            ));
        }
        self.event(
            handshake_ms,
            "Information",
            "ProcessAuthentication(Protocol=Tls12, Cipher=Aes256 256 bit strength).",
        );
        self
    }

    /// The head of the request is written.
    pub(crate) fn send(self, request: u32, method: &str) -> Self {
        self.send_with(request, method, "")
    }

    /// The same, with further fields.
    pub(crate) fn send_with(mut self, request: u32, method: &str, fields: &str) -> Self {
        self.streams += 1;
        let (request, stream) = (self.request_name(request), self.stream_name());
        self.say(&format!("Associating {request} with {stream}"));
        self.say(&format!("{request} - Request: {method} /v1/demo/o HTTP/1.1\n"));
        self.say(&format!(
            "{stream} - Sending headers\n{{\nx-auth-ticket: SENTINEL\n{fields}Host: files.example\n}}."
        ));
        self
    }

    /// Bytes of its body are written.
    pub(crate) fn body(mut self) -> Self {
        let stream = self.stream_name();
        self.event(0, "Verbose", &format!("Data from {stream}::Write"));
        self.event(0, "Verbose", "00000000 : 61 62 63                                        : abc");
        self
    }

    /// The reply comes.
    pub(crate) fn reply(self, connection: u32, after_ms: u64, status: u16, fields: &str) -> Self {
        self.reply_open(connection, after_ms, status, fields).pause(1).close()
    }

    /// The application is done with the reply that came last.
    pub(crate) fn close(mut self) -> Self {
        let stream = self.stream_name();
        self.event(0, "Verbose", &format!("{stream}::Close()"));
        self
    }

    /// The server asks for another handshake.
    pub(crate) fn renegotiate(mut self) -> Self {
        self.event(3, "Error", "TlsStream#4711::Read() - The remote side returned SEC_I_RENEGOTIATE.");
        self
    }

    /// The head of the reply comes.
    pub(crate) fn reply_open(mut self, connection: u32, after_ms: u64, status: u16, fields: &str) -> Self {
        let connection = self.connection_name(connection);
        self.event(
            after_ms,
            "Information",
            &format!(
                "{connection} - Received status line: Version=1.1, StatusCode={status}, StatusDescription=OK."
            ),
        );
        self.say(&format!("{connection} - Received headers\n{{\nContent-Length: 5\n{fields}}}."));
        self
    }

    /// The library hears of a failure.
    pub(crate) fn fail(mut self, request: u32, after_ms: u64, words: &str) -> Self {
        let name = self.request_name(request);
        self.event(after_ms, "Error", &format!("Exception in the {name}:: - {words}"));
        self
    }

    /// The application does.
    pub(crate) fn throw(mut self, request: u32, after_ms: u64, words: &str) -> Self {
        let name = self.request_name(request);
        self.event(
            after_ms,
            "Error",
            &format!(
                "Exception in {name}::GetResponse - {words}.\n   at System.Net.HttpWebRequest.GetResponse()"
            ),
        );
        self
    }
}

/// The trace of these threads.
pub(crate) fn trace(stories: &[Story], times: Times) -> String {
    let mut all: Vec<_> = stories.iter().flat_map(|story| &story.events).collect();
    // Stable: the events of a thread stay in their order.
    all.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    for (at, event) in all {
        let _ = writeln!(text, "{event}");
        if times == Times::Given {
            let nanos = i128::from(BEGIN_MS + at) * 1_000_000;
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap().format(&Rfc3339).unwrap();
            let _ = writeln!(text, "    ProcessId=6624\n    DateTime={at}");
        }
    }
    text
}

/// The listener that writes a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// `TextWriterTraceListener`.
    Text,
    /// `XmlWriterTraceListener`: one event after the other, without lines.
    Xml,
    /// `DelimitedListTraceListener`.
    Delimited,
}

/// The trace of these threads, as a listener writes it.
pub(crate) fn written(stories: &[Story], listener: Listener) -> String {
    let mut all: Vec<_> = stories.iter().flat_map(|story| &story.events).collect();
    all.sort_by_key(|(at, _)| *at);
    if listener == Listener::Text {
        return trace(stories, Times::Given);
    }
    let mut text = String::new();
    for (at, event) in all {
        let nanos = i128::from(BEGIN_MS + at) * 1_000_000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap().format(&Rfc3339).unwrap();
        let (head, message) = event.split_once(": 0 : ").unwrap();
        let (source, level) = head.split_once(' ').unwrap();
        let _ = match listener {
            Listener::Text => Ok(()),
            Listener::Xml => {
                let message = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                write!(
                    text,
                    "<E2ETraceEvent xmlns=\"http://schemas.microsoft.com/2004/06/E2ETraceEvent\"><System xmlns=\"http://schemas.microsoft.com/2004/06/windows/eventlog/system\"><EventID>0</EventID><Type>3</Type><SubType Name=\"{level}\">0</SubType><Level>8</Level><TimeCreated SystemTime=\"{at}\" /><Source Name=\"{source}\" /><Correlation ActivityID=\"{{00000000-0000-0000-0000-000000000000}}\" /><Execution ProcessName=\"app\" ProcessID=\"6624\" ThreadID=\"9\" /><Channel/><Computer>APP</Computer></System><ApplicationData>{message}</ApplicationData></E2ETraceEvent>"
                )
            }
            Listener::Delimited => {
                let message = message.replace('"', "\"\"");
                writeln!(text, "\"{source}\";{level};0;\"{message}\";;6624;\"\";\"9\";\"{at}\";7;\"\"")
            }
        };
    }
    text
}

/// Requests on a kept connection that nothing is wrong with.
pub(crate) fn healthy(thread: u32) -> Story {
    let mut story = Story::new(thread).create(1).assign(1, 1).open(1).send(1, "GET").reply(1, 20, 200, "");
    for request in 2..8 {
        story =
            story.pause(400).create(request).assign(request, 1).send(request, "GET").reply(1, 15, 200, "");
    }
    story
}
