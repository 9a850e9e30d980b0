//! The ranks of the crates, and the check that imports only go down.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::root;

/// Rank of each crate, by package name; see ARCHITECTURE.md.
const RANKS: [(&str, u8); 20] = [
    ("repono-core", 0),
    ("repono-http1", 1),
    ("repono-journal", 1),
    ("repono-policy", 1),
    ("repono-ticket", 1),
    ("repono-wire", 1),
    ("repono-diagnose", 2),
    ("repono-net", 2),
    ("repono-relay", 2),
    ("repono-store", 2),
    ("repono-probe", 3),
    ("repono-balancer", 4),
    ("repono-client", 4),
    ("repono-doctor", 4),
    ("repono-head", 4),
    ("repono-lab", 4),
    ("repono-monitor", 4),
    ("repono-recorder", 4),
    ("repono-vending", 4),
    ("repono", 5),
];
/// Crates that only tests and chores use.
const OUTSIDE: [&str; 3] = ["repono-conformance", "repono-testkit", "xtask"];
/// The balancer works at network layer 4: it may not even know the interfaces.
const FORBIDDEN: [(&str, &str); 1] = [("repono-balancer", "repono-wire")];

/// Fails with every import that does not go down.
pub(crate) fn check() -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
        .current_dir(root())
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")?;
    let mut faults = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let imports = package["dependencies"].as_array().into_iter().flatten();
        for import in imports.filter(|d| d["kind"].as_str() != Some("dev")) {
            faults.extend(fault(name, import["name"].as_str().unwrap_or_default()));
        }
    }
    if !faults.is_empty() {
        bail!("imports that do not go down a rank:\n  {}", faults.join("\n  "));
    }
    println!("layers: every import goes down");
    Ok(())
}

fn rank(name: &str) -> Option<u8> {
    RANKS.iter().find(|(n, _)| *n == name).map(|(_, rank)| *rank)
}

fn fault(importer: &str, imported: &str) -> Option<String> {
    let ours = |name: &str| name.starts_with("repono");
    if !ours(imported) || OUTSIDE.contains(&importer) {
        return None;
    }
    if OUTSIDE.contains(&imported) {
        return Some(format!("{importer} imports {imported}, which is for tests"));
    }
    let (Some(from), Some(to)) = (rank(importer), rank(imported)) else {
        return Some(format!("{importer} or {imported} has no rank in xtask/src/layers.rs"));
    };
    let forbidden = FORBIDDEN.contains(&(importer, imported));
    (from <= to || forbidden).then(|| format!("{importer} (rank {from}) imports {imported} (rank {to})"))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn sideways_up_and_test_imports_are_faults() {
        assert_eq!(fault("repono-head", "repono-core"), None);
        assert_eq!(fault("repono-head", "serde"), None);
        assert!(fault("repono-head", "repono-vending").is_some());
        assert!(fault("repono-wire", "repono-head").is_some());
        assert!(fault("repono-balancer", "repono-wire").is_some());
        assert!(fault("repono-store", "repono-testkit").is_some());
        assert!(fault("repono-new", "repono-core").is_some());
    }
}
