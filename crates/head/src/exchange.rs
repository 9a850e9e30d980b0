//! One request and its reply.

mod access;
mod account;
mod admission;
mod bulk;
mod container;
mod copy;
mod cors;
mod large;
mod object;
mod preauth;
mod read;
mod reply;
mod room;
mod route;
mod service;
mod upload;

use std::net::IpAddr;
use std::sync::Arc;

use repono_core::id::{ConnectionId, TransId};
use repono_core::refusal::{After, Refusal};
use repono_core::request::{Method, RequestHead};
use repono_core::time::Timestamp;
use repono_journal::{Outcome, RequestRecord, Stamp};
use repono_policy::{Action, Permit, Resource};
use repono_store::error::StoreError;
use repono_store::model::repeat::{Body, Repeatable};
use repono_wire::cors::Grant;
use repono_wire::idempotency;
use repono_wire::listing::ListQuery;
use repono_wire::native::Target;

use crate::admission::{Party, Place};
use crate::caller::{Caller, Circumstances};
use crate::carrier::Carrier;
use crate::connection::body::BodyEnd;
use crate::connection::io::IoEnd;
use crate::directory::{Directory, Freshness};
use crate::fault;
use crate::shard::Shard;

pub(crate) use route::handle;

/// Everything that the handling of one request needs and leaves behind.
pub(crate) struct Exchange<'c> {
    pub(crate) shard: &'c Shard,
    pub(crate) carrier: Carrier<'c>,
    pub(crate) head: &'c RequestHead,
    pub(crate) directory: Arc<Directory>,
    pub(crate) trans_id: TransId,
    pub(crate) connection: ConnectionId,
    pub(crate) source: IpAddr,
    pub(crate) now: Timestamp,
    /// Whether this head is on its way out.
    pub(crate) draining: bool,
    /// What the reply will say about the connection.
    pub(crate) after: After,
    /// Whether a ticket or a link was verified.
    pub(crate) authenticated: bool,
    pub(crate) asker: Asker,
    /// Its place among the requests of the same user, once that is known.
    pub(crate) place: Option<Place<Party>>,
    /// What the container grants to the page that a browser asks for.
    pub(crate) grant: Option<Grant>,
    pub(crate) record: RequestRecord,
}

/// At which end of the balancer a request was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// By a client.
    Client,
    /// By the balancer itself, for its health check.
    Balancer,
}

/// Why a request was not carried out.
pub(crate) enum Stop {
    /// The caller is told so.
    Refused(Refusal, Detail),
    /// The reply had begun and cannot be completed, or cannot be sent: the
    /// connection is reset, so that nobody takes it for whole.
    Broken(&'static str),
}

/// What a refusal says besides its document.
pub(crate) enum Detail {
    Nothing,
    /// `Allow` of a 405.
    Allow(&'static [Method]),
    /// `Content-Range` of a 416.
    Size(u64),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, Detail::Nothing)
    }
}

impl From<BodyEnd> for Stop {
    fn from(end: BodyEnd) -> Self {
        end.refusal().into()
    }
}

impl From<IoEnd> for Stop {
    fn from(end: IoEnd) -> Self {
        match end {
            IoEnd::Eof | IoEnd::Failed(_) => Self::Broken("ClientDisconnect"),
            IoEnd::Gone => Self::Broken("ClientVanished"),
            IoEnd::Deadline => Self::Broken("SlowRead"),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        if fault::is_ours(&error) {
            tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        }
        fault::of_store(&error).into()
    }
}

impl Exchange<'_> {
    fn circumstances(&self) -> Circumstances<'_> {
        Circumstances { head: self.head, source: self.source, now_s: self.now.unix_seconds() }
    }

    /// The ticket's user, or anyone; entered into the record.
    fn caller(&mut self, target: &Target) -> Result<Caller, Refusal> {
        let began = Stamp::mono_now();
        let caller = {
            let mut tickets = self.shard.tickets.borrow_mut();
            Caller::from_ticket(&self.directory, &mut tickets, &self.circumstances(), target)?
        };
        self.enter(&caller);
        self.record.phases_ns.authorize += Stamp::mono_now().saturating_sub(began);
        Ok(caller)
    }

    fn enter(&mut self, caller: &Caller) {
        if let Some(user) = caller.user() {
            self.authenticated = true;
            self.record.actor =
                repono_journal::Text::new(user.account.as_str()).and(":").and(user.user.as_str());
            self.record.application = repono_journal::Text::new(user.application.as_str());
        }
    }

    /// The permit for an action, by the policies of this moment.
    fn authorize(
        &mut self,
        caller: &Caller,
        action: Action,
        resource: Resource<'_>,
        listing: Option<&ListQuery>,
    ) -> Result<Permit, Refusal> {
        let began = Stamp::mono_now();
        self.require_fresh(action)?;
        let permit = caller.authorize(&self.directory, &self.circumstances(), action, resource, listing);
        self.record.phases_ns.authorize += Stamp::mono_now().saturating_sub(began);
        permit
    }

    /// As [`Caller::reaches`], from where this request came.
    fn within_scope(&self, caller: &Caller, method: Method, target: &Target) -> Result<(), Refusal> {
        caller.reaches(method, target, self.source)
    }

    /// A head that has lost sight of revocations and policies fails closed.
    fn require_fresh(&self, action: Action) -> Result<(), Refusal> {
        let reads = match action {
            Action::GetObject | Action::ListBucket | Action::ListAllMyBuckets => true,
            Action::PutObject
            | Action::DeleteObject
            | Action::CreateBucket
            | Action::DeleteBucket
            | Action::PutBucketMetadata
            | Action::PutAccountMetadata
            | Action::ViewMonitor
            | Action::OperateMonitor => false,
        };
        match self.shard.common.directory.freshness() {
            Freshness::Fresh => Ok(()),
            Freshness::ReadsOnly if reads => Ok(()),
            Freshness::ReadsOnly | Freshness::Stale => Err(repono_wire::refusals::SERVICE_UNAVAILABLE),
        }
    }

    /// What the store needs to know of a write that may be sent again.
    ///
    /// *Errors*: 400 for an `Idempotency-Key` that is none.
    fn repeatable(&self, caller: &Caller, body: Body) -> Result<Option<Repeatable>, Refusal> {
        let Some(key) = idempotency::key(self.head)? else { return Ok(None) };
        // A user's number is never given to another.
        let actor = caller.user().map_or_else(|| "anyone".to_owned(), |user| user.id.to_string());
        Ok(Some(Repeatable::new(&actor, key, idempotency::parts(self.head), body)))
    }

    /// Adds the time since `began` to what the store took.
    fn store_took(&mut self, began: u64) {
        self.record.phases_ns.store += Stamp::mono_now().saturating_sub(began);
    }

    /// Makes sure that the connection is fit for another request after a reply
    /// that did not wait for the whole body, or says that it is not.
    async fn settle_body(&mut self) {
        self.after = self.carrier.settle(self.after).await;
    }

    /// Answers with a refusal.
    pub(crate) async fn refuse(&mut self, refusal: Refusal, detail: Detail) -> Result<(), Stop> {
        self.record.outcome = Outcome::Refused(refusal.code);
        if refusal.connection == After::Close {
            self.after = After::Close;
        }
        self.settle_body().await;
        self.send_refusal(&refusal, &detail).await
    }
}
