//! Who is at the door: a person with a session, or a script with a ticket. Vending says
//! whom a ticket speaks for; a session rests on one, or on the one-time link.

pub(crate) mod credential;
pub(crate) mod link;
mod remembered;
mod session;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use rand::Rng;
use repono_core::time::Timestamp;
use repono_journal::Stamp;
use repono_net::throttle::{Failures, Source};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::limits::SESSION_LIFE_MAX;
use crate::vending::{Told, Vending, VendingError};

use credential::Credential;
use link::OneTimeLink;
use remembered::Remembered;
use session::{Found, Key, Proof, Session, Sessions, Standing};

/// What a visitor may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Look.
    Reader,
    /// Change the heads as well.
    Operator,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    View,
    Operate,
}

/// Somebody who may be here. `csrf` is there for a session alone.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// `account:user`.
    pub(crate) user: Arc<str>,
    pub(crate) role: Role,
    pub(crate) until_ms: u64,
    pub(crate) csrf: Option<Arc<Zeroizing<String>>>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    /// Neither a session nor a ticket that holds.
    Unauthorized,
    /// No policy gives the user the right.
    Forbidden,
    /// The session's own token did not come with what changes something.
    Csrf,
    /// Too much that does not hold was shown from there.
    Limited(Duration),
    /// Vending did not answer.
    Unavailable,
    /// No vending service is configured.
    NoVending,
}

/// What a cookie is made of.
pub(crate) struct LoggedIn {
    pub(crate) cookie: Zeroizing<String>,
    pub(crate) life: Duration,
}

/// Everything that letting people in needs.
pub(crate) struct Access {
    vending: Option<Vending>,
    sessions: Mutex<Sessions>,
    remembered: Mutex<Remembered>,
    link: Mutex<Option<OneTimeLink>>,
    failures: Mutex<Failures<Source>>,
}

impl Access {
    pub(crate) fn new(vending: Option<Vending>, link: Option<OneTimeLink>) -> Self {
        Self {
            vending,
            sessions: Mutex::default(),
            remembered: Mutex::default(),
            link: Mutex::new(link),
            failures: Mutex::default(),
        }
    }

    /// Whether a ticket can be used at all.
    pub(crate) const fn takes_tickets(&self) -> bool {
        self.vending.is_some()
    }

    /// Logs a person in with a ticket.
    ///
    /// *Errors*: [`Denial`].
    pub(crate) async fn log_in(&self, token: &str, source: IpAddr) -> Result<LoggedIn, Denial> {
        let ticket = Credential::token(token).map_err(|_| Denial::Unauthorized)?;
        let told = self.ask(&ticket, source).await?;
        let visitor = visitor(&told)?;
        let left = told.until_s.saturating_sub(Timestamp::now().unix_seconds());
        Ok(self.open(visitor.user, visitor.role, Duration::from_secs(left), Proof::Ticket(Arc::new(ticket))))
    }

    /// Logs a person in with the one-time link, which is used up then.
    ///
    /// *Errors*: [`Denial`].
    pub(crate) fn log_in_once(&self, secret: &str, source: IpAddr) -> Result<LoggedIn, Denial> {
        self.check_limit(source)?;
        let now = Instant::now();
        let user = {
            let mut link = lock(&self.link);
            let user = link.as_ref().and_then(|link| link.opens(secret, now)).map(Arc::from);
            if user.is_some() {
                *link = None;
            }
            user
        };
        let Some(user) = user else {
            self.failed(source);
            return Err(Denial::Unauthorized);
        };
        Ok(self.open(user, Role::Operator, SESSION_LIFE_MAX, Proof::Link))
    }

    fn open(&self, user: Arc<str>, role: Role, life: Duration, proof: Proof) -> LoggedIn {
        let life = life.min(SESSION_LIFE_MAX);
        let (cookie, now) = (secret(), Instant::now());
        let life_ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        let until_ms = (Stamp::now().wall_ns / 1_000_000).saturating_add(life_ms);
        tracing::info!(%user, ?role, "logged in");
        let session = Session { user, role, csrf: Arc::new(secret()), until: now + life, until_ms, proof };
        lock(&self.sessions).open(session::key(&cookie), session, now);
        LoggedIn { cookie, life }
    }

    pub(crate) fn log_out(&self, cookie: &str) {
        if let Some(user) = lock(&self.sessions).close(&session::key(cookie)) {
            tracing::info!(%user, "logged out");
        }
    }

