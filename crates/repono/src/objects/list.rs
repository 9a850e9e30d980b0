//! `repono ls`

use anyhow::Result;
use repono_client::listing::{Entry, Listing};
use serde_json::{Value, json};

use super::Place;
use crate::connect::{Connection, told};
use crate::output::{Form, say, usage};

/// Options of `repono ls`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono ls\n  repono ls demo/files\n  repono ls -l demo/files/photos/\n  repono --json ls --recursive demo/files"
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// account, account/container or account/container/prefix; without it, the profile's account
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Sizes, times and checksums too
    #[arg(short, long)]
    long: bool,
    /// Everything below, instead of rolling up at slashes
    #[arg(short, long)]
    recursive: bool,
}

/// Lists containers or objects, page by page as they come.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let connected = options.connection.open()?;
    let target = target(options.address.as_deref(), connected.profile.account.as_str())?;
    crate::block_on(async {
        let client = &connected.client;
        let outcome = match target {
            Target::Account(account) => print(client.list_containers(&account), options, form).await,
            Target::Place(place) => {
                let delimiter = (!options.recursive).then_some('/');
                let listing = client.list(&place.account, &place.container, &place.rest, delimiter);
                print(listing, options, form).await
            }
        };
        connected.close().await;
        outcome
    })
}

enum Target {
    Account(repono_core::name::AccountName),
    Place(Place),
}

fn target(address: Option<&str>, account: &str) -> Result<Target> {
    let address = address.unwrap_or(account);
    match address.trim_end_matches('/') {
        name if !name.contains('/') => {
            let account =
                name.parse().map_err(|error| usage(format!("`{address}`: the account: {error}")))?;
            Ok(Target::Account(account))
        }
        _container_and_more => Place::parse(address).map(Target::Place),
    }
}

async fn print(mut listing: Listing<'_>, options: &Options, form: Form) -> Result<()> {
    let mut all = Vec::new();
    loop {
        let page = listing.page().await.map_err(|error| told("the listing", error))?;
        if page.is_empty() {
            break;
        }
        match form {
            Form::Json => all.extend(page.iter().map(as_json)),
            Form::Text => page.iter().try_for_each(|entry| say(line(entry, options)))?,
        }
    }
    if form == Form::Json {
        say(Value::Array(all))?;
    }
    Ok(())
}

fn line(entry: &Entry, options: &Options) -> String {
    match entry {
        Entry::Prefix { subdir } if options.long => format!("{:>12}  {:19}  {:32}  {subdir}", "", "", ""),
        Entry::Object { name, bytes, hash, last_modified, .. } if options.long => {
            let second = last_modified.get(..19).unwrap_or(last_modified);
            format!("{bytes:>12}  {second}  {hash}  {name}")
        }
        Entry::Container { name, count, bytes } if options.long => {
            format!("{bytes:>12}  {count:>10} objects  {name}")
        }
        Entry::Prefix { .. } | Entry::Object { .. } | Entry::Container { .. } => entry.name().to_owned(),
    }
}

fn as_json(entry: &Entry) -> Value {
    match entry {
        Entry::Prefix { subdir } => json!({"prefix": subdir}),
        Entry::Object { name, bytes, hash, content_type, last_modified } => json!({
            "key": name, "bytes": bytes, "etag": hash, "content_type": content_type, "last_modified": last_modified,
        }),
        Entry::Container { name, count, bytes } => {
            json!({"container": name, "objects": count, "bytes": bytes})
        }
    }
}
