//! The operations on objects and containers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use rand::SeedableRng;
use rand::rngs::StdRng;
use repono_core::name::{AccountName, ContainerName};
use repono_journal::SharedRecorder;
use repono_net::tls::{TlsError, client_config};
use tokio::time::{Instant, sleep};

use crate::address::{ObjectAddress, container_target};
use crate::body::Outgoing;
use crate::error::{Answer, ClientError};
use crate::exchange::{Ask, Reply, exchange};
use crate::limits::Limits;
use crate::object::ObjectState;
use crate::pool::Host;
use crate::pool::idle::LearnedIdle;
use crate::profile::Profile;
use crate::repeat::{ATTEMPTS_MAX, Draft, Keys, is_lost};
use crate::trace::{CallersTrace, Trace};
use crate::vending::Tickets;
use crate::vending::{TicketWish, VendedTicket};

/// The longest answer of a monitor: a day by the minute with a heatmap is some 100 KiB.
const MONITOR_BYTES_MAX: usize = 16 << 20;

/// What a client needs besides its profile.
pub struct Options {
    /// The bounds.
    pub limits: Limits,
    /// Where requests and connections are recorded.
    pub recorder: Option<SharedRecorder>,
    /// Source of connection ids and of the ids of traces.
    pub random: StdRng,
    /// The trace that every request belongs to; without one each has its own.
    pub trace: Option<CallersTrace>,
    /// What the tickets of its requests are narrowed to; by default nothing.
    pub ticket: TicketWish,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::DEFAULT,
            recorder: None,
            random: StdRng::from_os_rng(),
            trace: None,
            ticket: TicketWish::default(),
        }
    }
}

/// A client of one endpoint, in the name of one user and one application.
///
/// *Shape*: one pool for the heads and one for vending. Share it by reference or
/// in an `Arc`; [`Client::close`] it at the end, so that its connections say
/// goodbye and are recorded.
pub struct Client {
    pub(crate) storage: Arc<Host>,
    vending: Arc<Host>,
    monitor: Option<Arc<Host>>,
    tickets: Tickets,
    /// For writes that may be sent again.
    pub(crate) keys: Keys,
}

impl Client {
    /// A client for this profile. Connects nowhere yet.
    ///
    /// *Errors*: the certificates to trust are not usable.
    pub fn new(profile: &Profile, options: Options) -> Result<Self, TlsError> {
        let Options { limits, recorder, mut random, trace, ticket } = options;
        let tls = client_config(&profile.ca_pem)?;
        let mut host = |endpoint: &crate::endpoint::Endpoint| {
            let seeded = StdRng::from_rng(&mut random);
            Arc::new(Host::new(
                endpoint.clone(),
                Arc::clone(&tls),
                limits,
                recorder.clone(),
                seeded,
                trace.clone(),
            ))
        };
        let storage = host(&profile.endpoint);
        let vending = host(&profile.vending);
        let monitor = profile.monitor.as_ref().map(&mut host);
        let tickets = Tickets::new(Arc::clone(&vending), profile, ticket);
        Ok(Self { storage, vending, monitor, tickets, keys: Keys::new(random) })
    }

    /// Closes idle connections with close_notify and FIN, and waits up to 2 s for
    /// them.
    pub async fn close(&self) {
        let monitor = async {
            if let Some(monitor) = &self.monitor {
                monitor.close().await;
            }
        };
        tokio::join!(self.storage.close(), self.vending.close(), monitor);
    }

    /// How many connections to the heads are open and idle at present.
    #[must_use]
    pub fn idle_connections(&self) -> usize {
        self.storage.idle()
    }

    /// How long a connection to the heads may idle on the way there, and how it ends
    /// then, where that was learned.
    #[must_use]
    pub fn learned_idle(&self) -> Option<LearnedIdle> {
        self.storage.path(|path| path.idle_limit(Instant::now()))
    }

    /// A new ticket in the name of the profile's user and application.
    ///
    /// *Errors*: [`ClientError::Unauthorized`] for wrong secrets,
    /// [`ClientError::Refused`] for a life or a scope that cannot be.
    pub async fn vend(&self, wish: &TicketWish) -> Result<VendedTicket, ClientError> {
        self.tickets.vend(wish).await
    }

    /// What the profile's monitor answers to a GET of this target, such as
    /// `/api/v1/heads`; `None` where the profile has no monitor.
    ///
    /// *Errors*: [`ClientError`]; an answer of more than 16 MiB is none.
    pub async fn monitor(&self, target: &str) -> Result<Option<Bytes>, ClientError> {
        let Some(monitor) = &self.monitor else { return Ok(None) };
        let ticket = self.tickets.ticket().await?;
        let ask = Ask::new(Method::GET, target.to_owned(), ticket.headers(), monitor.trace());
        let mut reply = exchange(monitor, ask).await?;
        if reply.status.is_success() {
            return reply.whole(MONITOR_BYTES_MAX).await.map(Some);
        }
        if reply.status == StatusCode::UNAUTHORIZED {
            self.tickets.refused(&ticket).await;
        }
        Err(reply.answer().await.into_error())
    }

