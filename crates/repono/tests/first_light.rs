//! The way of the story, with curl: a ticket, PUT of a PDF through the balancer,
//! HEAD with the ticket, GET of the pre-authorized URI without it.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::Command;

use repono_testkit::system::System;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// The size of the file in the incident's trace.
const PDF_BYTES: usize = 5_378_129;

fn curl(system: &System, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--max-time",
            "30",
            "--cacert",
            system.fact("ca"),
        ])
        .args(arguments)
        .output()
        .expect("curl runs");
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Bytes that look like a PDF and repeat nowhere, the same at every run.
fn pdf(path: &Path) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = b"%PDF-1.7\n".to_vec();
    while bytes.len() < PDF_BYTES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(PDF_BYTES);
    std::fs::write(path, &bytes).expect("the file can be written");
    bytes
}

fn header_names(head: &str) -> Vec<&str> {
    head.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect()
}

#[test]
fn a_file_goes_in_and_out_as_in_the_story() {
    let system = System::start(PROGRAM, &[]).expect("up");
    let original = pdf(&system.path("orig.pdf"));
    let headers = system.path("ticket.headers");
    std::fs::write(&headers, system.ticket(&[]).expect("a ticket").join("\n")).expect("written");
    let with_ticket = format!("@{}", headers.display());
    let file = system.path("orig.pdf").display().to_string();
    let object = format!("{}/v1/demo/files/n/1/6/doc1/orig.pdf", system.balancer());

    curl(&system, &["--header", &with_ticket, "--upload-file", &file, &object]);
    // HTTP/2 has every name in lower case.
    let head = curl(&system, &["--http1.1", "--header", &with_ticket, "--head", &object]);
    let head = String::from_utf8(head).expect("text").replace('\r', "");
    let names = header_names(&head);
    let of_the_trace = [
        "X-Timestamp",
        "X-Preauth-Uri",
        "X-Trans-Id",
        "Accept-Ranges",
        "Content-Length",
        "Content-Type",
        "Date",
        "ETag",
        "Last-Modified",
    ];
    assert_eq!(names.get(..9), Some(&of_the_trace[..]), "{head}");
    assert!(head.contains("Content-Length: 5378129\n"), "{head}");
    assert!(head.contains("Content-Type: application/pdf\n"), "{head}");

    let uri = head.lines().find_map(|line| line.strip_prefix("X-Preauth-Uri: ")).expect("a link");
    let body = curl(&system, &[&format!("{}{uri}", system.balancer())]);
    assert!(body == original, "the file that came back is another one");
    for direct in system.heads() {
        let body = curl(&system, &[&format!("{direct}{uri}")]);
        assert!(body == original, "{direct} hands out another file");
    }
}

#[test]
fn a_second_up_on_the_same_directory_says_so() {
    let mut system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let data = system.data().display().to_string();
    let second = Command::new(PROGRAM)
        .args([
            "up",
            "--listen",
            "127.0.0.1:0",
            "--vending",
            "127.0.0.1:0",
            "--monitor",
            "127.0.0.1:0",
            "--data",
            &data,
        ])
        .output()
        .expect("the program runs");
    assert_eq!(second.status.code(), Some(2));
    let message = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(message.contains("another `repono up` runs on"), "{message}");

    system
        .ok(&["put", &system.data().join("ca.pem").display().to_string(), "demo/files/kept.pem"])
        .expect("put");
    system.restart().expect("up again on what is there");
    let listed = system.ok(&["ls", "demo/files"]).expect("the same user and the same objects");
    assert_eq!(listed, "kept.pem\n");
    assert_eq!(system.stop(rustix::process::Signal::TERM).expect("it ends"), Some(0));
}

#[test]
fn services_come_back_although_the_program_was_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("repono");
    std::fs::copy(PROGRAM, &copy).expect("a copy");
    let system = System::start(&copy.display().to_string(), &["--heads", "1"]).expect("up");
    std::fs::remove_file(&copy).expect("removed");
    repono_testkit::system::send(system.pid("head-1"), rustix::process::Signal::KILL).expect("killed");
    let head = system.heads()[0].to_owned();
    let health = format!("{head}/healthcheck");
    repono_testkit::wait::until("the head is back", std::time::Duration::from_secs(10), || {
        let arguments = ["-sf", "--max-time", "5", "--cacert", system.fact("ca"), &health];
        Command::new("curl").args(arguments).output().ok().filter(|output| output.status.success())
    })
    .expect("it was started again");
}

/// `cargo run` must know which program is meant, without a name.
#[test]
fn the_workspace_runs_one_program() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let workspace: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let default = workspace["workspace_default_members"].as_array().expect("members");
    let packages = workspace["packages"].as_array().expect("packages").iter();
    let targets = packages
        .filter(|package| default.contains(&package["id"]))
        .filter_map(|package| package["targets"].as_array())
        .flatten();
    let programs: Vec<_> = targets.filter(|target| target["kind"][0] == "bin").collect();
    assert_eq!(programs.len(), 1, "{programs:?}");
    assert_eq!(programs[0]["name"], "repono");
}
