//! `repono ticket`: vends a ticket.

use anyhow::Result;
use clap::ValueEnum;
use repono_client::{TicketWish, VendedTicket};
use serde_json::json;

use crate::connect::{Connection, told};
use crate::output::{Form, print, usage};

/// Options of `repono ticket`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  repono ticket --format headers > ticket.headers\n  curl --cacert repono-data/ca.pem -H @ticket.headers https://127.0.0.1:7443/v1/demo/files/a.txt\n  repono ticket --life 5m --scope 'm=GET,HEAD;p=/v1/demo/files/reports/'\n  eval \"$(repono ticket --format env)\""
)]
pub(crate) struct Options {
    #[command(flatten)]
    connection: Connection,
    /// How the ticket is printed
    #[arg(long, value_enum, default_value_t = Format::Headers)]
    format: Format,
    /// How long the ticket lives: 1s to 60m (default 20m)
    #[arg(long, value_name = "SPAN")]
    life: Option<String>,
    /// What the ticket is narrowed to: methods, path prefix, source network
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// `name: value` lines, which curl takes with `-H @file`
    Headers,
    /// Shell variables
    Env,
    /// The reply of the vending service
    Json,
    /// One string, for `X-Auth-Token`
    Token,
}

/// Vends a ticket and prints it.
pub(crate) fn run(options: &Options, form: Form) -> Result<()> {
    let life_s = options.life.as_deref().map(seconds).transpose()?;
    let wish = TicketWish { life_s, scope: options.scope.clone() };
    let connected = options.connection.open()?;
    let ticket = crate::block_on(async {
        let vended = connected.client.vend(&wish).await.map_err(|error| told("no ticket", error));
        connected.close().await;
        vended
    })?;
    let format = match form {
        Form::Json => Format::Json,
        Form::Text => options.format,
    };
    print(printed(&ticket, format))?;
    Ok(())
}

fn printed(ticket: &VendedTicket, format: Format) -> String {
    match format {
        Format::Headers => {
            ticket.headers.iter().map(|(name, value)| format!("{name}: {}\n", value.expose())).collect()
        }
        Format::Env => ticket
            .headers
            .iter()
            .map(|(name, value)| {
                // Values have no quotes: they are names, dates, hex and base64.
                format!("export REPONO_{}='{}'\n", name.to_uppercase().replace('-', "_"), value.expose())
            })
            .chain([format!("export REPONO_X_AUTH_TOKEN='{}'\n", ticket.token.expose())])
            .collect(),
        Format::Json => {
            let headers: serde_json::Map<_, _> =
                ticket.headers.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect();
            let token = ticket.token.expose();
            format!("{}\n", json!({"headers": headers, "token": token, "expires": ticket.expires}))
        }
        Format::Token => format!("{}\n", ticket.token.expose()),
    }
}

/// Seconds of a span such as `90`, `90s`, `20m` or `1h`.
fn seconds(span: &str) -> Result<u64> {
    let (number, unit) = match span.char_indices().next_back() {
        Some((at, 's')) => (&span[..at], 1),
        Some((at, 'm')) => (&span[..at], 60),
        Some((at, 'h')) => (&span[..at], 3600),
        Some(_) | None => (span, 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
    seconds.ok_or_else(|| usage(format!("`{span}` is no span: write it as 90s, 20m or 1h")))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn spans_are_seconds_minutes_or_hours() {
        let table = [("90", 90), ("90s", 90), ("20m", 1200), ("1h", 3600)];
        for (span, expected) in table {
            assert_eq!(seconds(span).ok(), Some(expected), "{span}");
        }
        for bad in ["", "m", "-1s", "1d", "1.5h", "99999999999999999999h"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
