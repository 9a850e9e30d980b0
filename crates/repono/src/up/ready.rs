//! The ready file: what is where, for people and scripts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

use super::materials::write_private;

/// What `repono up` prints and writes when everything answers.
#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    pub(crate) balancer: String,
    pub(crate) heads: Vec<String>,
    pub(crate) vending: String,
    pub(crate) monitor: String,
    pub(crate) ca: PathBuf,
    pub(crate) profile: PathBuf,
    pub(crate) admin: PathBuf,
    pub(crate) journal: PathBuf,
    pub(crate) pid: u32,
    pub(crate) pids: BTreeMap<String, u32>,
}

impl Ready {
    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_private(path, format!("{}\n", serde_json::to_string(self)?).as_bytes())
    }

    /// What a person sees: the addresses, the link into the monitor where it may be shown,
    /// and the next commands to try.
    pub(crate) fn for_people(&self, link: Option<&str>) -> String {
        let profile = self.profile.display();
        let link = link.map_or(String::new(), |link| {
            format!("\n  log in    {link}\n            (opens the monitor once, within 10 minutes)")
        });
        format!(
            "Repono is up.\n\
             \n  balancer  {}   (what clients use)\
             \n  heads     {}\
             \n  vending   {}\
             \n  monitor   {}{link}\
             \n  CA        {}\
             \n  profile   {profile}\
             \n  journal   {}\n\
             \nTry:\n\
             \n  export REPONO_PROFILE={profile}\
             \n  repono put README.md demo/files/README.md\
             \n  repono ls demo/files\
             \n  repono ticket --format headers > ticket.headers\
             \n  curl --cacert {} -I -H @ticket.headers {}/v1/demo/files/README.md\
             \n  repono top\n\
             \nStop with Ctrl-C.",
            self.balancer,
            self.heads.join(" "),
            self.vending,
            self.monitor,
            self.ca.display(),
            self.journal.display(),
            self.ca.display(),
            self.balancer,
        )
    }
}