    /// The present version of an object, with a pre-authorized URI where the
    /// caller may read it.
    ///
    /// *Errors*: [`ClientError`].
    pub async fn stat(&self, object: &ObjectAddress) -> Result<ObjectState, ClientError> {
        let mut reply = self.ask(Method::HEAD, &object.target(), &HeaderMap::new()).await?;
        let state = ObjectState::from_headers(&reply.headers);
        reply.finish().await?;
        state
    }

    /// An absolute URL that hands out the present version without any credential,
    /// until it expires. Whoever has it can read the object.
    ///
    /// *Errors*: [`ClientError::Forbidden`] where the caller may not read.
    pub async fn share(&self, object: &ObjectAddress) -> Result<String, ClientError> {
        let state = self.stat(object).await?;
        match state.preauth_uri {
            Some(path) => Ok(format!("{}{path}", self.storage.endpoint)),
            None => Err(ClientError::Forbidden(Answer {
                status: 403,
                code: "AccessDenied".to_owned(),
                trans_id: state.trans_id,
                retry_after_s: None,
            })),
        }
    }

    /// Deletes an object.
    ///
    /// *Errors*: [`ClientError::NotFound`] where there is none;
    /// [`ClientError::Broken`] or [`ClientError::TimedOut`] when several attempts were
    /// lost and it is not known whether one of them arrived.
    pub async fn remove(&self, object: &ObjectAddress) -> Result<(), ClientError> {
        let (target, headers) = (object.target(), HeaderMap::new());
        self.write(Method::DELETE, &target, &headers, Draft::Empty).await?.finish().await
    }

    /// Creates a container, or finds it there.
    ///
    /// *Errors*: [`ClientError`].
    pub async fn create_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<(), ClientError> {
        let target = container_target(account, container);
        self.ask(Method::PUT, &target, &HeaderMap::new()).await?.finish().await
    }

    /// Deletes an empty container.
    ///
    /// *Errors*: [`ClientError::Conflict`] where it holds objects.
    pub async fn delete_container(
        &self,
        account: &AccountName,
        container: &ContainerName,
    ) -> Result<(), ClientError> {
        let target = container_target(account, container);
        self.ask(Method::DELETE, &target, &HeaderMap::new()).await?.finish().await
    }

    /// An idempotent request without a body in the caller's name, successful or an
    /// error; asked again where the service asks to wait, a read also where its connection
    /// was lost, and once with another ticket.
    pub(crate) async fn ask(
        &self,
        method: Method,
        target: &str,
        extra: &HeaderMap,
    ) -> Result<Reply, ClientError> {
        let (mut number, mut renewed) = (1, false);
        let reads = matches!(method, Method::GET | Method::HEAD);
        let trace = self.storage.trace();
        loop {
            match self.try_ask(&method, target, extra, Outgoing::empty(), number, &trace).await {
                Ok(Asked::Answered(reply)) => return Ok(*reply),
                Ok(Asked::TicketExpired(answer)) if renewed => return Err(answer.into_error()),
                Ok(Asked::TicketExpired(_)) => renewed = true,
                Err(error) if number >= ATTEMPTS_MAX => return Err(error),
                Err(error) => match self.keys.asked_to_wait(&error) {
                    Some(pause) => sleep(pause).await,
                    // The pool has tried a fresh connection, and that one was lost too.
                    None if reads && is_lost(&error) => sleep(self.keys.back_off(number)).await,
                    None => return Err(error),
                },
            }
            number += 1;
        }
    }

    /// The first or another attempt at a request in the caller's name; whether the
    /// ticket has expired is for the caller, who alone knows whether the body can be
    /// sent again.
    pub(crate) async fn try_ask(
        &self,
        method: &Method,
        target: &str,
        extra: &HeaderMap,
        body: Outgoing,
        number: u8,
        trace: &Trace,
    ) -> Result<Asked, ClientError> {
        let ticket = self.tickets.ticket().await?;
        let mut headers = ticket.headers();
        headers.extend(extra.iter().map(|(name, value)| (name.clone(), value.clone())));
        let (target, trace) = (target.to_owned(), trace.clone());
        let ask = Ask { method: method.clone(), target, headers, body, number, trace };
        let mut reply = exchange(&self.storage, ask).await?;
        if reply.status.is_success() {
            return Ok(Asked::Answered(Box::new(reply)));
        }
        let answer = reply.answer().await;
        // The reply to a HEAD has no body to say which kind of 401 it is.
        let unsaid = method == Method::HEAD && answer.code.is_empty();
        if reply.status == StatusCode::UNAUTHORIZED && (answer.code == "TicketExpired" || unsaid) {
            self.tickets.refused(&ticket).await;
            return Ok(Asked::TicketExpired(answer));
        }
        Err(answer.into_error())
    }
}

/// The outcome of one request in the caller's name.
pub(crate) enum Asked {
    /// A successful reply.
    Answered(Box<Reply>),
    /// The ticket has expired, and has been forgotten: asked again, there will be
    /// another.
    TicketExpired(Answer),
}
