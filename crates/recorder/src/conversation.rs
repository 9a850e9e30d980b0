//! Turns out of the bytes that pass, in either depth.

use std::time::Duration;

use repono_journal::{TurnKind, TurnMeter};
use repono_relay::tls::{Greeting, Heard, is_client_hello, without_alert};
use repono_relay::{Reply, Side};

use crate::talk::{Replied, Said, Talk};

/// Between two pieces of one upload there is less quiet than this.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the turns of one connection.
pub(crate) struct Conversation<'a> {
    meter: TurnMeter<'a>,
    speech: Speech,
}

/// What is spoken.
enum Speech {
    /// Nothing yet. Left by the client's first bytes.
    Silent,
    /// TLS that has just begun. Left for `Opaque` by the first answer after the
    /// handshake.
    Greeting(Box<Greeting>),
    /// HTTP/1.1. Left for `Opaque` by what is none.
    Http(Box<Talk>),
    /// Bytes: whoever answers ends a turn.
    Opaque,
}

impl<'a> Conversation<'a> {
    /// Of a connection whose first bytes are still to come.
    pub(crate) const fn new(meter: TurnMeter<'a>) -> Self {
        Self { meter, speech: Speech::Silent }
    }

    /// Bytes came from the client.
    pub(crate) fn client(&mut self, bytes: &[u8]) {
        if let Speech::Silent = self.speech {
            self.speech = if is_client_hello(bytes) {
                Speech::Greeting(Box::default())
            } else {
                Speech::Http(Box::default())
            };
        }
        match &mut self.speech {
            Speech::Greeting(greeting) => greeting.client(bytes),
            Speech::Http(talk) => match talk.client(bytes) {
                Said::Request => {
                    self.meter.asked(bytes.len());
                    if let Some(request) = talk.request() {
                        self.meter.request(request);
                    }
                    return;
                }
                Said::Rest => return,
                Said::Foreign => self.speech = Speech::Opaque,
            },
            Speech::Opaque => return self.asked_in_the_dark(without_alert(bytes).len()),
            Speech::Silent => {}
        }
        self.meter.asked(bytes.len());
    }

    /// Bytes of a client that cannot be read: a goodbye asks for nothing, and what comes
    /// after a pause is a question of its own, for what came before may have been none,
    /// as with the frames by which HTTP/2 is managed.
    fn asked_in_the_dark(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        if self.meter.is_asking() && self.meter.quiet() > PAUSE {
            self.meter.end();
        }
        self.meter.asked(bytes);
    }

    /// Bytes came from the server: whether they end the client's turn.
    pub(crate) fn server(&mut self, bytes: &[u8]) -> Reply {
        let kind = match &mut self.speech {
            Speech::Greeting(greeting) => match greeting.server(bytes) {
                Heard::Handshake => TurnKind::Handshake,
                Heard::Tickets => return Reply::Aside,
                Heard::Answer => {
                    self.speech = Speech::Opaque;
                    TurnKind::Exchange
                }
            },
            Speech::Http(talk) => match talk.server(bytes) {
                Replied::Interim => return Reply::Aside,
                Replied::Reply => {
                    if let Some(request) = talk.request() {
                        self.meter.request(request);
                    }
                    TurnKind::Exchange
                }
                Replied::Foreign => {
                    self.speech = Speech::Opaque;
                    TurnKind::Exchange
                }
            },
            Speech::Silent | Speech::Opaque => TurnKind::Exchange,
        };
        self.meter.answered(kind, bytes.len());
        Reply::Answer
    }

    /// Bytes came from a side, where nobody asks what they are.
    pub(crate) fn moved(&mut self, from: Side, bytes: &[u8]) {
        match from {
            Side::Client => self.client(bytes),
            Side::Server => _ = self.server(bytes),
        }
    }

    /// Whether the client waits for an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        self.meter.is_asking()
    }

    /// The kernel was asked whether the server's has acknowledged what was sent.
    pub(crate) fn looked(&mut self, acknowledged: bool) {
        self.meter.looked(acknowledged);
    }

    /// The connection is over.
    pub(crate) fn end(&mut self) {
        self.meter.end();
    }
}
