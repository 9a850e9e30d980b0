//! `repono container`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::Place;
use crate::connect::{Connection, told};
use crate::output::{Form, say, usage};

/// Options of `repono container`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono container create demo/reports\n  repono container delete demo/reports"
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Create a container, account/container
    Create { address: String },
    /// Delete an empty container, account/container
    Delete { address: String },
}

/// Creates or deletes a container.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let (address, done) = match &options.action {
        Action::Create { address } => (address, "created"),
        Action::Delete { address } => (address, "deleted"),
    };
    let place = Place::parse(address)?;
    if !place.rest.is_empty() {
        return Err(usage(format!("`{address}`: write account/container")));
    }
    let connected = options.connection.open()?;
    crate::block_on(async {
        let (client, account, container) = (&connected.client, &place.account, &place.container);
        let outcome = match &options.action {
            Action::Create { .. } => client.create_container(account, container).await,
            Action::Delete { .. } => client.delete_container(account, container).await,
        };
        connected.close().await;
        outcome.map_err(|error| told(address, error))
    })?;
    match form {
        Form::Json => say(json!({"container": address, "state": done})),
        Form::Text => say(format_args!("{address}  {done}")),
    }
}
