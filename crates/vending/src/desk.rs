//! One request for a ticket, from the log-in to the signature.
//!
//! An unknown user, a wrong secret, an unknown or wrong application, a user who is
//! not bound to it, and anything disabled: one answer, after the same work.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use rand::Rng;
use repono_core::name::{AccountName, ApplicationName, UserName};
use repono_core::time::Timestamp;
use repono_journal::{AuditRecord, Decision, SharedRecorder, Stamp, Text};
use repono_store::model::identity::Standing;
use repono_ticket::{Claims, Life, Salt, Scope, Ticket, issue};
use serde::Deserialize;
use tokio::time::Instant;

use crate::directory::{Application, Directory, Feed, User};
use crate::limits::DIRECTORY_POLL;
use crate::reply::{Documented, Fault};
use crate::secret::{Comparison, NOTHING, Secret, SecretError, Verifier};
use repono_net::throttle::{Limited, Source, Throttle};

const UNAUTHORIZED: Fault = Fault::new(
    StatusCode::UNAUTHORIZED,
    "Unauthorized",
    "The user, the application or one of their secrets is not valid.",
    "Check all four, and that the user is bound to this application and enabled.",
);
pub(crate) const LIMITED: Fault = Fault::new(
    StatusCode::TOO_MANY_REQUESTS,
    "TooManyFailedLogins",
    "Too many log-ins have failed from this source or for this user.",
    "Wait as long as Retry-After says.",
);
const CROWDED: Fault = Fault::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "SlowDown",
    "Too many log-ins with chosen secrets are under way.",
    "Try again, or let the service generate the secret: such a log-in never waits.",
);
pub(crate) const STALE: Fault = Fault::new(
    StatusCode::SERVICE_UNAVAILABLE,
    "ServiceUnavailable",
    "The store has not answered for a while, so nobody can be logged in.",
    "Try again; tickets that were issued go on.",
);

/// The body of `POST /v1/tickets`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TicketRequest {
    user: String,
    secret: Secret,
    application: String,
    application_secret: Secret,
    life_s: Option<u64>,
    scope: Option<String>,
}

impl Documented for TicketRequest {
    const FORM: &'static str = r#"{"user":"ACCOUNT:USER","secret":"…","application":"NAME","application_secret":"…","life_s":1200,"scope":"m=GET,HEAD;p=/v1/ACCOUNT/…"}; the last two may be left out"#;
}

/// What a log-in says, by whichever interface it came.
pub(crate) struct LogIn<'a> {
    /// `account:user`.
    pub(crate) user: &'a str,
    pub(crate) secret: &'a Secret,
    pub(crate) through: Through<'a>,
    pub(crate) life_s: Option<u64>,
    pub(crate) scope: Option<&'a str>,
}

/// The application of a log-in, and on whose word.
#[derive(Clone, Copy)]
pub(crate) enum Through<'a> {
    /// The caller names it and shows its secret.
    Shown { application: &'a str, secret: &'a Secret },
    /// The operator names it, for an interface that has no field for one.
    Configured(&'a ApplicationName),
}

impl<'a> Through<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Shown { application, secret: _ } => application,
            Self::Configured(application) => application.as_str(),
        }
    }

    fn secret(self) -> Option<&'a Secret> {
        match self {
            Self::Shown { application: _, secret } => Some(secret),
            Self::Configured(_) => None,
        }
    }
}

impl TicketRequest {
    pub(crate) fn log_in(&self) -> LogIn<'_> {
        LogIn {
            user: &self.user,
            secret: &self.secret,
            through: Through::Shown { application: &self.application, secret: &self.application_secret },
            life_s: self.life_s,
            scope: self.scope.as_deref(),
        }
    }
}

/// A request whose form is right.
struct Asked {
    /// `account:user`.
    user: String,
    application: ApplicationName,
    life: Life,
    scope: Option<Scope>,
}

impl Asked {
    fn parse(request: &LogIn<'_>) -> Result<Self, Fault> {
        let (account, user) = request
            .user
            .split_once(':')
            .ok_or_else(|| Fault::invalid("`user` must be ACCOUNT:USER.", TicketRequest::FORM))?;
        let named = |field: &'static str| {
            move |error| Fault::invalid(format!("`{field}`: {error}."), TicketRequest::FORM)
        };
        account.parse::<AccountName>().map_err(named("user"))?;
        user.parse::<UserName>().map_err(named("user"))?;
        let application = request.through.name().parse().map_err(named("application"))?;
        for secret in [Some(request.secret), request.through.secret()].into_iter().flatten() {
            if secret.is_too_long() {
                return Err(Fault::invalid("A secret is longer than any that is kept.", TicketRequest::FORM));
            }
        }
        let life = request
            .life_s
            .map_or(Ok(Life::DEFAULT), Life::from_seconds)
            .map_err(|error| Fault::invalid(format!("`life_s`: {error}."), "Leave it out for 20 minutes."))?;
        let scope = request.scope.map(|scope| Scope::parse(scope.as_bytes())).transpose();
        let scope = scope.map_err(|error| {
            Fault::invalid(format!("`scope`: {error}."), "Such as m=GET,HEAD;p=/v1/acme/docs/;ip=10.1.0.0/16")
        })?;
        Ok(Self { user: request.user.to_owned(), application, life, scope })
    }
}

/// The instants of one request.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    /// For the journal.
    pub(crate) stamp: Stamp,
    /// Unix seconds, for the ticket.
    pub(crate) unix_s: u64,
}

