//! What vending said a moment ago of tickets that scripts send with every request.

use std::net::IpAddr;

use tokio::time::Instant;
use zeroize::Zeroizing;

use super::Visitor;
use crate::limits::{REMEMBERED_FOR, REMEMBERED_MAX};

/// A bounded list of answers, found by the whole of what was shown and from where; the
/// oldest goes first. Refusals are not remembered.
#[derive(Default)]
pub(super) struct Remembered(Vec<Entry>);

struct Entry {
    key: Zeroizing<Vec<u8>>,
    source: IpAddr,
    visitor: Visitor,
    told: Instant,
}

impl Entry {
    fn is(&self, key: &[u8], source: IpAddr) -> bool {
        self.source == source && *self.key == key
    }
}

impl Remembered {
    pub(super) fn find(&self, key: &[u8], source: IpAddr, now: Instant) -> Option<Visitor> {
        let fresh = |entry: &&Entry| now.saturating_duration_since(entry.told) < REMEMBERED_FOR;
        let found = self.0.iter().find(|entry| entry.is(key, source)).filter(fresh);
        found.map(|entry| entry.visitor.clone())
    }

    /// Whether the ticket held before, however long ago.
    pub(super) fn knows(&self, key: &[u8], source: IpAddr) -> bool {
        self.0.iter().any(|entry| entry.is(key, source))
    }

    pub(super) fn forget(&mut self, key: &[u8], source: IpAddr) {
        self.0.retain(|entry| !entry.is(key, source));
    }

    pub(super) fn keep(&mut self, key: Zeroizing<Vec<u8>>, source: IpAddr, visitor: Visitor, now: Instant) {
        self.forget(&key, source);
        if self.0.len() >= REMEMBERED_MAX {
            self.0.remove(0);
        }
        self.0.push(Entry { key, source, visitor, told: now });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::time::{Instant, advance};

    use super::Remembered;
    use crate::access::credential::Credential;
    use crate::access::{Role, Visitor};
    use crate::limits::{REMEMBERED_FOR, REMEMBERED_MAX};

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn keep(remembered: &mut Remembered, token: &str) {
        let visitor = Visitor { user: token.into(), role: Role::Reader, until_ms: 0, csrf: None };
        let key = Credential::token(token).unwrap().key();
        remembered.keep(key, HERE, visitor, Instant::now());
    }

    fn found(remembered: &Remembered, token: &str, source: IpAddr) -> Option<String> {
        let key = Credential::token(token).unwrap().key();
        remembered.find(&key, source, Instant::now()).map(|visitor| visitor.user.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_for_one_ticket_from_one_place_for_some_seconds() {
        let mut remembered = Remembered::default();
        keep(&mut remembered, "RK1.a");
        assert_eq!(found(&remembered, "RK1.a", HERE).as_deref(), Some("RK1.a"));
        assert_eq!(found(&remembered, "RK1.b", HERE), None);
        assert_eq!(found(&remembered, "RK1.a", Ipv4Addr::new(192, 0, 2, 1).into()), None);
        advance(REMEMBERED_FOR).await;
        assert_eq!(found(&remembered, "RK1.a", HERE), None);
        let key = Credential::token("RK1.a").unwrap().key();
        assert!(remembered.knows(&key, HERE), "it held before");
        remembered.forget(&key, HERE);
        assert!(!remembered.knows(&key, HERE));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_goes_first_and_none_stands_twice() {
        let mut remembered = Remembered::default();
        for number in 0..REMEMBERED_MAX {
            keep(&mut remembered, &format!("RK1.{number}"));
        }
        keep(&mut remembered, "RK1.0");
        keep(&mut remembered, "RK1.one more");
        assert_eq!(remembered.0.len(), REMEMBERED_MAX);
        assert_eq!(found(&remembered, "RK1.1", HERE), None);
        assert_eq!(found(&remembered, "RK1.0", HERE).as_deref(), Some("RK1.0"));
    }
}
