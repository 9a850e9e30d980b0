//! Requests that are sent again: when the service asks to wait, and writes of which it
//! is not known whether they took effect, each under an `Idempotency-Key`, by which the
//! heads know it when it comes again.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rand::Rng;
use rand::rngs::StdRng;
use repono_net::tls::HandshakeError;
use tokio::fs::File;
use tokio::time::sleep;

use crate::body::{Outgoing, Source};
use crate::client::{Asked, Client};
use crate::error::ClientError;
use crate::exchange::Reply;
use crate::progress::Progress;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How often a write is sent at most: whoever loses three connections in a row has a
/// network that a fourth would not mend.
pub(crate) const ATTEMPTS_MAX: u8 = 3;

/// The longest pause before the second attempt, doubled for the next: what a balancer
/// needs to see that a head has died, and no more than a person notices.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// The longest `Retry-After` that is waited for, three times in a row at most; who has
/// to wait for longer is told, and decides for himself.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);

/// Pauses after that many attempts are the longest: 4 s.
const DOUBLINGS_MAX: u32 = 4;

/// What a write carries, made anew for each attempt.
pub(crate) enum Draft<'a> {
    /// Nothing.
    Empty,
    /// The bytes of a file.
    File {
        /// Where it is.
        file: &'a Path,
        /// Told how far it is.
        progress: &'a Arc<dyn Progress>,
    },
}

/// Draws a key for each write.
pub(crate) struct Keys(Mutex<StdRng>);

impl Keys {
    pub(crate) const fn new(random: StdRng) -> Self {
        Self(Mutex::new(random))
    }

