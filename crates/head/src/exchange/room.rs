//! Whether there is room for one more object: the quotas of its container and of its
//! account.

use repono_core::name::{AccountName, ContainerName};
use repono_core::refusal::Refusal;
use repono_store::model::repeat::Repeatable;
use repono_store::model::{Account, Container};
use repono_wire::quota;
use repono_wire::refusals::NO_SUCH_CONTAINER;

use super::{Exchange, Stop};

/// What is known of where an object is to go.
pub(super) enum Room {
    /// What is there, and the quotas with it.
    Known { container: Container, account: Account },
    /// The write took effect before, and needs none.
    Taken,
}

impl Room {
    /// Looks up where an object is to go.
    ///
    /// *Errors*: 404 without the container.
    pub(super) async fn of(
        exchange: &Exchange<'_>,
        account: &AccountName,
        container: &ContainerName,
        repeatable: Option<&Repeatable>,
    ) -> Result<Self, Stop> {
        let mut reader = exchange.shard.reader().await;
        if let Some(again) = repeatable
            && reader.has_answered(again, exchange.now).await?
        {
            return Ok(Self::Taken);
        }
        let container =
            reader.container(account.as_str(), container.as_str()).await?.ok_or(NO_SUCH_CONTAINER)?;
        let account = reader.account(account.as_str()).await?.ok_or(NO_SUCH_CONTAINER)?;
        Ok(Self::Known { container, account })
    }

    /// Whether one more object of so many bytes fits.
    ///
    /// *Errors*: 413.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), Refusal> {
        match self {
            Self::Taken => Ok(()),
            Self::Known { container, account } => {
                let there = (container.object_count, container.bytes_used);
                quota::admit(&container.metadata, there, bytes)?;
                quota::admit_to_account(&account.metadata, account.bytes_used, bytes)
            }
        }
    }
}
