//! Pages of other origins: preflights, and what a reply says to the browser.

use repono_core::name::{AccountName, ContainerName};
use repono_core::request::Method;
use repono_wire::cors::{Grant, asked_method};
use repono_wire::native::Target;
use repono_wire::refusals::UNAUTHORIZED;
use repono_wire::reply::{self, FieldSink};

use super::{Exchange, Stop};

/// Enters what the container grants to the origin of the page, if there is one.
pub(super) async fn enter(exchange: &mut Exchange<'_>, target: &Target) -> Result<(), Stop> {
    if exchange.head.field("origin").is_some() {
        exchange.grant = match target {
            Target::Object { account, container, .. } | Target::Container { account, container } => {
                grant(exchange, account, container).await?
            }
            Target::Account { .. } => None,
        };
    }
    Ok(())
}

/// Answers OPTIONS, which needs no ticket: a browser sends none with a preflight.
pub(super) async fn options(exchange: &mut Exchange<'_>, methods: &'static [Method]) -> Result<(), Stop> {
    let granted = match (asked_method(exchange.head), exchange.grant.take()) {
        (None, _) => None,
        (Some(Some(asked)), Some(grant)) if methods.contains(&asked) => Some(grant),
        (Some(_), _) => return Err(UNAUTHORIZED.into()),
    };
    let head = exchange.head;
    exchange
        .send_fields(200, |sink, common| {
            reply::empty(sink, common, 200);
            reply::allow(sink, methods);
            if let Some(grant) = &granted {
                grant.preflight(sink, head, methods);
                sink.field("Vary", b"Access-Control-Request-Headers");
            }
        })
        .await
}

async fn grant(
    exchange: &Exchange<'_>,
    account: &AccountName,
    container: &ContainerName,
) -> Result<Option<Grant>, Stop> {
    let mut reader = exchange.shard.reader().await;
    let found = reader.container(account.as_str(), container.as_str()).await?;
    Ok(found.and_then(|found| Grant::of(exchange.head, &found.metadata)))
}
