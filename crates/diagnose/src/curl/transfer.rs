//! One transfer after the other: a URL, its connections and its replies.

mod words;

use crate::adapter::Events;
use crate::event::{After, Event, Extent, Failure, Heard, Id, Instant, Kind, Place};

use super::Numbers;

pub(super) use words::failure_of_code;
use words::{Info, clock};

/// A line, and when it was written.
#[derive(Clone, Copy)]
pub(super) struct At<'l> {
    pub(super) place: Place,
    pub(super) at: Option<Instant>,
    pub(super) text: &'l str,
}

impl At<'_> {
    fn say(self, to: Events<'_>, kind: Kind<'_>) {
        to(Event { place: self.place, at: self.at, kind, text: self.text });
    }
}

/// What is known of the transfer that goes on.
#[derive(Default)]
pub(super) struct Transfer {
    request: Option<Id>,
    connection: Option<Id>,
    handshake: Handshake,
    head: Option<Head>,
    reply: Reply,
    /// What went wrong; curl may still try again.
    failed: Option<Lost>,
}

/// A failure, whose line stands for the end of the transfer too.
struct Lost {
    failure: Failure,
    place: Place,
    at: Option<Instant>,
    text: Box<str>,
}

/// A request's head of which lines are still to come.
struct Head {
    method: String,
    expects_continue: bool,
    place: Place,
    at: Option<Instant>,
    text: String,
}

/// What of a TLS handshake was told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Handshake {
    #[default]
    None,
    Begun,
    /// A certificate came: keys are exchanged anew.
    Certified,
    /// It ended, and no certificate had come.
    Finished,
}

/// The reply's head that is read.
#[derive(Default)]
struct Reply {
    status: Option<u16>,
    closes: bool,
    clock: Option<Instant>,
}

impl Transfer {
    /// Curl's own words.
    pub(super) fn info(
        &mut self,
        text: &str,
        number: Option<u64>,
        at: At<'_>,
        names: &mut Numbers,
        to: Events<'_>,
    ) {
        match Info::of(text) {
            Info::Begins => self.begins(at, names, to),
            Info::Connected { number: told } => self.connected(told.or(number), at, names, to),
            Info::Reused { number: told } => self.reused(told.or(number), at, names, to),
            Info::HandshakeBegins => {
                self.handshake = Handshake::Begun;
                at.say(to, Kind::HandshakeBegun { connection: self.connection });
            }
            Info::Certificate => self.handshake = Handshake::Certified,
            Info::HandshakeFinished if self.handshake == Handshake::Begun => {
                self.handshake = Handshake::Finished;
            }
            Info::HandshakeFinished => {}
            Info::HandshakeDone => self.handshake_done(at, to),
            Info::Died => self.died(at, to),
            Info::Failure(failure) => self.fail(failure, at, names, to),
            Info::LeftIntact { number: told } => {
                if let (Some(number), Some(id)) = (told.or(number), self.connection) {
                    names.called(number, id);
                }
                self.over(at, to);
            }
            // Of another transfer's connection it says nothing about this one.
            Info::Closing if self.failed.is_some() || self.reply.status.is_some() => self.over(at, to),
            Info::Closing | Info::Other => {}
        }
    }

