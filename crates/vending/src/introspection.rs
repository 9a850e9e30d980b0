//! Introspection, in the spirit of RFC 7662: whom a ticket speaks for, until when, and
//! which actions at the monitor that user may do. It is asked by monitors, which open no
//! store, with the ticket that a person or a script showed them.
//!
//! Who has a ticket learns nothing but about it: one that does not hold is answered as
//! heads answer it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use repono_core::request::{Method, RequestHead, Version};
use repono_core::time::utc_seconds;
use repono_journal::{AuditRecord, Decision, SharedRecorder, Text};
use repono_net::throttle::{Failures, Source};
use repono_policy::{Action, Actor, Context, Request, Resource, Scope, Transport, UserIdentity};
use repono_ticket::{Malformed, Memory, Presented, Refused, Verified};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::desk::{LIMITED, Moment, STALE};
use crate::directory::{Directory, Feed};
use crate::limits::{DIRECTORY_POLL, INTROSPECTED_MAX};
use crate::reply::{Documented, Fault};

const UNAUTHORIZED: Fault = Fault::new(
    StatusCode::UNAUTHORIZED,
    "Unauthorized",
    "A valid ticket is required.",
    "POST /v1/tickets vends one.",
);
const EXPIRED: Fault = Fault::new(
    StatusCode::UNAUTHORIZED,
    "TicketExpired",
    "The ticket has expired; ask for a new one.",
    "POST /v1/tickets vends one.",
);
const MALFORMED: Fault = Fault::new(
    StatusCode::BAD_REQUEST,
    "MalformedTicket",
    "Send each ticket header exactly once, in its documented form.",
    "Five x-auth- fields, or X-Auth-Token alone.",
);

/// The path that a ticket's scope is held against: nothing of the store.
const PATH: &str = "/monitor";

/// The body of `POST /v1/introspect`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// From where the ticket came to the asker: what policies and the ticket's scope
    /// are held against.
    source: IpAddr,
    /// What to decide.
    actions: Vec<String>,
}

impl Documented for Question {
    const FORM: &'static str =
        r#"{"source":"192.0.2.7","actions":["repono:ViewMonitor","repono:OperateMonitor"]}"#;
}

impl Question {
    fn parse(&self) -> Result<Vec<Action>, Fault> {
        let known = |name: &String| {
            let monitors = Action::ALL.into_iter().filter(|action| action.scope() == Scope::Monitor);
            monitors.into_iter().find(|action| action.as_str() == name)
        };
        let actions: Option<Vec<Action>> = self.actions.iter().map(known).collect();
        let unknown = || Fault::invalid("`actions` names what is no action at the monitor.", Self::FORM);
        let actions = actions.ok_or_else(unknown)?;
        let twice =
            actions.iter().enumerate().any(|(at, action)| actions.iter().take(at).any(|a| a == action));
        if twice { Err(Fault::invalid("`actions` names one twice.", Self::FORM)) } else { Ok(actions) }
    }
}

/// What is answered.
#[derive(Debug, Serialize)]
pub(crate) struct Introspected {
    /// `account:user`.
    user: String,
    application: String,
    /// When the ticket ends, `YYYY-MM-DDTHH:MM:SSZ`.
    until: String,
    /// Those of the actions asked about that are allowed.
    allowed: Vec<&'static str>,
}

/// Everything that introspection needs.
pub(crate) struct Introspection {
    feed: Arc<Feed>,
    memory: Mutex<Memory>,
    /// By who asks and from where the ticket came: a stranger at a monitor does not use
    /// up what others there may get wrong.
    failures: Mutex<Failures<(Source, Source)>>,
    recorder: SharedRecorder,
}

impl Introspection {
    pub(crate) fn new(feed: Arc<Feed>, recorder: SharedRecorder) -> Self {
        let memory = Mutex::new(Memory::new(INTROSPECTED_MAX));
        Self { feed, memory, failures: Mutex::new(Failures::new()), recorder }
    }

