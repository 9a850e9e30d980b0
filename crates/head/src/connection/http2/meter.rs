//! Counts what a peer sends besides requests and bodies. h2 answers each PING,
//! SETTINGS or reset frame correctly, however many there are; here is the end of
//! that.

use std::cell::{Cell, RefCell};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits::{
    HTTP2_CONTROL_BURST, HTTP2_CONTROL_PER_REQUEST, HTTP2_CONTROL_PER_S, HTTP2_RESETS_BURST,
    HTTP2_RESETS_PER_S, HTTP2_SENT_BYTES_PER_CONTROL,
};

/// The client's preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
/// The head of a frame (RFC 9113 section 4.1).
const FRAME_HEAD_BYTES: usize = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// The bytes of one connection, and its frames as far as they cost.
pub(super) struct Meter {
    received: Cell<u64>,
    sent: Cell<u64>,
    frames: RefCell<Frames>,
    flooded: Cell<bool>,
    flood: Notify,
    head: Notify,
}

/// Where in the stream of frames the peer is, and what it may still send.
struct Frames {
    /// Bytes to pass over: of the preface, or of a frame's payload.
    skip: usize,
    head: Vec<u8>,
    /// Since when a header block is open, and whether the frame under way is its
    /// last.
    block: Option<Block>,
    control: Allowance,
    resets: Allowance,
    /// Bytes sent that have not yet earned an allowance.
    unearned: u64,
}

#[derive(Clone, Copy)]
struct Block {
    begun: Instant,
    last: bool,
}

/// So many now, and so many a second.
struct Allowance {
    burst: u32,
    per_s: u32,
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new(burst: u32, per_s: u32) -> Self {
        Self { burst, per_s, left: burst, since: Instant::now() }
    }

    fn earn(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.burst);
    }

    /// Whether one more is within the allowance.
    fn take(&mut self) -> bool {
        if self.left == 0 {
            let earned = self.since.elapsed().as_millis() * u128::from(self.per_s) / 1000;
            self.earn(u32::try_from(earned).unwrap_or(u32::MAX));
            self.since = Instant::now();
        }
        let within = self.left > 0;
        self.left = self.left.saturating_sub(1);
        within
    }
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            received: Cell::new(0),
            sent: Cell::new(0),
            frames: RefCell::new(Frames {
                skip: PREFACE_BYTES,
                head: Vec::with_capacity(FRAME_HEAD_BYTES),
                block: None,
                control: Allowance::new(HTTP2_CONTROL_BURST, HTTP2_CONTROL_PER_S),
                resets: Allowance::new(HTTP2_RESETS_BURST, HTTP2_RESETS_PER_S),
                unearned: 0,
            }),
            flooded: Cell::new(false),
            flood: Notify::new(),
            head: Notify::new(),
        }
    }

    pub(super) const fn received(&self) -> u64 {
        self.received.get()
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Whether the peer has sent more than it may.
    pub(super) const fn is_flooded(&self) -> bool {
        self.flooded.get()
    }

    /// Completes once, when the peer has sent more than it may.
    pub(super) async fn flooded(&self) {
        self.flood.notified().await;
    }

    /// Completes when the head of a request has begun to come, and more of it must.
    pub(super) async fn head_opened(&self) {
        self.head.notified().await;
    }

    /// Since when the head of a request is under way.
    pub(super) fn head_begun(&self) -> Option<Instant> {
        self.frames.borrow().block.map(|block| block.begun)
    }

    /// A request brings windows and priorities of its own.
    pub(super) fn note_request(&self) {
        self.frames.borrow_mut().control.earn(HTTP2_CONTROL_PER_REQUEST);
    }

    /// A reply that was complete may be reset: a client that wants no more of it
    /// has cost no more than its request.
    pub(super) fn note_answered(&self) {
        self.frames.borrow_mut().resets.earn(1);
    }

    /// What is sent is answered by window updates.
    pub(super) fn note_sent(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
        let mut frames = self.frames.borrow_mut();
        frames.unearned += bytes as u64;
        let earned = frames.unearned / HTTP2_SENT_BYTES_PER_CONTROL;
        frames.unearned %= HTTP2_SENT_BYTES_PER_CONTROL;
        frames.control.earn(u32::try_from(earned).unwrap_or(u32::MAX));
    }

    pub(super) fn note_received(&self, bytes: &[u8]) {
        self.received.set(self.received.get() + bytes.len() as u64);
        let before = self.head_begun();
        if !self.frames.borrow_mut().follow(bytes) && !self.flooded.replace(true) {
            self.flood.notify_one();
        }
        let now = self.head_begun();
        if now.is_some() && now != before {
            self.head.notify_one();
        }
    }
}

