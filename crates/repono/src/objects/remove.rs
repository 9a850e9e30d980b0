//! `repono rm`

use anyhow::Result;
use repono_client::tree::PARALLEL;
use serde_json::json;

use super::{Place, object, report};
use crate::connect::{Connected, Connection, told};
use crate::output::{Form, say};
use crate::progress::progress;

/// Options of `repono rm`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono rm demo/files/2026/report.pdf\n  repono rm -r demo/files/photos/"
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// account/container/key; with -r account/container/prefix
    #[arg(required = true, value_name = "ADDRESS")]
    addresses: Vec<String>,
    /// Delete everything below the prefix
    #[arg(short, long)]
    recursive: bool,
    /// Deletions at a time
    #[arg(long, value_name = "N", default_value_t = PARALLEL)]
    parallel: usize,
}

/// Deletes objects.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let connected = options.connection.open()?;
    crate::block_on(async {
        let mut outcome = Ok(());
        for address in &options.addresses {
            let removed = if options.recursive {
                tree(&connected, options, address, form).await
            } else {
                one(&connected, address, form).await
            };
            outcome = outcome.and(removed);
        }
        connected.close().await;
        outcome
    })
}

async fn tree(connected: &Connected, options: &Options, address: &str, form: Form) -> Result<()> {
    let place = Place::parse(address)?;
    let removed = connected.client.remove_tree(&place.tree(), options.parallel, &progress()).await;
    report("deleted", &removed.map_err(|error| told(address, error))?, form)
}

async fn one(connected: &Connected, address: &str, form: Form) -> Result<()> {
    let object = object(address)?;
    connected.client.remove(&object).await.map_err(|error| told(address, error))?;
    match form {
        Form::Json => say(json!({"object": object.to_string(), "deleted": true})),
        Form::Text => say(format_args!("{object}  deleted")),
    }
}
