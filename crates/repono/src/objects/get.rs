//! `repono get`

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use repono_client::download::{Downloaded, Verified};
use repono_client::tree::PARALLEL;
use serde_json::json;

use super::{Place, object, report};
use crate::connect::{Connected, Connection, told};
use crate::output::{Form, say, usage};
use crate::progress::progress;

/// Options of `repono get`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono get demo/files/2026/report.pdf\n  repono get demo/files/2026/report.pdf copy.pdf\n  repono get -r demo/files/photos/ ./photos\n  repono get demo/files/src.tar - | tar x"
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// account/container/key; with -r account/container/prefix
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// File, folder with -r, or `-` for standard output; without it, the object's own name here
    #[arg(value_name = "DST")]
    destination: Option<PathBuf>,
    /// Get everything below the prefix; what is there already is skipped
    #[arg(short, long)]
    recursive: bool,
    /// Transfers at a time
    #[arg(long, value_name = "N", default_value_t = PARALLEL)]
    parallel: usize,
}

/// Gets an object or everything below a prefix, verified; an interrupted
/// download goes on where it ended.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let connected = options.connection.open()?;
    crate::block_on(async {
        let outcome = if options.recursive {
            tree(&connected, options, form).await
        } else if options.destination.as_deref() == Some(Path::new("-")) {
            to_stdout(&connected, &options.address).await
        } else {
            file(&connected, options, form).await
        };
        connected.close().await;
        outcome
    })
}

async fn tree(connected: &Connected, options: &Options, form: Form) -> Result<()> {
    let place = Place::parse(&options.address)?;
    let folder = options.destination.as_deref().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let got = connected.client.get_tree(&place.tree(), folder, options.parallel, &progress()).await;
    report("got", &got.map_err(|error| told(&options.address, error))?, form)
}

async fn to_stdout(connected: &Connected, address: &str) -> Result<()> {
    let object = object(address)?;
    let mut out = tokio::io::stdout();
    let got = connected.client.get_stream(&object, &mut out, &progress()).await;
    got.map(drop).map_err(|error| told(address, error))
}

async fn file(connected: &Connected, options: &Options, form: Form) -> Result<()> {
    let object = object(&options.address)?;
    let name = object.key.as_str().rsplit('/').next().filter(|name| !name.is_empty());
    let to = match &options.destination {
        Some(folder) if folder.is_dir() => name.map(|name| folder.join(name)),
        Some(file) => Some(file.clone()),
        None => name.map(PathBuf::from),
    };
    let to = to.ok_or_else(|| usage(format!("`{object}` has no file name: give one as DST")))?;
    let got = connected.client.get_file(&object, &to, &progress()).await;
    let Downloaded { bytes, resumed_from, verified } = got.map_err(|error| told(&options.address, error))?;
    let by = match verified {
        Verified::Md5(etag) => format!("MD5 {etag}"),
        Verified::Length => "length only".to_owned(),
    };
    match form {
        Form::Json => {
            let file = to.display().to_string();
            say(json!({"file": file, "bytes": bytes, "resumed_from": resumed_from, "verified": by}))?;
        }
        Form::Text => say(format_args!("{}  {bytes} bytes  {by}", to.display()))?,
    }
    Ok(())
}
