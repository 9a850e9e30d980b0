//! The commands about objects: put, get, ls, stat, rm, share, container.

mod container;
mod get;
mod list;
mod put;
mod remove;
mod stat;

pub(crate) use container::Options as ContainerOptions;
pub(crate) use get::Options as GetOptions;
pub(crate) use list::Options as ListOptions;
pub(crate) use put::Options as PutOptions;
pub(crate) use remove::Options as RemoveOptions;
pub(crate) use stat::{ShareOptions, StatOptions};

pub(crate) use container::run as container;
pub(crate) use get::run as get;
pub(crate) use list::run as list;
pub(crate) use put::run as put;
pub(crate) use remove::run as remove;
pub(crate) use stat::{share, stat};

use anyhow::Result;
use repono_client::ObjectAddress;
use repono_client::tree::{TreeAddress, TreeReport};
use repono_core::name::{AccountName, ContainerName};
use serde_json::json;

use crate::output::{Form, failure, say, usage};

/// `account/container` and what may follow: a prefix or a key.
struct Place {
    account: AccountName,
    container: ContainerName,
    rest: String,
}

impl Place {
    fn parse(text: &str) -> Result<Self> {
        let mut parts = text.splitn(3, '/');
        let (account, container) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let rest = parts.next().unwrap_or_default().to_owned();
        if container.is_empty() {
            return Err(usage(format!("`{text}`: write account/container or account/container/key")));
        }
        let account = account.parse().map_err(|error| usage(format!("`{text}`: the account: {error}")))?;
        let container =
            container.parse().map_err(|error| usage(format!("`{text}`: the container: {error}")))?;
        Ok(Self { account, container, rest })
    }

    fn tree(&self) -> TreeAddress {
        TreeAddress::new(self.account.clone(), self.container.clone(), &self.rest)
    }

    /// The object with this name, below the place where it ends in a slash or is
    /// the container itself.
    fn object(&self, name: &str) -> Result<ObjectAddress> {
        let key = if self.rest.is_empty() || self.rest.ends_with('/') {
            format!("{}{name}", self.rest)
        } else {
            self.rest.clone()
        };
        let key = key.parse().map_err(|error| usage(format!("`{key}` cannot be a key: {error}")))?;
        Ok(ObjectAddress { account: self.account.clone(), container: self.container.clone(), key })
    }
}

fn object(text: &str) -> Result<ObjectAddress> {
    text.parse::<ObjectAddress>()
        .map_err(|error| usage(format!("`{text}`: {:#}", anyhow::Error::from(error))))
}

/// Prints what became of many objects; some that failed make it a failure.
fn report(done: &str, report: &TreeReport, form: Form) -> Result<()> {
    let TreeReport { done: count, unchanged, failed, bytes, failures } = report;
    match form {
        Form::Json => {
            let failures: Vec<_> = failures
                .iter()
                .map(|(name, error)| json!({"name": name, "error": error.to_string()}))
                .collect();
            let summary = json!({
                "done": count, "unchanged": unchanged, "failed": failed, "bytes": bytes, "failures": failures,
            });
            say(summary)?;
        }
        Form::Text => {
            for (name, error) in failures {
                eprintln!("failed: {name}: {error}");
            }
            say(format_args!("{count} {done}, {unchanged} unchanged, {failed} failed, {bytes} bytes"))?;
        }
    }
    if *failed == 0 {
        return Ok(());
    }
    Err(failure(
        "Incomplete",
        format!("{failed} of {} failed", count + unchanged + failed),
        "run it again: what is done is skipped",
    ))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_takes_the_name_where_it_ends_in_a_slash() {
        let key =
            |place: &str| Place::parse(place).and_then(|p| p.object("a.txt")).map(|o| o.to_string()).ok();
        assert_eq!(key("demo/files").as_deref(), Some("demo/files/a.txt"));
        assert_eq!(key("demo/files/x/").as_deref(), Some("demo/files/x/a.txt"));
        assert_eq!(key("demo/files/x").as_deref(), Some("demo/files/x"));
        assert_eq!(key("demo"), None);
        assert_eq!(key("demo/files/../x"), None);
    }
}