    fn draw<T>(&self, from: impl FnOnce(&mut StdRng) -> T) -> T {
        from(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A string of structured fields (RFC 9651 section 3.3.3).
    fn key(&self) -> Result<HeaderValue, ClientError> {
        let key = format!("\"{:032x}\"", self.draw(|random| random.random::<u128>()));
        HeaderValue::from_str(&key).map_err(|_| ClientError::Protocol("a key that is no header"))
    }

    /// A part of the longest pause after so many attempts, so that many clients of a
    /// head that died do not come back at once.
    fn pause(&self, attempts: u8) -> Duration {
        PAUSE_MAX * 2_u32.pow(u32::from(attempts.saturating_sub(1)).min(3))
            / self.draw(|random| random.random_range(1..=8))
    }

    /// The pause before something is tried that could not be reached in so many
    /// attempts: half of a time that doubles, and a random part of the other half.
    pub(crate) fn back_off(&self, attempts: u8) -> Duration {
        let longest = PAUSE_MAX * 2_u32.pow(u32::from(attempts.saturating_sub(1)).min(DOUBLINGS_MAX));
        longest / 2 + longest.mul_f64(self.draw(|random| random.random_range(0.0..0.5)))
    }

    /// How long to wait before a request is sent again that was refused for now, where
    /// the service said so and it is not too long; a little longer at random, so that
    /// not all who were told the same come back at once.
    pub(crate) fn asked_to_wait(&self, error: &ClientError) -> Option<Duration> {
        let ClientError::Unavailable(answer) = error else { return None };
        let told = Duration::from_secs(answer.retry_after_s?.into());
        let obeyed = matches!(answer.status, 429 | 503) && told <= RETRY_AFTER_MAX;
        obeyed.then(|| told + PAUSE_MAX.mul_f64(self.draw(|random| random.random_range(0.0..1.0))))
    }
}

impl Draft<'_> {
    /// The body of an attempt, and whether another can be made.
    async fn body(&self) -> Result<(Outgoing, bool), ClientError> {
        match self {
            Self::Empty => Ok((Outgoing::empty(), true)),
            Self::File { file, progress } => {
                let failed = |source| ClientError::Local { path: (*file).to_owned(), source };
                let opened = File::open(file).await.map_err(failed)?;
                let metadata = opened.metadata().await.map_err(failed)?;
                // A pipe or a device has no length to announce, and is read once.
                let length = metadata.is_file().then_some(metadata.len());
                let source = Source::Read(Box::pin(opened));
                Ok((Outgoing::new(source, length, Arc::clone(progress)), metadata.is_file()))
            }
        }
    }

    /// So much of it was sent in vain.
    fn take_back(&self, bytes: u64) {
        match self {
            Self::Empty => {}
            Self::File { progress, .. } => progress.moved_back(bytes),
        }
    }
}

impl Client {
    /// One write in the caller's name, sent again when its connection breaks, its
    /// answer does not come, nothing answers at all, the service asks to wait, or the
    /// ticket has expired.
    ///
    /// *Errors*: that of the last attempt.
    pub(crate) async fn write(
        &self,
        method: Method,
        target: &str,
        extra: &HeaderMap,
        draft: Draft<'_>,
    ) -> Result<Reply, ClientError> {
        let mut headers = extra.clone();
        headers.insert(IDEMPOTENCY_KEY, self.keys.key()?);
        let (mut number, mut renewed) = (1, false);
        let trace = self.storage.trace();
        loop {
            let (body, again) = draft.body().await?;
            let sending = body.sending();
            let last = !again || number >= ATTEMPTS_MAX;
            match self.try_ask(&method, target, &headers, body, number, &trace).await {
                Ok(Asked::Answered(reply)) => return Ok(*reply),
                Ok(Asked::TicketExpired(answer)) if last || renewed => return Err(answer.into_error()),
                Ok(Asked::TicketExpired(_)) => renewed = true,
                Err(error) if last => return Err(error),
                Err(error) => match self.keys.asked_to_wait(&error) {
                    Some(pause) => sleep(pause).await,
                    None if is_uncertain(&error) => sleep(self.keys.pause(number)).await,
                    None => return Err(error),
                },
            }
            draft.take_back(sending.bytes());
            number += 1;
        }
    }
}

/// Whether the write may or may not have taken effect, or was not even sent, and another
/// attempt may fare better.
fn is_uncertain(error: &ClientError) -> bool {
    matches!(error, ClientError::TimedOut(_)) || is_lost(error)
}

/// Whether a connection was lost, also before it stood: what it was for may fare better
/// on another one.
pub(crate) fn is_lost(error: &ClientError) -> bool {
    match error {
        ClientError::Broken(_) | ClientError::Unreachable { .. } => true,
        ClientError::Tls { source: HandshakeError::Failed(source), .. } => matches!(
            source.kind(),
            ErrorKind::UnexpectedEof
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
        ),
        ClientError::Tls { source: HandshakeError::Timeout, .. }
        | ClientError::TimedOut(_)
        | ClientError::Busy
        | ClientError::Unauthorized(_)
        | ClientError::Forbidden(_)
        | ClientError::NotFound(_)
        | ClientError::Conflict(_)
        | ClientError::Unavailable(_)
        | ClientError::Refused(_)
        | ClientError::Corrupt { .. }
        | ClientError::Length { .. }
        | ClientError::Protocol(_)
        | ClientError::Local { .. }
        | ClientError::LocalName { .. }
        | ClientError::Key { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{Keys, PAUSE_MAX, RETRY_AFTER_MAX};
    use crate::error::Answer;

    fn refused(status: u16, retry_after_s: Option<u32>) -> crate::error::ClientError {
        Answer { status, code: String::new(), trans_id: String::new(), retry_after_s }.into_error()
    }

    #[test]
    fn a_service_that_asks_to_wait_is_obeyed_within_bounds() {
        let keys = Keys::new(StdRng::seed_from_u64(5));
        for status in [429, 503] {
            for told in [0, 1, 10] {
                let waits = keys.asked_to_wait(&refused(status, Some(told))).unwrap();
                let told = Duration::from_secs(told.into());
                assert!((told..told + PAUSE_MAX).contains(&waits), "{waits:?}");
            }
            let longer = u32::try_from(RETRY_AFTER_MAX.as_secs()).unwrap() + 1;
            assert_eq!(keys.asked_to_wait(&refused(status, Some(longer))), None);
            assert_eq!(keys.asked_to_wait(&refused(status, None)), None, "nobody asked");
        }
        assert_eq!(keys.asked_to_wait(&refused(500, Some(1))), None);
        assert_eq!(keys.asked_to_wait(&refused(404, Some(1))), None);
    }

    #[test]
    fn pauses_double_differ_and_end() {
        let keys = Keys::new(StdRng::seed_from_u64(5));
        for (attempts, longest_ms) in [(1, 250), (2, 500), (3, 1_000), (5, 4_000), (255, 4_000)] {
            let longest = Duration::from_millis(longest_ms);
            let drawn: Vec<_> = (0..50).map(|_| keys.back_off(attempts)).collect();
            assert!(drawn.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{drawn:?}");
            assert!(drawn.iter().any(|pause| pause != &drawn[0]));
        }
    }
}
