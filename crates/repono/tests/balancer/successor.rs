//! A balancer that is replaced, reloaded and given its listener, as processes; and
//! what an idle connection costs it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use repono_testkit::system::{System, send};
use repono_testkit::wait;
use rustix::process::Signal;

use crate::stage::{Balancer, LIMIT, PROGRAM, address, command, configuration, wait_for};

/// What an idle connection may cost the balancer.
const IDLE_BYTES_MAX: u64 = 4 * 1024;

/// How many are opened to measure it.
const IDLE_CONNECTIONS: u64 = 2_000;

#[test]
fn a_process_is_replaced_and_reloaded_under_its_connections() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let (config, mut table) = configuration(&system, |_| {});
    let mut first = Balancer::started(command(&config, &[]));
    let kept = TcpStream::connect(address(&table)).expect("accepted");
    wait_for(&system, "the connection is relayed", |heads| heads[0]["connections"] == 1);

    let second = Balancer::started(command(&config, &["--take-over"]));
    TcpStream::connect(address(&table)).expect("accepted");
    assert!(first.0.try_wait().expect("a child").is_none(), "it still has a connection");
    drop(kept);
    first.ended();
    wait_for(&system, "the successor answers the operator", |heads| heads[0]["state"] == "ready");

    table["heads"][0].as_table_mut().expect("a head").insert("weight".into(), 7.into());
    fs::write(&config, toml::to_string(&table).expect("TOML")).expect("written");
    send(second.0.id(), Signal::HUP).expect("sent");
    wait_for(&system, "the weight is reloaded", |heads| heads[0]["weight"] == 7);

    let socket = system.path("second.sock").display().to_string();
    let traced =
        system.ok(&["--json", "admin", "--socket", &socket, "head", "trace", "10.0.0.0/8", "--for", "2m"]);
    assert!(traced.expect("begun").contains("10.0.0.0/8"));
    let weighed =
        system.ok(&["admin", "--socket", &socket, "head", "weight", "head-1", "3"]).expect("weighed");
    assert!(weighed.contains("head-1"), "{weighed}");
}

#[test]
fn a_reload_takes_what_it_can_and_names_the_rest() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let (config, mut table) = configuration(&system, |_| {});
    let log = system.path("second.log");
    let mut starting = command(&config, &[]);
    starting.env_remove("REPONO_LOG").stderr(fs::File::create(&log).expect("made"));
    let balancer = Balancer::started(starting);
    let mut reload = |key: &str, value: toml::Value| {
        table.insert(key.into(), value);
        fs::write(&config, toml::to_string(&table).expect("TOML")).expect("written");
        send(balancer.0.id(), Signal::HUP).expect("sent");
    };
    let said = |words: &str| fs::read_to_string(&log).expect("there").matches(words).count();
    let says = |words: &str, times: usize| {
        wait::until(words, LIMIT, || (said(words) >= times).then_some(())).expect("said");
    };
    // No machine of a test has as many cores.
    reload("threads", 63.into());
    says("the configuration was reloaded", 1);
    assert_eq!((said("threads"), said("--take-over")), (1, 1));
    reload("log", "warn".into());
    // Warnings are said, information is not.
    says("--take-over", 2);
    assert_eq!(said("the configuration was reloaded"), 1);
    reload("log", "info".into());
    says("the configuration was reloaded", 2);
}

#[test]
fn without_a_predecessor_taking_over_says_so() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let (config, _) = configuration(&system, |_| {});
    let output = command(&config, &["--take-over"]).output().expect("runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("hands over its listener"), "{said}");
}

#[test]
fn a_passed_listener_is_used_and_idle_connections_are_cheap() {
    let system = System::start(PROGRAM, &["--heads", "1"]).expect("up");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let address = listener.local_addr().expect("bound");
    let (config, _) =
        configuration(&system, |table| _ = table.insert("listen".into(), address.to_string().into()));
    // As systemd does it: descriptor 3, and the process id of the service itself.
    let mut shell = Command::new("sh");
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" balancer --config \"$1\" 3<&0 </dev/null";
    shell.args(["-c", script, PROGRAM]).arg(&config).stdin(Stdio::from(OwnedFd::from(listener)));
    let balancer = Balancer::started(shell);
    let open = |count| -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect(address).expect("accepted")).collect()
    };
    let relayed = |count: u64| {
        let all = move |heads: &[serde_json::Value]| heads[0]["connections"].as_u64() >= Some(count);
        wait_for(&system, "all are relayed", all);
    };
    // What every balancer needs once is there before the measurement.
    let first = open(100);
    relayed(100);
    let before = balancer.resident();
    let idle = open(IDLE_CONNECTIONS);
    relayed(100 + IDLE_CONNECTIONS);
    let each = balancer.resident().saturating_sub(before) / IDLE_CONNECTIONS;
    println!("{each} bytes for each idle connection");
    drop((first, idle));
    assert!(each <= IDLE_BYTES_MAX, "{each} bytes for each idle connection");
}
