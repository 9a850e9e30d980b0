//! Sessions of people at the page: in memory alone, so that they end with the monitor.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::credential::Credential;
use super::{Role, Visitor};
use crate::limits::{REASK_AFTER_FAILURE, REASK_EVERY, SESSIONS_MAX, UNCONFIRMED_MAX};

/// What a cookie is found by: the hash of its secret, so that looking it up tells
/// nothing about the secrets that there are.
pub(super) type Key = [u8; blake3::OUT_LEN];

/// The hash of a secret.
pub(super) fn key(secret: &str) -> Key {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// Whether two secrets are the same; its time depends on neither.
pub(super) fn same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

/// One person's session.
pub(super) struct Session {
    pub(super) user: Arc<str>,
    pub(super) role: Role,
    /// Shown to our page alone, which sends it with whatever changes something.
    pub(super) csrf: Arc<Zeroizing<String>>,
    pub(super) until: Instant,
    pub(super) until_ms: u64,
    pub(super) proof: Proof,
}

/// What a session rests on.
pub(super) enum Proof {
    /// A ticket, about which vending is asked again and again.
    Ticket(Arc<Credential>),
    /// The one-time link of this machine's supervisor.
    Link,
}

struct Entry {
    session: Session,
    used: Instant,
    /// When vending last confirmed it.
    confirmed: Instant,
    ask_at: Instant,
}

/// What a look at a session found.
pub(super) struct Found {
    pub(super) visitor: Visitor,
    /// The ticket, if vending is to be asked about it now.
    pub(super) due: Option<Arc<Credential>>,
    /// The ticket, if there is one.
    pub(super) ticket: Option<Arc<Credential>>,
    /// Whether vending has confirmed it of late.
    pub(super) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Confirmed,
    /// Vending has not answered for so long that the user may have been disabled.
    Unconfirmed,
}

/// At most [`SESSIONS_MAX`]; the one that was used longest ago goes first.
#[derive(Default)]
pub(super) struct Sessions(HashMap<Key, Entry>);

impl Sessions {
    pub(super) fn open(&mut self, key: Key, session: Session, now: Instant) {
        self.0.retain(|_, entry| now < entry.session.until);
        if self.0.len() >= SESSIONS_MAX {
            let idle = self.0.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            idle.and_then(|idle| self.0.remove(&idle));
        }
        self.0.insert(key, Entry { session, used: now, confirmed: now, ask_at: now + REASK_EVERY });
    }

    /// Finds a session; whoever is told that vending is due is the only one for a while.
    pub(super) fn find(&mut self, key: &Key, now: Instant) -> Option<Found> {
        let entry = self.0.get_mut(key)?;
        if now >= entry.session.until {
            self.0.remove(key);
            return None;
        }
        entry.used = now;
        let session = &entry.session;
        let ticket = match &session.proof {
            Proof::Ticket(ticket) => Some(Arc::clone(ticket)),
            Proof::Link => None,
        };
        let due = ticket.clone().filter(|_| now >= entry.ask_at);
        if due.is_some() {
            entry.ask_at = now + REASK_AFTER_FAILURE;
        }
        let unconfirmed =
            ticket.is_some() && now.saturating_duration_since(entry.confirmed) >= UNCONFIRMED_MAX;
        Some(Found {
            visitor: Visitor {
                user: Arc::clone(&session.user),
                role: session.role,
                until_ms: session.until_ms,
                csrf: Some(Arc::clone(&session.csrf)),
            },
            due,
            ticket,
            standing: if unconfirmed { Standing::Unconfirmed } else { Standing::Confirmed },
        })
    }

    /// Vending has confirmed a session, with a role that may have changed.
    pub(super) fn confirm(&mut self, key: &Key, role: Role, now: Instant) {
        if let Some(entry) = self.0.get_mut(key) {
            entry.session.role = role;
            entry.confirmed = now;
            entry.ask_at = now + REASK_EVERY;
        }
    }

    pub(super) fn close(&mut self, key: &Key) -> Option<Arc<str>> {
        self.0.remove(key).map(|entry| entry.session.user)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::{Instant, advance};
    use zeroize::Zeroizing;

    use super::{Proof, Session, Sessions, Standing, key, same};
    use crate::access::Role;
    use crate::access::credential::Credential;
    use crate::limits::{SESSIONS_MAX, UNCONFIRMED_MAX};

    fn session(proof: Proof, life: Duration) -> Session {
        Session {
            user: "demo:demo".into(),
            role: Role::Operator,
            csrf: Arc::new(Zeroizing::new("c".to_owned())),
            until: Instant::now() + life,
            until_ms: 0,
            proof,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_session_beyond_the_last_place_takes_that_of_the_longest_idle() {
        let mut sessions = Sessions::default();
        let hour = Duration::from_secs(3600);
        for number in 0..SESSIONS_MAX {
            sessions.open(key(&number.to_string()), session(Proof::Link, hour), Instant::now());
            advance(Duration::from_millis(1)).await;
        }
        assert!(sessions.find(&key("0"), Instant::now()).is_some(), "and is used now");
        sessions.open(key("one more"), session(Proof::Link, hour), Instant::now());
        assert_eq!(sessions.0.len(), SESSIONS_MAX);
        assert!(sessions.find(&key("1"), Instant::now()).is_none());
        assert!(sessions.find(&key("0"), Instant::now()).is_some());
        advance(hour).await;
        sessions.open(key("later"), session(Proof::Link, hour), Instant::now());
        assert_eq!(sessions.0.len(), 1, "those that ended keep no place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_with_its_time_and_at_log_out() {
        let mut sessions = Sessions::default();
        sessions.open(key("a"), session(Proof::Link, Duration::from_secs(60)), Instant::now());
        sessions.open(key("b"), session(Proof::Link, Duration::from_secs(60)), Instant::now());
        assert_eq!(sessions.close(&key("b")).as_deref(), Some("demo:demo"));
        assert!(sessions.find(&key("b"), Instant::now()).is_none());
        advance(Duration::from_secs(60)).await;
        assert!(sessions.find(&key("a"), Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn vending_is_asked_once_a_minute_by_one_of_many() {
        let mut sessions = Sessions::default();
        let proof = Proof::Ticket(Arc::new(Credential::token("RK1.x").expect("short")));
        sessions.open(key("a"), session(proof, Duration::from_secs(3600)), Instant::now());
        let mut due = || sessions.find(&key("a"), Instant::now()).expect("there").due.is_some();
        assert!(!due());
        advance(Duration::from_secs(60)).await;
        assert!(due() && !due(), "the second goes on with the last answer");
        advance(Duration::from_secs(5)).await;
        assert!(due(), "there was none");
        sessions.confirm(&key("a"), Role::Reader, Instant::now());
        let found = sessions.find(&key("a"), Instant::now()).expect("there");
        assert_eq!((found.visitor.role, found.due.is_some()), (Role::Reader, false));
        advance(UNCONFIRMED_MAX).await;
        assert_eq!(sessions.find(&key("a"), Instant::now()).expect("there").standing, Standing::Unconfirmed);
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same("a", "a") && !same("a", "b") && !same("a", ""));
    }
}
