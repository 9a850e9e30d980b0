//! Where everything stands under the data directory of `repono up`.

use std::path::{Path, PathBuf};

/// The paths of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `root`, which must be absolute: services get these paths in
    /// their configuration and may run elsewhere.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Held by the running supervisor, so that a second one on the same directory stops.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("up.lock")
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    pub(crate) fn profile(&self) -> PathBuf {
        self.root.join("profile.toml")
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.root.join("admin.sock")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// What the monitor has counted.
    pub(crate) fn monitor(&self) -> PathBuf {
        self.root.join("monitor")
    }

    /// The one-time link that the monitor takes when it starts.
    pub(crate) fn one_time_link(&self) -> PathBuf {
        self.run().join("monitor-link.json")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Keys and certificates, readable by the owner alone.
    pub(crate) fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.secrets().join(name)
    }

    /// Sockets and generated configuration of the running services.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    pub(crate) fn config(&self, service: &str) -> PathBuf {
        self.run().join(format!("{service}.toml"))
    }

    pub(crate) fn socket(&self, service: &str) -> PathBuf {
        self.run().join(format!("{service}.sock"))
    }

    /// What the services print for a person: one file each.
    pub(crate) fn log(&self, service: &str) -> PathBuf {
        self.root.join("log").join(format!("{service}.log"))
    }
}