    /// The visitor of a session. What changes something comes with the session's token,
    /// and vending is asked anew before it.
    ///
    /// *Errors*: [`Denial`].
    pub(crate) async fn by_session(
        &self,
        cookie: &str,
        csrf: Option<&str>,
        need: Need,
        source: IpAddr,
    ) -> Result<Visitor, Denial> {
        let key = session::key(cookie);
        let found = lock(&self.sessions).find(&key, Instant::now()).ok_or(Denial::Unauthorized)?;
        let Found { mut visitor, due, ticket, standing } = found;
        let ours = |csrf: &str| visitor.csrf.as_ref().is_some_and(|own| session::same(own, csrf));
        if need == Need::Operate && !csrf.is_some_and(ours) {
            return Err(Denial::Csrf);
        }
        let ask_about = match need {
            Need::View => due,
            Need::Operate => ticket,
        };
        match ask_about {
            Some(ticket) => match self.confirm(&key, &ticket, source).await {
                Ok(role) => visitor.role = role,
                // Whoever looks may go on looking for a while.
                Err(Denial::Unavailable | Denial::Limited(_))
                    if need == Need::View && standing == Standing::Confirmed => {}
                Err(denial) => return Err(denial),
            },
            None if standing == Standing::Unconfirmed => return Err(Denial::Unavailable),
            None => {}
        }
        fit(visitor, need)
    }

    /// Asks about a session's ticket; a session whose ticket holds no more ends.
    async fn confirm(&self, key: &Key, ticket: &Credential, source: IpAddr) -> Result<Role, Denial> {
        let told = match self.ask_vending(ticket, source).await {
            Ok(told) => told,
            Err(denial @ Denial::Unauthorized) => {
                lock(&self.sessions).close(key);
                return Err(denial);
            }
            Err(denial) => return Err(denial),
        };
        match visitor(&told) {
            Ok(visitor) => {
                lock(&self.sessions).confirm(key, visitor.role, Instant::now());
                Ok(visitor.role)
            }
            Err(denial) => {
                lock(&self.sessions).close(key);
                Err(denial)
            }
        }
    }

    /// The visitor of a ticket that came with the request. What vending says is remembered
    /// for some seconds, and asked anew before what changes something. Of a ticket that
    /// held before it is always asked, whatever others there get wrong.
    ///
    /// *Errors*: [`Denial`].
    pub(crate) async fn by_ticket(
        &self,
        ticket: &Credential,
        need: Need,
        source: IpAddr,
    ) -> Result<Visitor, Denial> {
        let key = ticket.key();
        let remembered = match need {
            Need::View => lock(&self.remembered).find(&key, source, Instant::now()),
            Need::Operate => None,
        };
        if let Some(visitor) = remembered {
            return fit(visitor, need);
        }
        let known = lock(&self.remembered).knows(&key, source);
        let told =
            if known { self.ask_vending(ticket, source).await } else { self.ask(ticket, source).await };
        let visitor = match told.and_then(|told| visitor(&told)) {
            Ok(visitor) => visitor,
            Err(denial @ (Denial::Unauthorized | Denial::Forbidden)) => {
                lock(&self.remembered).forget(&key, source);
                return Err(denial);
            }
            Err(denial) => return Err(denial),
        };
        lock(&self.remembered).keep(key, source, visitor.clone(), Instant::now());
        fit(visitor, need)
    }

    /// Asks vending, and counts what does not hold against where it came from.
    async fn ask(&self, ticket: &Credential, source: IpAddr) -> Result<Told, Denial> {
        self.check_limit(source)?;
        let outcome = self.ask_vending(ticket, source).await;
        if matches!(outcome, Err(Denial::Unauthorized)) {
            self.failed(source);
        }
        outcome
    }

    async fn ask_vending(&self, ticket: &Credential, source: IpAddr) -> Result<Told, Denial> {
        let vending = self.vending.as_ref().ok_or(Denial::NoVending)?;
        vending.ask(ticket, source).await.map_err(|error| match error {
            VendingError::Invalid => Denial::Unauthorized,
            VendingError::Limited(wait) => Denial::Limited(wait),
            VendingError::Connect(_)
            | VendingError::Handshake(_)
            | VendingError::Timeout
            | VendingError::Question(_)
            | VendingError::Answer(_) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "nobody can be let in with a ticket");
                Denial::Unavailable
            }
        })
    }

    fn check_limit(&self, source: IpAddr) -> Result<(), Denial> {
        let wait = lock(&self.failures).wait(&Source::from(source), Instant::now());
        if wait.is_zero() { Ok(()) } else { Err(Denial::Limited(wait)) }
    }

    fn failed(&self, source: IpAddr) {
        lock(&self.failures).take(Source::from(source), Instant::now());
    }
}

/// The visitor that vending told of.
fn visitor(told: &Told) -> Result<Visitor, Denial> {
    let role = match (told.may_view, told.may_operate) {
        (true, true) => Role::Operator,
        (true, false) => Role::Reader,
        (false, _) => return Err(Denial::Forbidden),
    };
    let until_ms = told.until_s.saturating_mul(1000);
    Ok(Visitor { user: told.user.as_str().into(), role, until_ms, csrf: None })
}

fn fit(visitor: Visitor, need: Need) -> Result<Visitor, Denial> {
    match (need, visitor.role) {
        (Need::View, _) | (Need::Operate, Role::Operator) => Ok(visitor),
        (Need::Operate, Role::Reader) => Err(Denial::Forbidden),
    }
}

/// 32 random bytes as text.
fn secret() -> Zeroizing<String> {
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(rand::rng().random());
    Zeroizing::new(HEXLOWER.encode(&*bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
