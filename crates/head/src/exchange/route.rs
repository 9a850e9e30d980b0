//! From an address and a method to the code that answers.

use repono_core::request::Method;
use repono_wire::bulk::is_bulk_delete;
use repono_wire::native::{Route, Target, route};
use repono_wire::refusals::{METHOD_NOT_ALLOWED, NOT_FOUND};
use repono_wire::unserved::refuse_unserved_read;

use super::{Asker, Detail, Exchange, Stop};

const ON_OBJECTS: &[Method] =
    &[Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete, Method::Copy];
const ON_CONTAINERS: &[Method] = &[Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete];
const ON_LISTS_OF_NAMES: &[Method] = &[Method::Post, Method::Delete];
const ON_ACCOUNTS: &[Method] = &[Method::Get, Method::Head, Method::Post];
const ON_SERVICE: &[Method] = &[Method::Get, Method::Head];

/// Answers one request.
///
/// *Errors*: only [`Stop::Broken`]: everything else was answered.
pub(crate) async fn handle(exchange: &mut Exchange<'_>) -> Result<(), Stop> {
    let _under_way = match exchange.asker {
        Asker::Client => Some(exchange.shard.common.counts.begin()),
        Asker::Balancer => None,
    };
    match dispatch(exchange).await {
        Err(Stop::Refused(refusal, detail)) => exchange.refuse(refusal, detail).await,
        answered => answered,
    }
}

async fn dispatch(exchange: &mut Exchange<'_>) -> Result<(), Stop> {
    // The head outlives the exchange's own borrow of it.
    let head = exchange.head;
    match route(head)? {
        Route::Native(target) => native(exchange, target).await,
        Route::Preauth(target) => super::preauth::get(exchange, &target).await,
        Route::Info => {
            allowed(exchange, ON_SERVICE)?;
            super::service::info(exchange).await
        }
        Route::Healthcheck => {
            allowed(exchange, ON_SERVICE)?;
            super::service::healthcheck(exchange).await
        }
        Route::Unknown => Err(NOT_FOUND.into()),
    }
}

async fn native(exchange: &mut Exchange<'_>, target: Target) -> Result<(), Stop> {
    super::cors::enter(exchange, &target).await?;
    if exchange.head.method() == Method::Options {
        return match target {
            Target::Object { .. } => super::cors::options(exchange, ON_OBJECTS).await,
            Target::Container { .. } => super::cors::options(exchange, ON_CONTAINERS).await,
            Target::Account { .. } => super::cors::options(exchange, ON_ACCOUNTS).await,
        };
    }
    if matches!((&target, exchange.head.method()), (Target::Object { .. }, Method::Get | Method::Head)) {
        // Before the ticket: whoever comes with a temporary URL has none.
        refuse_unserved_read(exchange.head)?;
    }
    let caller = exchange.caller(&target)?;
    exchange.enter_by(&caller).await?;
    match target {
        Target::Object { account, container, key } => {
            allowed(exchange, ON_OBJECTS)?;
            super::object::handle(exchange, &caller, &account, &container, &key).await
        }
        Target::Container { account, container } => {
            allowed(exchange, ON_CONTAINERS)?;
            super::container::handle(exchange, &caller, &account, &container).await
        }
        Target::Account { account } if is_bulk_delete(exchange.head) => {
            allowed(exchange, ON_LISTS_OF_NAMES)?;
            super::bulk::delete(exchange, &caller, &account).await
        }
        Target::Account { account } => {
            allowed(exchange, ON_ACCOUNTS)?;
            super::account::handle(exchange, &caller, &account).await
        }
    }
}

fn allowed(exchange: &Exchange<'_>, methods: &'static [Method]) -> Result<(), Stop> {
    let method = exchange.head.method();
    if methods.contains(&method) {
        return Ok(());
    }
    Err(Stop::Refused(METHOD_NOT_ALLOWED, Detail::Allow(methods)))
}
