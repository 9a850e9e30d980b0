//! `repono record`: the instrumented machine between a client and a server.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use repono_recorder::{Config, Depth, Destination, RecorderError, Recording};
use serde_json::json;

use crate::output::{Form, print, say, usage};
use crate::service::{shutdown_signal, start_messages};
use crate::trust::TrustOptions;

/// Options of `repono record`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Point a client at the recorder instead of the server, let it fail, end the recorder with Ctrl-C, and \
                  read what it wrote with `repono diagnose`. Nothing is decrypted: the turns of each connection, how \
                  long it was quiet, and who ended it how are recorded. With --tls requests are, and the client must \
                  trust ca.pem of the journal.\n\nExamples:\n  \
                  repono record --listen 127.0.0.1:9443 --to store.example.net:443\n  \
                  curl --connect-to store.example.net:443:127.0.0.1:9443 https://store.example.net/\n  \
                  repono diagnose repono-record\n  \
                  repono record --listen 127.0.0.1:9443 --to https://store.example.net --tls\n  \
                  curl --cacert repono-record/ca.pem --connect-to store.example.net:443:127.0.0.1:9443 \
                  https://store.example.net/"
)]
pub(crate) struct Options {
    /// Where clients connect to; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where their connections go: HOST:PORT, or a URL
    #[arg(long, value_name = "HOST:PORT")]
    to: Destination,
    /// The folder of the journal
    #[arg(long, value_name = "DIR", default_value = "repono-record")]
    journal: PathBuf,
    /// Open TLS with a certificate of our own, to see requests (HTTP/1.1)
    #[arg(long)]
    tls: bool,
    #[command(flatten)]
    trust: TrustOptions,
}

/// Records until SIGINT or SIGTERM.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    if !options.tls && options.trust.is_given() {
        return Err(usage("--ca and --insecure are of use with --tls alone: nothing else is verified"));
    }
    let depth = if options.tls { Depth::Requests { trust: options.trust.read()? } } else { Depth::Layer4 };
    let Options { listen, ref to, ref journal, .. } = *options;
    let config = Config { listen, to: to.clone(), depth, dir: journal.clone() };
    start_messages();
    crate::block_on(async {
        let shutdown = shutdown_signal()?;
        let mut told = Ok(());
        let ran =
            repono_recorder::run(config, |recording| told = tell(recording, options, form), shutdown).await;
        told?;
        ran.map_err(|error| match error {
            RecorderError::Listen { .. }
            | RecorderError::Itself { .. }
            | RecorderError::Unresolved { .. } => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                usage(format!("{error}{}", cause.unwrap_or_default()))
            }
            RecorderError::Journal(_)
            | RecorderError::Mint(_)
            | RecorderError::Trust(_)
            | RecorderError::Name { .. }
            | RecorderError::Accept(_) => error.into(),
        })
    })
}

fn tell(recording: &Recording, options: &Options, form: Form) -> Result<()> {
    let Recording { listen, journal, ca } = recording;
    match form {
        Form::Json => say(json!({
            "listen": listen.to_string(), "to": options.to.to_string(), "journal": journal, "ca": ca,
        })),
        Form::Text => {
            print(format_args!("{listen} -> {}, recorded in {}\n", options.to, journal.display()))?;
            if let Some(ca) = ca {
                print(format_args!("clients must trust {}\n", ca.display()))?;
            }
            print(format_args!("Ctrl-C ends it; then: repono diagnose {}\n", options.journal.display()))
        }
    }
}
