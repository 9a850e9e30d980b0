//! A thousand real files go up with `repono put -r`, are listed, and come back
//! byte-identical with four stock clients, by ticket and by pre-authorized URI.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use repono_testkit::system::System;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// How many files of this machine take part.
const FILES_MIN: usize = 1000;
/// Larger ones would only test patience.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// The size of the file in the incident's trace.
const PDF_BYTES: usize = 5_378_129;

/// Where every Debian machine and every Rust toolchain has documents and images.
const SOURCES: [&str; 4] = ["/usr/share/doc", "/usr/share/icons", "/usr/share/perl", "/usr/lib/python3"];

/// Copies real files, by their content's kind and not by size, into `tree`.
fn gather(tree: &Path) -> usize {
    let mut count = 0;
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(&folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && count < FILES_MIN && usable(&entry) {
                let to = tree.join(entry.path().strip_prefix("/").expect("absolute"));
                fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
                if fs::copy(entry.path(), &to).is_ok() {
                    count += 1;
                }
            }
        }
    }
    count
}

fn usable(entry: &fs::DirEntry) -> bool {
    let size = entry.metadata().map_or(u64::MAX, |m| m.len());
    // The list that the clients read is separated by tabs and line ends.
    size <= FILE_BYTES_MAX && entry.file_name().to_str().is_some_and(|n| !n.contains(['\t', '\n']))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Percent-encodes a path as a URL has it.
fn encoded(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    path.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn client(name: &str, command: &mut Command, expected: usize) {
    let output = command.output().unwrap_or_else(|error| panic!("{name}: {error}; run `cargo xtask needs`"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{expected} identical")), "{name}: {said}");
}

/// Mono's HttpWebRequest, with a certificate store of its own.
fn mono(system: &System, source: &Path, arguments: &[OsString; 4], expected: usize) {
    let program = system.path("Fetch.exe");
    let mut compiler = Command::new("mcs");
    compiler.arg(format!("-out:{}", program.display())).arg(source);
    assert!(compiler.status().expect("mcs runs; see `cargo xtask needs`").success());
    let home = system.path("mono");
    let at_home = |program: &str| {
        let mut command = Command::new(program);
        command.env("HOME", &home).env("XDG_CONFIG_HOME", home.join("config"));
        command
    };
    let trusted = at_home("cert-sync").args(["--user", "--quiet", system.fact("ca")]).status();
    assert!(trusted.expect("cert-sync runs; see `cargo xtask needs`").success());
    let [_base, ca, headers, list] = arguments;
    let by_name = system.balancer().replace("127.0.0.1", "localhost");
    let mut client_program = at_home("mono");
    client("HttpWebRequest", client_program.arg(program).arg(by_name).args([ca, headers, list]), expected);
}

#[test]
fn real_files_come_back_identical_with_stock_clients() {
    let system = System::start(PROGRAM, &[]).expect("up");
    let tree = system.path("tree");
    let gathered = gather(&tree);
    assert!(gathered >= FILES_MIN, "this machine has only {gathered} files to offer");
    let pdf: Vec<u8> = (0..PDF_BYTES).map(|n| (n * n % 251) as u8).collect();
    fs::write(tree.join("orig.pdf"), pdf).expect("written");
    let mut files = Vec::new();
    walk(&tree, &mut files);

    system.ok(&["put", "-r", &tree.display().to_string(), "demo/files/real/"]).expect("all files go up");
    let listing = system.ok(&["--json", "ls", "--recursive", "demo/files/real/"]).expect("a listing");
    let listing: Value = serde_json::from_str(&listing).expect("JSON");
    let listed = count_objects(&listing);
    assert_eq!(listed, files.len(), "every file is listed");

    let list = system.path("list.tsv");
    let lines: Vec<String> = files
        .iter()
        .map(|file| {
            let key = file.strip_prefix(&tree).expect("inside").to_str().expect("UTF-8");
            format!("/v1/demo/files/real/{}\t{}", encoded(key), file.display())
        })
        .collect();
    fs::write(&list, lines.join("\n") + "\n").expect("written");
    let headers = system.path("ticket.headers");
    fs::write(&headers, system.ticket(&["--life", "1h"]).expect("a ticket").join("\n") + "\n")
        .expect("written");

    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testing/clients");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let arguments =
        [system.balancer().into(), system.fact("ca").into(), headers.into_os_string(), list.into_os_string()];
    let all = files.len();
    client("curl", Command::new("sh").arg(clients.join("fetch.sh")).args(&arguments), all);
    let python = target.join("python/bin/python");
    client("requests", Command::new(python).arg(clients.join("fetch.py")).args(&arguments), all);
    client("HttpClient", Command::new("java").arg(clients.join("Fetch.java")).args(&arguments), all);
    mono(&system, &clients.join("Fetch.cs"), &arguments, all);

    // And back with our own command, through links and checksums.
    let back = system.path("back");
    system.ok(&["get", "-r", "demo/files/real/", &back.display().to_string()]).expect("all files come back");
    for file in &files {
        let copy = back.join(file.strip_prefix(&tree).expect("inside"));
        assert!(fs::read(file).expect("original") == fs::read(&copy).expect("copy"), "{}", copy.display());
    }
}

/// Objects in whatever shape the listing nests them.
fn count_objects(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_objects).sum(),
        Value::Object(fields) if fields.contains_key("etag") => 1,
        Value::Object(fields) => fields.values().map(count_objects).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
