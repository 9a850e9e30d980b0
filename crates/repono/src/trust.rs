//! Whose certificates a tool believes of somebody else's server.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use repono_net::tls::Trust;

use crate::output::usage;

/// Options of every tool that speaks TLS to foreign servers.
#[derive(clap::Args, Debug)]
pub(crate) struct TrustOptions {
    /// Trust these authorities (PEM) instead of the machine's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Believe any certificate: what is found may be of somebody else
    #[arg(long, conflicts_with = "ca")]
    pub(crate) insecure: bool,
}

impl TrustOptions {
    /// Whether anything was said.
    pub(crate) const fn is_given(&self) -> bool {
        self.insecure || self.ca.is_some()
    }

    /// Whom to believe.
    pub(crate) fn read(&self) -> Result<Trust> {
        Ok(match &self.ca {
            _ if self.insecure => Trust::Anybody,
            None => Trust::Machine,
            Some(file) => Trust::Authorities(
                fs::read(file).map_err(|error| usage(format!("cannot read {}: {error}", file.display())))?,
            ),
        })
    }
}
