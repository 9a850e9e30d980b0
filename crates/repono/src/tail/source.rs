//! Where lines come from, and whether somebody still reads them.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::output::usage;

/// Where `repono up` keeps its journals, from where it is started.
const OF_UP: &str = "repono-data/journal";

/// The folders that are meant.
///
/// *Errors*: of usage, where there is none.
pub(super) fn folders(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !given.is_empty() {
        let missing = given.iter().find(|folder| !folder.is_dir());
        return match missing {
            Some(folder) => Err(usage(format!("{} is no folder", folder.display()))),
            None => Ok(given.to_vec()),
        };
    }
    let beside = profile().and_then(|profile| Some(profile.parent()?.join("journal")));
    let likely: Vec<PathBuf> = beside.into_iter().chain([PathBuf::from(OF_UP)]).collect();
    match likely.iter().find(|folder| folder.is_dir()) {
        Some(folder) => Ok(vec![folder.clone()]),
        None => {
            let names: Vec<_> = likely.iter().map(|folder| folder.display().to_string()).collect();
            Err(usage(format!(
                "there are no journals in {}: name their folder, as in `repono tail DIR`",
                names.join(" or ")
            )))
        }
    }
}

fn profile() -> Option<PathBuf> {
    let named = std::env::var_os("REPONO_PROFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".config/repono/profile.toml")))
}

/// Whether what is printed goes to a pipe that nobody reads any more: a quiet journal
/// would not let us notice it by writing.
pub(super) fn is_abandoned(out: &impl AsFd) -> bool {
    let mut looked = [PollFd::new(out, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut looked, Some(&now)).is_ok_and(|_| looked.iter().any(|fd| fd.revents().contains(PollFlags::ERR)))
}