    /// A line of the request's head.
    pub(super) fn sent(&mut self, line: &str, at: At<'_>, names: &mut Numbers, to: Events<'_>) {
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            return self.head_done(to);
        }
        if let Some((method, _)) =
            line.split_once(' ').filter(|_| self.head.is_none() && line.contains(" HTTP/"))
        {
            // A redirect, or another URL of which no word was said.
            if self.reply.status.is_some() {
                self.over(at, to);
            }
            self.begins(at, names, to);
            self.head = Some(Head {
                method: method.to_owned(),
                expects_continue: false,
                place: at.place,
                at: at.at,
                text: at.text.to_owned(),
            });
        } else if let Some(head) = &mut self.head {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            head.expects_continue |= name.eq_ignore_ascii_case("expect") && value.trim() == "100-continue";
        }
    }

    /// A line of the reply's head.
    pub(super) fn received(&mut self, line: &str, at: At<'_>, to: Events<'_>) {
        self.head_done(to);
        let Some(request) = self.request else { return };
        let line = line.trim_end_matches('\r');
        if let Some(status) = words::status(line) {
            // 1xx is no reply yet; of 101 no other follows, and nobody asks here.
            self.reply = Reply { status: (status >= 200).then_some(status), ..Reply::default() };
            if let Some(status) = self.reply.status {
                at.say(to, Kind::Answered { request, status: Some(status) });
            }
        } else if line.is_empty() {
            if self.reply.status.is_some() {
                let after = if self.reply.closes { After::Closed } else { After::Kept };
                at.say(to, Kind::Fields { request, after, clock: self.reply.clock });
            }
        } else if let Some((name, value)) = line.split_once(':') {
            let (name, value) = (name.trim(), value.trim());
            self.reply.closes |=
                name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close");
            if name.eq_ignore_ascii_case("date") {
                self.reply.clock = clock(value);
            }
        }
    }

    pub(super) fn body_sent(&mut self, at: At<'_>, to: Events<'_>) {
        self.head_done(to);
        if let Some(request) = self.request.filter(|_| self.reply.status.is_none()) {
            at.say(to, Kind::BodySent { request });
        }
    }

    /// Curl's last words, where `-v` was not asked for or said nothing of it.
    pub(super) fn error(&mut self, code: u16, at: At<'_>, to: Events<'_>) {
        let Some(request) = self.request else { return };
        if let Some(failure) = failure_of_code(code).filter(|_| self.failed.is_none()) {
            self.head_done(to);
            at.say(to, Kind::Failed { request, failure, heard: Heard::Library });
            self.failed = Some(Lost::of(failure, at));
        }
    }

    /// Ends what goes on: the log says no more.
    pub(super) fn end(mut self, to: Events<'_>) {
        self.head_done(to);
        self.tell_lost(to);
    }

    fn begins(&mut self, at: At<'_>, names: &mut Numbers, to: Events<'_>) {
        // What failed for good, or was answered, was the transfer before.
        if self.failed.is_some() || self.reply.status.is_some() {
            self.over(at, to);
        }
        if self.request.is_none() {
            let request = names.request();
            self.request = Some(request);
            at.say(to, Kind::Created { request, name: &format!("transfer {}", request.0) });
        }
    }

    fn connected(&mut self, number: Option<u64>, at: At<'_>, names: &mut Numbers, to: Events<'_>) {
        self.begins(at, names, to);
        let connection = names.made(number);
        self.assign(connection, number, at, to);
        at.say(to, Kind::Connected { connection, peer: "" });
        // Since curl 8.16 a connection is told of when its handshake is over.
        if matches!(self.handshake, Handshake::Certified | Handshake::Finished) {
            self.handshake_done(at, to);
        }
    }

    fn reused(&mut self, number: Option<u64>, at: At<'_>, names: &mut Numbers, to: Events<'_>) {
        self.begins(at, names, to);
        let connection = match (number, self.connection) {
            (Some(number), _) => names.kept(number),
            // Without a number it is the one that this transfer's predecessor left.
            (None, Some(last)) => last,
            (None, None) => names.made(None),
        };
        self.assign(connection, number, at, to);
    }

    fn assign(&mut self, connection: Id, number: Option<u64>, at: At<'_>, to: Events<'_>) {
        self.connection = Some(connection);
        let name = match number {
            Some(number) => format!("connection #{number}"),
            None => format!("connection {}", connection.0),
        };
        if let Some(request) = self.request {
            at.say(to, Kind::Assigned { request, connection, name: &name });
        }
    }

    fn handshake_done(&mut self, at: At<'_>, to: Events<'_>) {
        let extent = match self.handshake {
            Handshake::Certified => Extent::Full,
            Handshake::Finished => Extent::Resumed,
            Handshake::None | Handshake::Begun => Extent::Unknown,
        };
        self.handshake = Handshake::None;
        at.say(to, Kind::HandshakeDone { connection: self.connection, extent });
    }

    fn head_done(&mut self, to: Events<'_>) {
        let (Some(head), Some(request)) = (self.head.take(), self.request) else { return };
        let at = At { place: head.place, at: head.at, text: &head.text };
        at.say(to, Kind::Begun { request, method: &head.method });
        at.say(to, Kind::HeadSent { request, expects_continue: head.expects_continue, expires: None });
    }

    /// Curl sends it again on another connection.
    fn died(&mut self, at: At<'_>, to: Events<'_>) {
        self.head_done(to);
        if let Some(request) = self.request.filter(|_| self.failed.is_none()) {
            at.say(to, Kind::Failed { request, failure: Failure::KeptAliveLost, heard: Heard::Library });
        }
        self.failed = None;
        self.reply = Reply::default();
    }

    fn fail(&mut self, failure: Failure, at: At<'_>, names: &mut Numbers, to: Events<'_>) {
        self.head_done(to);
        if self.request.is_none() {
            self.begins(at, names, to);
        }
        if let Some(request) = self.request.filter(|_| self.failed.is_none()) {
            at.say(to, Kind::Failed { request, failure, heard: Heard::Library });
            self.failed = Some(Lost::of(failure, at));
        }
    }

    fn over(&mut self, at: At<'_>, to: Events<'_>) {
        self.head_done(to);
        self.tell_lost(to);
        if let Some(request) = self.request {
            at.say(to, Kind::Released { request });
        }
        *self = Self { connection: self.connection, ..Self::default() };
    }

    /// What was not tried again came to the application.
    fn tell_lost(&mut self, to: Events<'_>) {
        if let (Some(lost), Some(request)) = (self.failed.take(), self.request) {
            let at = At { place: lost.place, at: lost.at, text: &lost.text };
            at.say(to, Kind::Failed { request, failure: lost.failure, heard: Heard::Application });
            self.request = None;
        }
    }
}

impl Lost {
    fn of(failure: Failure, at: At<'_>) -> Self {
        Self { failure, place: at.place, at: at.at, text: at.text.into() }
    }
}
