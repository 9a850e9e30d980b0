//! `repono put`

use std::path::{Path, PathBuf};

use anyhow::Result;
use repono_client::tree::PARALLEL;
use repono_client::upload::{Existing, UploadOptions, Uploaded};
use serde_json::json;

use super::{Place, report};
use crate::connect::{Connected, Connection, told};
use crate::output::{Form, say, usage};
use crate::progress::progress;

/// Options of `repono put`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono put report.pdf demo/files/2026/report.pdf\n  repono put a.txt b.txt demo/files/texts/\n  repono put -r ./photos demo/files/photos/\n  tar c src | repono put - demo/files/src.tar"
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// Files, folders with -r, or `-` for standard input
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<PathBuf>,
    /// account/container/key, or account/container/ to keep the names
    #[arg(value_name = "DST")]
    destination: String,
    /// Put folders with everything in them; what is there already is skipped
    #[arg(short, long)]
    recursive: bool,
    /// Fail where an object has the name already
    #[arg(long)]
    if_absent: bool,
    /// Media type; guessed from the name without it
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Transfers at a time
    #[arg(long, value_name = "N", default_value_t = PARALLEL)]
    parallel: usize,
}

/// Puts files, folders or standard input.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let place = Place::parse(&options.destination)?;
    let into_place = place.rest.is_empty() || place.rest.ends_with('/');
    if options.sources.len() > 1 && !into_place {
        return Err(usage("several sources need a destination that ends in a slash"));
    }
    let upload = UploadOptions {
        content_type: options.content_type.clone(),
        existing: if options.if_absent { Existing::Keep } else { Existing::Replace },
        metadata: Vec::new(),
    };
    let connected = options.connection.open()?;
    crate::block_on(async {
        let mut outcome = Ok(());
        for source in &options.sources {
            let put = if source == Path::new("-") {
                stdin(&connected, &place, &upload, form).await
            } else if source.is_dir() {
                folder(&connected, options, source, &place, &upload, form).await
            } else {
                file(&connected, source, &place, &upload, form).await
            };
            outcome = outcome.and(put);
        }
        connected.close().await;
        outcome
    })
}

async fn folder(
    connected: &Connected,
    options: &Options,
    source: &Path,
    place: &Place,
    upload: &UploadOptions,
    form: Form,
) -> Result<()> {
    if !options.recursive {
        return Err(usage(format!("{} is a folder: put it with -r", source.display())));
    }
    let put = connected.client.put_tree(source, &place.tree(), upload, options.parallel, &progress()).await;
    report("put", &put.map_err(|error| told(&source.display().to_string(), error))?, form)
}

async fn file(
    connected: &Connected,
    source: &Path,
    place: &Place,
    upload: &UploadOptions,
    form: Form,
) -> Result<()> {
    let name = source.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| usage(format!("{} has no name that can be a key", source.display())))?;
    let object = place.object(name)?;
    let put = connected.client.put_file(&object, source, upload, progress()).await;
    done(&object.to_string(), &put.map_err(|error| told(&object.to_string(), error))?, form)
}

async fn stdin(connected: &Connected, place: &Place, upload: &UploadOptions, form: Form) -> Result<()> {
    if place.rest.is_empty() || place.rest.ends_with('/') {
        return Err(usage("standard input has no name: write account/container/key"));
    }
    let object = place.object("")?;
    let body = Box::pin(tokio::io::stdin());
    let put = connected.client.put_stream(&object, body, None, upload, progress()).await;
    done(&object.to_string(), &put.map_err(|error| told(&object.to_string(), error))?, form)
}

fn done(object: &str, uploaded: &Uploaded, form: Form) -> Result<()> {
    let Uploaded { bytes, etag } = uploaded;
    match form {
        Form::Json => say(json!({"object": object, "bytes": bytes, "etag": etag.to_string()})),
        Form::Text => say(format_args!("{object}  {bytes} bytes  {etag}")),
    }
}
