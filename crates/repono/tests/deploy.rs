//! The files of `deploy/`: what the units start is what the program takes, with the
//! configurations that lie beside them.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const INSTALLED: &str = "/usr/local/bin/repono";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

/// The command lines of all units, with `head@` as its instances 1 to 4.
fn commands() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(deploy().join("systemd")).expect("units").flatten() {
        let text = fs::read_to_string(entry.path()).expect("a unit");
        for line in text.lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            let instances = if line.contains("%i") { 1..=4 } else { 1..=1 };
            for instance in instances {
                let line = line.replace("%i", &instance.to_string());
                found.push(line.split(' ').map(str::to_owned).collect());
            }
        }
    }
    found
}

#[test]
fn every_unit_starts_what_the_program_takes() {
    let commands = commands();
    assert_eq!(commands.len(), 7, "four heads, vending, balancer, monitor: {commands:?}");
    for command in commands {
        let [program, service, flag, file] = command.as_slice() else { panic!("{command:?}") };
        assert_eq!((program.as_str(), flag.as_str()), (INSTALLED, "--config"));
        let name = file.strip_prefix("/etc/repono/").expect("a configuration in its folder");
        let ours = deploy().join("config").join(name);
        let output = Command::new(PROGRAM)
            .args([service, flag, &ours.display().to_string(), "--check"])
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What stands commented out is taken too, when an operator takes the marks away.
#[test]
fn the_swift_login_that_vending_offers_is_one_that_it_takes() {
    let text = fs::read_to_string(deploy().join("config/vending.toml")).expect("a configuration");
    let (before, table) = text.split_once("# [swift_login]").expect("the table");
    let checked = |table: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), format!("{before}[swift_login]{table}")).expect("written");
        let path = file.path().display().to_string();
        Command::new(PROGRAM).args(["vending", "--config", &path, "--check"]).output().expect("it runs")
    };
    let offered = table.replace("# ", "");
    let output = checked(&offered);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let effective = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(effective.contains("storage_url = \"https://store.example.net\""), "{effective}");
    for (right, wrong) in
        [("https://", "http://"), ("swift-clients", "swift clients"), ("storage_url", "url")]
    {
        let output = checked(&offered.replace(right, wrong));
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn the_socket_unit_opens_what_the_balancer_is_configured_for() {
    let unit = fs::read_to_string(deploy().join("systemd/repono-balancer.socket")).expect("a unit");
    let config = fs::read_to_string(deploy().join("config/balancer.toml")).expect("a configuration");
    let config: toml::Table = config.parse().expect("TOML");
    let opened = unit.lines().find_map(|line| line.strip_prefix("ListenStream="));
    assert_eq!(opened, config["listen"].as_str());
    let service = fs::read_to_string(deploy().join("systemd/repono-balancer.service")).expect("a unit");
    let last_filter = service.lines().rfind(|line| line.starts_with("SystemCallFilter="));
    assert_eq!(last_filter, Some("SystemCallFilter=pidfd_open pidfd_getfd"), "after what it denies");
}

/// Every file that a configuration takes from a unit's credentials is one that the
/// unit loads.
#[test]
fn every_credential_is_loaded() {
    let mut named = 0;
    for entry in fs::read_dir(deploy().join("config")).expect("configurations").flatten() {
        let text = fs::read_to_string(entry.path()).expect("a configuration");
        for path in text.split('"').filter_map(|part| part.strip_prefix("/run/credentials/")) {
            let (unit, credential) = path.split_once('/').expect("a unit and a file");
            let (name, instance) = unit.split_once('@').map_or((unit, ""), |(name, _)| (name, "@.service"));
            let unit = fs::read_to_string(deploy().join("systemd").join(format!("{name}{instance}")));
            let line = format!("LoadCredential={credential}:");
            assert!(unit.expect("a unit").contains(&line), "{path} is not loaded");
            named += 1;
        }
    }
    assert!(named > 20, "{named}");
}
