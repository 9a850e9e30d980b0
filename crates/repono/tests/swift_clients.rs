//! Scripted sessions of stock Swift clients, unmodified: python-swiftclient as PyPI
//! and as Debian have it, and rclone's Swift back end. What they need is installed by
//! `cargo xtask needs`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use repono_testkit::system::System;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Files of the tree that rclone keeps the same on both sides.
const SYNCED: usize = 10_000;
/// A file of several segments.
const LARGE_BYTES: usize = 9_000_000;
const SEGMENT_BYTES: &str = "2000000";

/// A client, and how it is told where to log in.
struct Client {
    program: PathBuf,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

impl Client {
    fn swift(system: &System, program: &Path) -> Self {
        let environment = vec![
            ("ST_AUTH".to_owned(), log_in(system)),
            ("ST_USER".to_owned(), "demo:demo".to_owned()),
            ("ST_KEY".to_owned(), secret(system)),
            ("OS_CACERT".to_owned(), system.fact("ca").to_owned()),
        ];
        Self { program: program.to_owned(), environment, folder: system.path("") }
    }

    fn rclone(system: &System) -> Self {
        let of = |name: &str, value: String| (format!("RCLONE_{name}"), value);
        let environment = vec![
            of("CONFIG", "/notfound".to_owned()),
            of("CONFIG_R_TYPE", "swift".to_owned()),
            of("CONFIG_R_AUTH", log_in(system)),
            of("CONFIG_R_AUTH_VERSION", "1".to_owned()),
            of("CONFIG_R_USER", "demo:demo".to_owned()),
            of("CONFIG_R_KEY", secret(system)),
            of("CA_CERT", system.fact("ca").to_owned()),
            of("RETRIES", "1".to_owned()),
        ];
        Self { program: PathBuf::from("rclone"), environment, folder: system.path("") }
    }