    /// Answers a question, and records that it did or why it did not.
    ///
    /// *Errors*: 400 for the form, 401, 429 and 503.
    pub(crate) fn answer(
        &self,
        headers: &HeaderMap,
        question: &Question,
        asker: SocketAddr,
        now: Moment,
    ) -> Result<Introspected, Fault> {
        let outcome = self.decide(headers, question, asker, now);
        let (decision, verified) = match &outcome {
            Ok((_, verified)) => (Decision::Granted, Some(verified)),
            Err(fault) => (Decision::Refused(fault.code), None),
        };
        self.recorder.audit(&AuditRecord {
            at: now.stamp,
            action: "ticket-introspect",
            decision,
            source: Some(asker),
            actor: verified.map_or(Text::EMPTY, |v| Text::new(format!("{}:{}", v.account(), v.user()))),
            application: verified.map_or(Text::EMPTY, |v| Text::new(v.application().as_str())),
            subject: verified.map_or(Text::EMPTY, |v| Text::new(v.salt().hex())),
        });
        outcome.map(|(introspected, _)| introspected)
    }

    fn decide(
        &self,
        headers: &HeaderMap,
        question: &Question,
        asker: SocketAddr,
        now: Moment,
    ) -> Result<(Introspected, Verified), Fault> {
        let actions = question.parse()?;
        let head = head_of(headers)?;
        let presented = Presented::from_head(&head).map_err(malformed)?.ok_or(UNAUTHORIZED)?;
        let sources = (Source::from(asker.ip()), Source::from(question.source));
        self.check_limit(&presented, &sources)?;
        let directory = self.feed.fresh(Instant::now()).map_err(|_| STALE.retry_after(DIRECTORY_POLL))?;
        let checked = self.memory().check(&presented, &directory.rights.verifying_keys, now.unix_s);
        let found = checked.map_err(refused).and_then(|verified| {
            let user = directory.rights.user_of_ticket(&verified).ok_or(UNAUTHORIZED)?;
            Ok((user, verified))
        });
        let (user, verified) = found.inspect_err(|_| self.failures().take(sources, Instant::now()))?;
        let may =
            |action: &Action| allows(&directory, &user, &verified, *action, question.source, now.unix_s);
        let introspected = Introspected {
            user: format!("{}:{}", user.account, user.user),
            application: user.application.to_string(),
            until: utc_seconds(verified.expiry()),
            allowed: actions.into_iter().filter(may).map(Action::as_str).collect(),
        };
        Ok((introspected, verified))
    }

    /// A ticket that held a moment ago is always looked at: whoever keeps a session
    /// asks again and again, whatever others get wrong meanwhile.
    fn check_limit(&self, presented: &Presented<'_>, sources: &(Source, Source)) -> Result<(), Fault> {
        let wait = self.failures().wait(sources, Instant::now());
        if wait.is_zero() || self.memory().holds(presented) { Ok(()) } else { Err(LIMITED.retry_after(wait)) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, Failures<(Source, Source)>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the ticket's scope and the policies allow an action.
fn allows(
    directory: &Directory,
    user: &UserIdentity,
    verified: &Verified,
    action: Action,
    source: IpAddr,
    now_s: u64,
) -> bool {
    // A scope without POST narrows a ticket to looking.
    let method = if action == Action::OperateMonitor { Method::Post } else { Method::Get };
    if verified.scope().is_some_and(|scope| !scope.permits(method, PATH, source)) {
        return false;
    }
    let context = Context {
        source_ip: source,
        now_s,
        transport: Transport::Tls,
        prefix: None,
        delimiter: None,
        max_keys: None,
        user_agent: None,
        referer: None,
    };
    let resource = Resource::Monitor { account: &user.account };
    let request = Request { actor: Actor::User(user), action, resource, context };
    directory.rights.policies.authorize(&request).is_ok()
}

/// The header fields, in the form in which heads read tickets.
fn head_of(headers: &HeaderMap) -> Result<RequestHead, Fault> {
    let mut head = RequestHead::new(Method::Post, Version::Http11, PATH.as_bytes()).map_err(|_| MALFORMED)?;
    for (name, value) in headers {
        head.push(name.as_str().as_bytes(), value.as_bytes()).map_err(|_| MALFORMED)?;
    }
    Ok(head)
}

fn malformed(malformed: Malformed) -> Fault {
    match malformed {
        Malformed::Missing => UNAUTHORIZED,
        Malformed::Duplicate | Malformed::Form => MALFORMED,
    }
}

fn refused(refused: Refused) -> Fault {
    match refused {
        Refused::Expired => EXPIRED,
        Refused::Signature | Refused::TooLong => UNAUTHORIZED,
        Refused::Malformed(form) => malformed(form),
    }
}
