//! `repono stat` and `repono share`

use anyhow::Result;
use repono_client::ObjectState;
use repono_core::time::utc_seconds;
use serde_json::json;

use super::object;
use crate::connect::{Connection, told};
use crate::output::{Form, say};

/// Options of `repono stat`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono stat demo/files/2026/report.pdf\n  repono --json stat demo/files/2026/report.pdf"
)]
pub(crate) struct StatOptions {
    #[command(flatten)]
    connection: Connection,
    /// account/container/key
    #[arg(value_name = "ADDRESS")]
    address: String,
}

/// Prints what is known of an object.
pub(crate) fn stat(options: &StatOptions, form: Form) -> Result<()> {
    let object = object(&options.address)?;
    let connected = options.connection.open()?;
    let state = crate::block_on(async {
        let state = connected.client.stat(&object).await.map_err(|error| told(&options.address, error));
        connected.close().await;
        state
    })?;
    let ObjectState { bytes, etag, content_type, timestamp, last_modified_s, metadata, .. } = state;
    let etag = etag.map(|etag| etag.to_string());
    let last_modified = last_modified_s.map(utc_seconds);
    match form {
        Form::Json => say(json!({
            "object": object.to_string(), "bytes": bytes, "etag": etag, "content_type": content_type,
            "timestamp": timestamp.map(|t| t.to_string()), "last_modified": last_modified,
            "metadata": metadata.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        }))?,
        Form::Text => {
            say(format_args!("object         {object}\nbytes          {bytes}"))?;
            say(format_args!("etag           {}", etag.unwrap_or_default()))?;
            say(format_args!("content type   {content_type}"))?;
            say(format_args!("last modified  {}", last_modified.unwrap_or_default()))?;
            metadata.iter().try_for_each(|(name, value)| say(format_args!("{name}: {value}")))?;
        }
    }
    Ok(())
}

/// Options of `repono share`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono share demo/files/2026/report.pdf\n  curl --cacert repono-data/ca.pem -O \"$(repono share demo/files/2026/report.pdf)\""
)]
pub(crate) struct ShareOptions {
    #[command(flatten)]
    connection: Connection,
    /// account/container/key
    #[arg(value_name = "ADDRESS")]
    address: String,
}

/// Prints a pre-authorized URL: whoever has it can read the object for at most
/// 15 minutes.
pub(crate) fn share(options: &ShareOptions, form: Form) -> Result<()> {
    let object = object(&options.address)?;
    let connected = options.connection.open()?;
    let url = crate::block_on(async {
        let url = connected.client.share(&object).await.map_err(|error| told(&options.address, error));
        connected.close().await;
        url
    })?;
    match form {
        Form::Json => say(json!({"object": object.to_string(), "url": url}))?,
        Form::Text => say(url)?,
    }
    Ok(())
}