    fn output(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program)
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(&self.folder)
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask needs`", self.program.display()))
    }

    /// Runs a command that must succeed; gives what it printed.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}{stderr}");
        said
    }

    fn fails(&self, arguments: &[&str]) {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

fn log_in(system: &System) -> String {
    format!("{}/auth/v1.0", system.fact("vending"))
}

fn secret(system: &System) -> String {
    let profile = fs::read_to_string(system.fact("profile")).expect("the profile");
    let line = profile.lines().find_map(|line| line.strip_prefix("user_secret = ")).expect("a secret");
    line.trim_matches('"').to_owned()
}

fn content(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 13 + at / 257 + seed) % 256).unwrap_or_default()).collect()
}

/// The line of `swift stat` with this name.
fn fact(stat: &str, name: &str) -> Option<String> {
    let line = stat.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:")).map(str::trim));
    line.map(str::to_owned)
}

fn swift_session(program: &Path) {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let swift = Client::swift(&system, program);
    let (small, large) = (content(1, 5000), content(2, LARGE_BYTES));
    fs::write(system.path("small"), &small).expect("written");
    fs::write(system.path("large"), &large).expect("written");
    let back = |name: &str| fs::read(system.path(name)).expect("a file that came back");

    // What is served, and where.
    let capabilities = swift.ok(&["capabilities", "--json"]);
    let capabilities: Value = serde_json::from_str(&capabilities).expect("JSON");
    assert!(capabilities.get("swift").is_some(), "{capabilities}");
    let storage_url = format!("export OS_STORAGE_URL={}/v1/demo", system.balancer());
    assert!(swift.ok(&["auth"]).contains(&storage_url));

    // Containers and their metadata.
    swift.ok(&["post", "box", "-m", "Colour:red"]);
    assert_eq!(fact(&swift.ok(&["stat", "box"]), "Meta Colour").as_deref(), Some("red"));
    swift.ok(&["post", "box", "-m", "Colour:"]);
    assert_eq!(fact(&swift.ok(&["stat", "box"]), "Meta Colour"), None);
    swift.ok(&["post", "box", "-r", ".r:*,.rlistings"]);
    assert_eq!(fact(&swift.ok(&["stat", "box"]), "Read ACL").as_deref(), Some(".r:*,.rlistings"));
    swift.ok(&["post", "-m", "Owner:me"]);
    assert_eq!(fact(&swift.ok(&["stat"]), "Meta Owner").as_deref(), Some("me"));

    // An object, its metadata, a copy, an end.
    swift.ok(&["upload", "box", "small", "-H", "X-Object-Meta-A: b"]);
    assert_eq!(swift.ok(&["list", "box"]).trim(), "small");
    swift.ok(&["download", "box", "small", "-o", "small.back"]);
    assert!(back("small.back") == small);
    swift.ok(&["copy", "box", "small", "-d", "/box/copy"]);
    assert_eq!(fact(&swift.ok(&["stat", "box", "copy"]), "Meta A").as_deref(), Some("b"));
    swift.ok(&["post", "box", "copy", "-H", "X-Delete-After: 1000"]);
    assert!(fact(&swift.ok(&["stat", "box", "copy"]), "X-Delete-At").is_some());

    // Large objects: static when asked for, else what the client chooses by `/info`;
    // and a dynamic one by its header.
    for (name, form) in [("static", ["--use-slo"].as_slice()), ("chosen", &[])] {
        let common = ["upload", "box", "large", "--object-name", name, "-S", SEGMENT_BYTES];
        swift.ok(&[&common, form].concat());
        let stat = swift.ok(&["stat", "box", name]);
        assert_eq!(fact(&stat, "Content Length").as_deref(), Some("9000000"), "{stat}");
        swift.ok(&["download", "box", name, "-o", "large.back"]);
        assert!(back("large.back") == large, "{name}");
    }
    swift.ok(&["copy", "box", "static", "-d", "/box/flat"]);
    let flat = swift.ok(&["stat", "box", "flat"]);
    assert_eq!(fact(&flat, "Content Length").as_deref(), Some("9000000"));
    assert_eq!(fact(&flat, "X-Static-Large-Object"), None, "a copy is one object: {flat}");
    swift.ok(&["download", "box", "flat", "-o", "flat.back"]);
    assert!(back("flat.back") == large);
    let manifest =
        ["upload", "box", "small", "--object-name", "joined", "-H", "X-Object-Manifest: box/joined/"];
    for part in ["joined/1", "joined/2"] {
        swift.ok(&["upload", "box", "small", "--object-name", part]);
    }
    fs::write(system.path("small"), b"").expect("emptied");
    swift.ok(&manifest);
    swift.ok(&["download", "box", "joined", "-o", "joined.back"]);
    assert!(back("joined.back") == [small.as_slice(), &small].concat());
    swift.ok(&["copy", "box", "joined", "-d", "/box/one"]);
    swift.ok(&["download", "box", "one", "-o", "one.back"]);
    assert!(back("one.back") == [small.as_slice(), &small].concat());

    // Listings, and everything gone: segments along with their manifest.
    let page = swift.ok(&["list", "box", "--delimiter", "/", "--prefix", "jo", "--json"]);
    let page: Value = serde_json::from_str(&page).expect("JSON");
    assert_eq!(page.as_array().map(Vec::len), Some(2), "{page}");
    swift.ok(&["delete", "box", "static"]);
    swift.ok(&["delete", "box"]);
    swift.fails(&["stat", "box"]);
    let left = swift.ok(&["list", "box_segments"]);
    assert!(!left.contains("/static/"), "{left}");

    // The wrong secret.
    let mut stranger = Client::swift(&system, program);
    for (name, value) in &mut stranger.environment {
        if name == "ST_KEY" {
            *value = "not the secret".to_owned();
        }
    }
    stranger.fails(&["stat"]);
}

#[test]
fn the_newest_swiftclient_goes_through_a_session() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/swift");
    swift_session(&python);
}

#[test]
fn the_swiftclient_of_debian_goes_through_a_session() {
    swift_session(Path::new("/usr/bin/swift"));
}

#[test]
fn rclone_goes_through_a_session() {
    let system = System::start(PROGRAM, &["--heads", "2"]).expect("up");
    let rclone = Client::rclone(&system);
    let tree = system.path("tree");
    for number in 0..SYNCED {
        let folder = tree.join(format!("{:02}", number % 100));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("file {number}")), content(number, 100 + number % 3000))
            .expect("written");
    }
    let begun = Instant::now();
    rclone.ok(&["sync", "tree", "R:tree", "--transfers", "16", "--checkers", "16"]);
    println!("{SYNCED} files synced in {:?}", begun.elapsed());
    rclone.ok(&["check", "tree", "R:tree", "--checkers", "16"]);
    rclone.ok(&["check", "R:tree", "tree", "--checkers", "16"]);
    assert!(begun.elapsed() < Duration::from_secs(600), "the bound of this test, not its purpose");

    // One file changed, one gone, one new: a sync sees each, both ways.
    fs::write(tree.join("00/file 0"), b"changed").expect("written");
    fs::remove_file(tree.join("01/file 1")).expect("removed");
    fs::write(tree.join("new"), b"new").expect("written");
    rclone.fails(&["check", "tree", "R:tree"]);
    rclone.ok(&["sync", "tree", "R:tree", "--checkers", "16"]);
    rclone.ok(&["sync", "R:tree", "back", "--transfers", "16", "--checkers", "16"]);
    rclone.ok(&["check", "tree", "back"]);

    // A large one in chunks, moved on the server, and everything removed.
    fs::write(system.path("large"), content(3, LARGE_BYTES)).expect("written");
    rclone.ok(&["copyto", "large", "R:box/large", "--swift-chunk-size", "2M"]);
    rclone.ok(&["copyto", "R:box/large", "large.back"]);
    assert!(fs::read(system.path("large.back")).expect("back") == content(3, LARGE_BYTES));
    rclone.ok(&["moveto", "R:tree/new", "R:tree/moved"]);
    assert_eq!(rclone.ok(&["cat", "R:tree/moved"]), "new");
    rclone.ok(&["delete", "R:tree/00"]);
    assert_eq!(rclone.ok(&["lsf", "R:tree/00"]), "");
}
