//! The body of a request on its way out: counted, hashed, and held back until
//! the server wants it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use md5::{Digest, Md5};
use repono_core::etag::ETag;
use repono_journal::Stamp;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use crate::progress::Progress;

/// Read at a time: large enough that a chunk's cost is the disk's and TLS's, and
/// small enough that hashing one does not hold up other transfers (0.5 ms).
const CHUNK_BYTES: usize = 256 << 10;

/// What is sent.
pub(crate) enum Source {
    /// Nothing.
    Empty,
    /// A small text.
    Whole(Bytes),
    /// A file or a pipe.
    Read(Pin<Box<dyn AsyncRead + Send>>),
}

/// How far a body is, for whoever waits for the reply.
pub(crate) struct Sending(Mutex<State>);

struct State {
    /// The last time the connection took a piece.
    moved: Instant,
    bytes: u64,
    /// The digest, once everything has been handed over.
    done: Option<ETag>,
    /// When that was, on the clock of [`Stamp::mono_ns`].
    done_mono_ns: Option<u64>,
    /// Why reading the source failed.
    failed: Option<io::Error>,
}

impl Sending {
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// The last time a piece was taken.
    pub(crate) fn moved(&self) -> Instant {
        self.lock().moved
    }

    /// The digest of everything, once all has been handed over.
    pub(crate) fn done(&self) -> Option<ETag> {
        self.lock().done
    }

    /// When the last piece was handed over; `None` where there was none.
    pub(crate) fn done_mono_ns(&self) -> Option<u64> {
        self.lock().done_mono_ns
    }

    pub(crate) fn take_failure(&self) -> Option<io::Error> {
        self.lock().failed.take()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's body.
pub(crate) struct Outgoing {
    source: Source,
    /// The length, where it is known; a source that is shorter or longer fails.
    left: Option<u64>,
    gate: Option<Gate>,
    hash: Md5,
    sending: Arc<Sending>,
    progress: Arc<dyn Progress>,
    buffer: BytesMut,
    ended: bool,
}

/// `Expect: 100-continue`: opened by the server's `100`, or by patience running out.
struct Gate {
    wanted: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

impl Outgoing {
    pub(crate) fn empty() -> Self {
        Self::new(Source::Empty, Some(0), Arc::new(crate::progress::Silent))
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        let length = u64::try_from(bytes.len()).ok();
        Self::new(Source::Whole(bytes), length, Arc::new(crate::progress::Silent))
    }

    pub(crate) fn new(source: Source, length: Option<u64>, progress: Arc<dyn Progress>) -> Self {
        let nothing = matches!(source, Source::Empty) || length == Some(0);
        let done = nothing.then(|| ETag::from_md5(Md5::new().finalize().into()));
        let state = State { moved: Instant::now(), bytes: 0, done, done_mono_ns: None, failed: None };
        Self {
            source,
            left: length,
            gate: None,
            hash: Md5::new(),
            sending: Arc::new(Sending(Mutex::new(state))),
            progress,
            buffer: BytesMut::new(),
            ended: nothing,
        }
    }

    /// Holds the body back until the returned sender is used, or `patience` is
    /// over.
    pub(crate) fn held_back(&mut self, patience: Duration) -> oneshot::Sender<()> {
        let (want, wanted) = oneshot::channel();
        self.gate = Some(Gate { wanted, patience: Box::pin(sleep(patience)) });
        want
    }

    pub(crate) fn sending(&self) -> Arc<Sending> {
        Arc::clone(&self.sending)
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        self.left
    }

    fn poll_gate(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(gate) = &mut self.gate {
            let wanted = Pin::new(&mut gate.wanted).poll(context).is_ready();
            if !wanted && gate.patience.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.gate = None;
            self.sending.lock().moved = Instant::now();
        }
        Poll::Ready(())
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(Ok(None)),
            Source::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready(Ok((!bytes.is_empty()).then_some(bytes)))
            }
            Source::Read(reader) => {
                self.buffer.resize(CHUNK_BYTES, 0);
                let mut into = ReadBuf::new(&mut self.buffer);
                ready!(reader.as_mut().poll_read(context, &mut into))?;
                let filled = into.filled().len();
                let chunk = self.buffer.split_to(filled).freeze();
                Poll::Ready(Ok((!chunk.is_empty()).then_some(chunk)))
            }
        }
    }

    /// Counts and hashes a piece that is about to be handed over.
    fn account(&mut self, chunk: &Bytes) -> io::Result<()> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        if let Some(left) = self.left {
            let left = left.checked_sub(length);
            self.left = Some(left.ok_or_else(|| io::Error::other("the source grew while it was sent"))?);
        }
        self.hash.update(chunk);
        let mut state = self.sending.lock();
        state.moved = Instant::now();
        state.bytes = state.bytes.saturating_add(length);
        drop(state);
        self.progress.moved(length);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.ended = true;
        if self.left.is_some_and(|left| left > 0) {
            return Err(io::Error::other("the source shrank while it was sent"));
        }
        let mut state = self.sending.lock();
        state.moved = Instant::now();
        state.done_mono_ns = Some(Stamp::mono_now());
        state.done = Some(ETag::from_md5(self.hash.finalize_reset().into()));
        Ok(())
    }

    /// The reason stays with [`Sending`]; hyper only needs to stop.
    fn fail(&mut self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.sending.lock().failed = Some(error);
        self.ended = true;
        kind.into()
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        ready!(this.poll_gate(context));
        let outcome = match ready!(this.poll_source(context)) {
            Ok(Some(chunk)) => this.account(&chunk).map(|()| Some(chunk)),
            Ok(None) => this.finish().map(|()| None),
            Err(error) => Err(error),
        };
        match outcome {
            // With its last byte a body of known length is over: hyper asks no more.
            Ok(Some(chunk)) => {
                let finished = if this.left == Some(0) { this.finish() } else { Ok(()) };
                Poll::Ready(Some(finished.map(|()| Frame::data(chunk)).map_err(|error| this.fail(error))))
            }
            Ok(None) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(this.fail(error)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::{Outgoing, Source};
    use crate::progress::Silent;

    fn reading(text: &'static str, length: Option<u64>) -> Outgoing {
        Outgoing::new(Source::Read(Box::pin(text.as_bytes())), length, Arc::new(Silent))
    }

    #[tokio::test]
    async fn a_body_is_counted_and_hashed_as_it_goes() {
        for length in [None, Some(3)] {
            let body = reading("abc", length);
            let sending = body.sending();
            assert!(sending.done().is_none());
            assert_eq!(body.collect().await.unwrap().to_bytes(), "abc");
            assert_eq!(sending.bytes(), 3);
            assert_eq!(sending.done().unwrap().to_string(), "900150983cd24fb0d6963f7d28e17f72");
        }
    }

    #[tokio::test]
    async fn a_source_that_changes_its_length_fails_the_request() {
        for (length, why) in [(2, "grew"), (4, "shrank")] {
            let body = reading("abc", Some(length));
            let sending = body.sending();
            assert!(body.collect().await.is_err());
            assert!(sending.take_failure().unwrap().to_string().contains(why));
            assert!(sending.done().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_held_back_until_it_is_wanted_or_patience_is_over() {
        let start = tokio::time::Instant::now();
        let mut body = reading("abc", None);
        let want = body.held_back(Duration::from_secs(1));
        want.send(()).unwrap();
        body.collect().await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        let mut body = reading("abc", None);
        let _unused = body.held_back(Duration::from_secs(1));
        body.collect().await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(1));
    }
}
