//! Bulk delete: the names are read as they come and deleted some at a time, so that
//! one commit serves many of them and memory does not grow with the list.

use repono_core::name::{AccountName, ContainerName, ObjectKey};
use repono_core::refusal::Refusal;
use repono_core::request::Method;
use repono_http1::reason;
use repono_journal::Stamp;
use repono_policy::{Action, Resource};
use repono_store::error::StoreError;
use repono_store::model::{ContainerDeletion, DeleteObject, Deleted};
use repono_wire::bulk::{DELETES_MAX, End, LINE_BYTES_MAX, Named, Report};
use repono_wire::listing::Format;
use repono_wire::native::Target;
use repono_wire::refusals::{ACCESS_DENIED, CONTAINER_NOT_EMPTY};
use repono_wire::reply::{self, FieldSink};
use tokio::task::JoinSet;

use super::{Exchange, Stop};
use crate::caller::Caller;
use crate::fault;

/// Deletions under way at a time: as many as one group commit takes well.
const AT_A_TIME: usize = 64;

/// Answers `POST` or `DELETE` of an account with `?bulk-delete`.
pub(super) async fn delete(
    exchange: &mut Exchange<'_>,
    caller: &Caller,
    account: &AccountName,
) -> Result<(), Stop> {
    let format = Format::from_accept(exchange.head)?;
    exchange.carrier.send_continue().await?;
    let mut work = Work { report: Report::default(), batch: Vec::new(), account };
    let end = work.run(exchange, caller).await?;
    let body = work.report.render(format, end);
    exchange
        .send_document(200, &body, |sink, common| {
            reply::document(sink, common, format.content_type(), body.len() as u64);
            sink.field("Vary", b"Accept");
        })
        .await
}

/// What stands before the first line end, and behind it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (begin, behind) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)?)?;
    Some((begin, behind.get(1..)?))
}

struct Work<'a> {
    report: Report,
    /// Objects that may be deleted at the same time.
    batch: Vec<(ContainerName, ObjectKey)>,
    account: &'a AccountName,
}

impl Work<'_> {
    async fn run(&mut self, exchange: &mut Exchange<'_>, caller: &Caller) -> Result<End, Stop> {
        let mut line = Vec::new();
        while let Some(piece) = exchange.carrier.next().await? {
            exchange.record.bytes_in = exchange.carrier.received();
            let mut rest = &piece[..];
            while let Some((begin, behind)) = split_line(rest) {
                line.extend_from_slice(begin);
                rest = behind;
                if let Some(end) = self.line(exchange, caller, &line).await? {
                    return Ok(end);
                }
                line.clear();
            }
            line.extend_from_slice(rest);
            if line.len() > LINE_BYTES_MAX {
                return Ok(End::LineTooLong);
            }
        }
        let end = self.line(exchange, caller, &line).await?;
        self.flush(exchange).await?;
        Ok(end.unwrap_or(End::Complete))
    }

    /// Takes one name; gives the end when no more are taken.
    async fn line(
        &mut self,
        exchange: &mut Exchange<'_>,
        caller: &Caller,
        line: &[u8],
    ) -> Result<Option<End>, Stop> {
        let named = match Named::parse(line) {
            Ok(None) => return Ok(None),
            Ok(Some(named)) => named,
            Err(refusal) => {
                let shown = String::from_utf8_lossy(line).trim().to_owned();
                self.failed(shown, &refusal);
                return Ok(self.report.is_hopeless().then_some(End::TooManyFailures));
            }
        };
        if self.report.count() + self.batch.len() >= DELETES_MAX {
            self.flush(exchange).await?;
            return Ok(Some(End::TooMany));
        }
        match named {
            Named::Object(container, key) => {
                let resource = Resource::Object { account: self.account, container: &container, key: &key };
                match self.permitted(exchange, caller, Action::DeleteObject, resource) {
                    Ok(()) => self.batch.push((container, key)),
                    Err(refusal) => {
                        self.failed(Named::Object(container, key).path(self.account), &refusal);
                    }
                }
            }
            Named::Container(container) => {
                // Its objects may stand before it in the list.
                self.flush(exchange).await?;
                self.container(exchange, caller, container).await;
            }
        }
        if self.batch.len() >= AT_A_TIME {
            self.flush(exchange).await?;
        }
        Ok(self.report.is_hopeless().then_some(End::TooManyFailures))
    }

    /// Whether the caller may delete this: within the ticket's scope, and by the
    /// policies.
    fn permitted(
        &self,
        exchange: &mut Exchange<'_>,
        caller: &Caller,
        action: Action,
        resource: Resource<'_>,
    ) -> Result<(), Refusal> {
        let account = self.account.clone();
        let target = match resource {
            Resource::Object { container, key, .. } => {
                Target::Object { account, container: container.clone(), key: key.clone() }
            }
            Resource::Container { container, .. } => {
                Target::Container { account, container: container.clone() }
            }
            Resource::Account { .. } => Target::Account { account },
            // No path of a bulk delete leads there.
            Resource::Monitor { .. } => return Err(ACCESS_DENIED),
        };
        caller.reaches(Method::Delete, &target, exchange.source)?;
        exchange.authorize(caller, action, resource, None).map(drop)
    }

    async fn container(&mut self, exchange: &mut Exchange<'_>, caller: &Caller, container: ContainerName) {
        let resource = Resource::Container { account: self.account, container: &container };
        let deleted = match self.permitted(exchange, caller, Action::DeleteBucket, resource) {
            Ok(()) => {
                let meta = exchange.shard.common.store.meta();
                meta.delete_container(self.account, &container).await.map_err(|error| fault::of_store(&error))
            }
            Err(refusal) => Err(refusal),
        };
        match deleted {
            Ok(ContainerDeletion::Deleted) => self.report.deleted(),
            Ok(ContainerDeletion::NoSuch) => self.report.not_found(),
            Ok(ContainerDeletion::NotEmpty) => {
                self.failed(Named::Container(container).path(self.account), &CONTAINER_NOT_EMPTY);
            }
            Err(refusal) => self.failed(Named::Container(container).path(self.account), &refusal),
        }
    }

    /// Deletes what was gathered, all at the same time.
    async fn flush(&mut self, exchange: &mut Exchange<'_>) -> Result<(), Stop> {
        let began = Stamp::mono_now();
        let mut deletions = JoinSet::new();
        for (container, key) in self.batch.drain(..) {
            let (meta, account) =
                (std::sync::Arc::clone(exchange.shard.common.store.meta()), self.account.clone());
            deletions.spawn_local(async move {
                let deleted = meta.delete_object(DeleteObject::new(&account, &container, &key)).await;
                (Named::Object(container, key), deleted)
            });
        }
        while let Some(done) = deletions.join_next().await {
            let (named, deleted) = done.map_err(|_ended| StoreError::Closed)?;
            match deleted {
                Ok(Deleted::Deleted { .. }) => self.report.deleted(),
                Ok(Deleted::NoKey | Deleted::NoContainer) => self.report.not_found(),
                Err(error) => self.failed(named.path(self.account), &fault::of_store(&error)),
            }
        }
        exchange.store_took(began);
        Ok(())
    }

    fn failed(&mut self, name: String, refusal: &Refusal) {
        self.report.failed(name, refusal.status, reason(refusal.status));
    }
}
