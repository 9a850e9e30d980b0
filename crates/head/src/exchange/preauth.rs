//! GET and HEAD of a pre-authorized URI.

use std::sync::Arc;

use repono_journal::Stamp;
use repono_policy::{Action, Resource};
use repono_store::store::OpenObject;
use repono_ticket::verify_preauth;
use repono_wire::native::PreauthTarget;
use repono_wire::refusals::ACCESS_DENIED;
use repono_wire::reply::Access;

use super::large::Right;
use super::object::file_name;
use super::{Exchange, Stop};
use crate::caller::Caller;

/// Hands the file out: the link is verified, its maker is looked up and
/// authorized again, and the version must still be the current one. Every fault
/// has the same answer.
pub(super) async fn get(exchange: &mut Exchange<'_>, target: &PreauthTarget<'_>) -> Result<(), Stop> {
    let began = Stamp::mono_now();
    let now_s = exchange.now.unix_seconds();
    let keys = &exchange.directory.preauth_keys;
    let account = target.account.as_str();
    let verified = verify_preauth(keys, account, target.handle, &target.file_name, target.token, now_s)
        .map_err(|_uniform| ACCESS_DENIED)?;
    let caller = Caller::from_preauth(&exchange.directory, &verified)?;
    exchange.enter(&caller);
    exchange.record.phases_ns.authorize += Stamp::mono_now().saturating_sub(began);
    exchange.enter_by(&caller).await?;

    let began = Stamp::mono_now();
    let shard = exchange.shard;
    let current = shard.reader().await.object_by_version(verified.version()).await;
    exchange.store_took(began);
    let current = current?.ok_or(ACCESS_DENIED)?;
    if current.object.is_expired(now_s)
        || current.account != target.account
        || file_name(&current.key) != target.file_name
    {
        return Err(ACCESS_DENIED.into());
    }
    let resource =
        Resource::Object { account: &current.account, container: &current.container, key: &current.key };
    let _permit = exchange.authorize(&caller, Action::GetObject, resource, None)?;

    let began = Stamp::mono_now();
    let body = shard.common.store.open_body(&current.object).await;
    exchange.store_took(began);
    let found = OpenObject { object: Arc::clone(&current.object), body: body? };
    let access = Access::Preauthorized { file_name: &target.file_name };
    let right = Right { caller: &caller, account: &current.account };
    super::read::serve(exchange, right, found, &access).await
}
