//! 2 GiB in and out: no process grows with the object.

#![expect(clippy::expect_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use repono_testkit::system::System;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
const BYTES: u64 = 2 << 30;
/// What the largest process may grow by.
const GROWTH_MAX_KIB: u64 = 64 << 10;
/// Twice the object, and room for others.
const SPACE_MIN_BYTES: u64 = 8 << 30;
const STEP: usize = 1 << 20;

/// The most memory that each service has had so far, in KiB.
fn peaks(system: &System) -> Vec<(String, u64)> {
    let peak = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the service runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    system.pids().into_iter().map(|(name, pid)| (name, peak(pid))).collect()
}

/// The step with this number: every one is different.
fn step(number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(STEP);
    while bytes.len() < STEP {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}

#[test]
fn two_gibibytes_in_and_out_in_constant_memory() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let space = rustix::fs::statvfs(system.data()).expect("a file system");
    if space.f_bavail * space.f_frsize < SPACE_MIN_BYTES {
        println!("skipped: less than {SPACE_MIN_BYTES} bytes are free");
        return;
    }
    system.ok(&["put", "/proc/self/exe", "demo/files/warm"]).expect("a first upload");
    let before = peaks(&system);

    let mut put = system.command();
    put.args(["put", "-", "demo/files/large"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut put = put.spawn().expect("put runs");
    let mut into = put.stdin.take().expect("its input");
    for number in 0..BYTES / STEP as u64 {
        into.write_all(&step(number)).expect("put reads on");
    }
    drop(into);
    assert!(put.wait().expect("put ends").success());

    let mut get = system.command();
    get.args(["get", "demo/files/large", "-"]).stdout(Stdio::piped());
    let mut get = get.spawn().expect("get runs");
    let mut from = get.stdout.take().expect("its output");
    let mut bytes = vec![0; STEP];
    for number in 0..BYTES / STEP as u64 {
        from.read_exact(&mut bytes).expect("get goes on");
        assert!(bytes == step(number), "step {number} came back as another");
    }
    assert_eq!(from.read(&mut bytes).expect("the end"), 0, "there is more than was put");
    assert!(get.wait().expect("get ends").success());

    for ((name, before), (_, after)) in before.iter().zip(peaks(&system)) {
        println!("{name}: {before} KiB, then {after} KiB");
        assert!(after - before < GROWTH_MAX_KIB, "{name} grew from {before} to {after} KiB");
    }
}

/// The program under test is also the reader of its own output above.
#[test]
fn standard_output_is_the_object_and_nothing_else() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    system.ok(&["put", "/etc/hostname", "demo/files/name"]).expect("put");
    let output = Command::new(PROGRAM)
        .args(["get", "demo/files/name", "-", "--profile", system.fact("profile")])
        .output()
        .expect("get runs");
    assert_eq!(output.stdout, fs::read("/etc/hostname").expect("a file"));
}