impl Frames {
    /// Follows the frames through these bytes; gives whether all are allowed.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut allowed = true;
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.skip == 0 && self.block.is_some_and(|block| block.last) {
                self.block = None;
            }
            let wanted = (FRAME_HEAD_BYTES - self.head.len()).min(bytes.len());
            let (head, rest) = bytes.split_at(wanted);
            self.head.extend_from_slice(head);
            bytes = rest;
            if let [a, b, c, kind, flags, ..] = *self.head
                && self.head.len() == FRAME_HEAD_BYTES
            {
                self.head.clear();
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                allowed &= self.frame(kind, flags);
            }
        }
        // A last frame of a block may end with these bytes, or have none.
        if self.skip == 0 && self.block.is_some_and(|block| block.last) {
            self.block = None;
        }
        allowed
    }

    /// *Source*: RFC 9113 section 6, the types in the order of their numbers.
    fn frame(&mut self, kind: u8, flags: u8) -> bool {
        match kind {
            0 if self.skip == 0 && flags & END_STREAM == 0 => self.control.take(),
            0 => true,
            1 => {
                self.block = Some(Block { begun: Instant::now(), last: flags & END_HEADERS != 0 });
                true
            }
            3 => self.resets.take() && self.control.take(),
            9 => {
                if let Some(block) = &mut self.block {
                    block.last = flags & END_HEADERS != 0;
                }
                self.control.take()
            }
            // PRIORITY, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, and
            // what is not known, which costs nobody else anything but reading it.
            _ => self.control.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{END_HEADERS, END_STREAM, Meter, PREFACE_BYTES};
    use crate::limits::{HTTP2_CONTROL_BURST, HTTP2_RESETS_BURST, HTTP2_SENT_BYTES_PER_CONTROL};

    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const CONTINUATION: u8 = 9;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        bytes.resize(9 + payload, 0);
        bytes
    }

    fn begun() -> Meter {
        let meter = Meter::new();
        meter.note_received(&[b'P'; PREFACE_BYTES]);
        meter
    }

    #[tokio::test(start_paused = true)]
    async fn pings_are_a_flood_beyond_the_burst_and_allowed_again_with_time() {
        let meter = begun();
        for _ in 0..HTTP2_CONTROL_BURST {
            meter.note_received(&frame(PING, 0, 8));
        }
        assert!(!meter.is_flooded());
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        meter.note_received(&frame(PING, 0, 8));
        assert!(!meter.is_flooded());
        for _ in 0..HTTP2_CONTROL_BURST {
            meter.note_received(&frame(PING, 0, 8));
        }
        assert!(meter.is_flooded());
        meter.flooded().await;
    }

    #[tokio::test(start_paused = true)]
    async fn resets_are_a_flood_of_their_own() {
        let meter = begun();
        for _ in 0..HTTP2_RESETS_BURST {
            meter.note_received(&frame(RST_STREAM, 0, 4));
        }
        assert!(!meter.is_flooded());
        meter.note_received(&frame(RST_STREAM, 0, 4));
        assert!(meter.is_flooded());

        let meter = begun();
        for _ in 0..HTTP2_RESETS_BURST * 2 {
            meter.note_request();
            meter.note_answered();
            meter.note_received(&frame(RST_STREAM, 0, 4));
        }
        assert!(!meter.is_flooded(), "curl --fail resets after each reply of 404");
    }

    #[tokio::test(start_paused = true)]
    async fn window_updates_are_earned_by_what_is_sent() {
        let meter = begun();
        for _ in 0..HTTP2_CONTROL_BURST * 10 {
            meter.note_sent(usize::try_from(HTTP2_SENT_BYTES_PER_CONTROL).unwrap());
            meter.note_received(&frame(WINDOW_UPDATE, 0, 4));
        }
        assert!(!meter.is_flooded());
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_no_flood_and_empty_data_is() {
        let meter = begun();
        for _ in 0..HTTP2_CONTROL_BURST * 2 {
            meter.note_received(&frame(DATA, 0, 1));
            meter.note_received(&frame(DATA, END_STREAM, 0));
        }
        assert!(!meter.is_flooded());
        for _ in 0..=HTTP2_CONTROL_BURST {
            meter.note_received(&frame(DATA, 0, 0));
        }
        assert!(meter.is_flooded());
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_block_is_open_from_its_first_byte_to_its_last() {
        let mut stream = frame(HEADERS, 0, 5);
        stream.extend(frame(CONTINUATION, 0, 3));
        stream.extend(frame(CONTINUATION, END_HEADERS, 2));
        let meter = begun();
        for (at, byte) in stream.iter().enumerate() {
            meter.note_received(std::slice::from_ref(byte));
            let open = (8..stream.len() - 1).contains(&at);
            assert_eq!(meter.head_begun().is_some(), open, "after byte {at}");
        }
        meter.note_received(&frame(HEADERS, END_HEADERS, 0));
        assert!(meter.head_begun().is_none());
        assert_eq!(meter.received(), (PREFACE_BYTES + stream.len() + 9) as u64);
    }
}