impl Moment {
    /// The present.
    pub(crate) fn now() -> Self {
        Self { stamp: Stamp::now(), unix_s: Timestamp::now().unix_seconds() }
    }
}

/// Everything that vending a ticket needs.
pub(crate) struct Desk {
    feed: Arc<Feed>,
    verifier: Arc<Verifier>,
    throttle: Mutex<Throttle>,
    recorder: SharedRecorder,
}

impl Desk {
    pub(crate) fn new(feed: Arc<Feed>, verifier: Arc<Verifier>, recorder: SharedRecorder) -> Self {
        Self { feed, verifier, throttle: Mutex::new(Throttle::new()), recorder }
    }

    /// Whether tickets can be issued.
    pub(crate) fn is_open(&self) -> bool {
        self.feed.fresh(Instant::now()).is_ok()
    }

    /// Issues a ticket, and records that it did or why it did not.
    ///
    /// *Errors*: 400 for the form, 401, 429 and 503.
    pub(crate) async fn issue(
        &self,
        request: &LogIn<'_>,
        source: SocketAddr,
        now: Moment,
        random: &mut (impl Rng + Send),
    ) -> Result<Ticket, Fault> {
        let outcome = self.decide(request, source, now, random).await;
        self.record(request.user, request.through.name(), source, now.stamp, outcome.as_ref());
        outcome
    }

    /// Records how a log-in ended, also one that cannot be read as one.
    pub(crate) fn record(
        &self,
        user: &str,
        application: &str,
        source: SocketAddr,
        at: Stamp,
        outcome: Result<&Ticket, &Fault>,
    ) {
        let (decision, subject) = match outcome {
            Ok(ticket) => (Decision::Granted, Text::new(ticket.salt().hex())),
            Err(fault) => (Decision::Refused(fault.code), Text::EMPTY),
        };
        self.recorder.audit(&AuditRecord {
            at,
            action: "ticket-issue",
            decision,
            source: Some(source),
            actor: Text::new(user),
            application: Text::new(application),
            subject,
        });
    }

    async fn decide(
        &self,
        request: &LogIn<'_>,
        source: SocketAddr,
        now: Moment,
        random: &mut (impl Rng + Send),
    ) -> Result<Ticket, Fault> {
        let asked = Asked::parse(request)?;
        let source = Source::from(source.ip());
        self.check(source, &asked.user)?;
        let directory = self.feed.fresh(Instant::now()).map_err(|_| STALE.retry_after(DIRECTORY_POLL))?;
        let login = Login::look_up(&directory, &asked);
        let comparisons = login.comparisons(request);
        let turn = self.verifier.turn(&comparisons).await.map_err(refused)?;
        if turn.is_some() {
            // Others may have failed while this one waited.
            self.check(source, &asked.user)?;
        }
        let secrets_match = self.verifier.all_match(&comparisons, turn).await.map_err(refused)?;
        match login.granted(secrets_match) {
            Some((user, application)) => {
                let revoked = user.revoked_before_s.max(application.revoked_before_s);
                let salt = Salt::after_revocation(now.unix_s, revoked, random);
                let claims = Claims {
                    account: user.account.clone(),
                    user: user.name.clone(),
                    application: application.name.clone(),
                    expiry: asked.life.expiry(now.unix_s),
                    salt,
                    scope: asked.scope,
                };
                Ok(issue(&directory.signer, &claims))
            }
            None => {
                self.throttle().failed(source, &asked.user, Instant::now());
                Err(UNAUTHORIZED)
            }
        }
    }

    fn check(&self, source: Source, user: &str) -> Result<(), Fault> {
        let limited = self.throttle().check(source, user, Instant::now());
        limited.map_err(|Limited { retry_after }| LIMITED.retry_after(retry_after))
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom a request names: each of the two, or what stands in for one that is not.
struct Login<'a> {
    user: Option<&'a User>,
    application: Option<&'a Application>,
}

impl<'a> Login<'a> {
    fn look_up(directory: &'a Directory, asked: &Asked) -> Self {
        Self {
            user: directory.user(&asked.user),
            application: directory.application(asked.application.as_str()),
        }
    }

    fn comparisons<'b>(&self, request: &LogIn<'b>) -> Vec<Comparison<'b>>
    where
        'a: 'b,
    {
        let user =
            Comparison { presented: request.secret, kept: self.user.map_or(&NOTHING, |user| &user.kept) };
        let application = request.through.secret().map(|presented| Comparison {
            presented,
            kept: self.application.map_or(&NOTHING, |application| &application.kept),
        });
        [Some(user), application].into_iter().flatten().collect()
    }

    /// Both, if every condition holds; each is looked at, whatever the others say.
    fn granted(&self, secrets_match: bool) -> Option<(&'a User, &'a Application)> {
        let (user, application) = (self.user?, self.application?);
        let bound = user.application_id == application.id;
        let enabled = user.standing == Standing::Enabled;
        let served = application.standing == Standing::Enabled;
        (secrets_match & bound & enabled & served).then_some((user, application))
    }
}

fn refused(error: SecretError) -> Fault {
    match error {
        SecretError::Crowded => CROWDED.retry_after(DIRECTORY_POLL),
        SecretError::Failed => {
            tracing::error!(?error, "a log-in could not be checked");
            Fault::INTERNAL
        }
    }
}
