//! kill -9 of a random service under writes, many times: what was acknowledged
//! is there at every head, nothing is half visible, nothing remains.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use repono_core::time::Timestamp;
use repono_store::store::{Store, StoreConfig};
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use repono_testkit::wire::Wire;
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
/// Kills, unless `REPONO_KILLS` says otherwise.
const KILLS: usize = 200;
/// Of these, at least so many hundredths hit while a write is under way.
const IN_FLIGHT_MIN_PERCENT: usize = 80;
const WRITERS: usize = 6;
/// Within the metadata, one blob of two blocks, one of many.
const SIZES: [usize; 3] = [1 << 10, 100 << 10, 2 << 20];
/// Some names are written again and again, most once.
const SHARED_NAMES: usize = 8;

/// What is known of one name.
#[derive(Clone, Default)]
struct Written {
    /// Seeds of the contents that may be there: the last acknowledged, and every
    /// one since then whose answer did not come.
    possible: Vec<u64>,
    acknowledged: bool,
}

#[derive(Default)]
struct Ledger {
    names: Mutex<BTreeMap<String, Written>>,
    in_flight: AtomicUsize,
    acknowledged: AtomicUsize,
    stop: AtomicBool,
}

/// The content that belongs to a seed: its size too.
fn content(seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0; SIZES[usize::try_from(seed % 3).unwrap_or_default()]];
    random.fill(bytes.as_mut_slice());
    bytes
}

fn put(url: &str, ca: &Path, ticket: &[String], name: &str, body: &[u8]) -> Option<u16> {
    let mut wire = Wire::connect(url, ca).ok()?;
    let head = format!(
        "PUT /v1/demo/files/{name} HTTP/1.1\r\nHost: localhost\r\n{}\r\nContent-Length: {}\r\n\r\n",
        ticket.join("\r\n"),
        body.len()
    );
    wire.send(head.as_bytes()).ok()?;
    wire.send(body).ok()?;
    wire.response("PUT").ok().map(|response| response.status)
}

fn get(url: &str, ca: &Path, ticket: &[String], path: &str) -> Option<(u16, Vec<u8>)> {
    let mut wire = Wire::connect(url, ca).ok()?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", ticket.join("\r\n"));
    wire.send(head.as_bytes()).ok()?;
    wire.response("GET").ok().map(|response| (response.status, response.body))
}

/// Writes until told to stop. Each shared name belongs to one writer, so that the
/// order of its contents is known.
fn write(number: usize, urls: &[String], ca: &Path, ticket: &[String], ledger: &Ledger) {
    let mut random = StdRng::seed_from_u64(number as u64);
    let mut count = 0;
    while !ledger.stop.load(Ordering::Relaxed) {
        count += 1;
        let shared = random.random_bool(0.3);
        let name = if shared {
            format!("shared/{number}/{}", random.random_range(0..SHARED_NAMES))
        } else {
            format!("once/{number}/{count}")
        };
        let seed: u64 = random.random();
        let body = content(seed);
        {
            let mut names = ledger.names.lock().expect("no writer panics");
            names.entry(name.clone()).or_default().possible.push(seed);
        }
        ledger.in_flight.fetch_add(1, Ordering::SeqCst);
        let url = &urls[random.random_range(0..urls.len())];
        let answer = put(url, ca, ticket, &name, &body);
        ledger.in_flight.fetch_sub(1, Ordering::SeqCst);
        if answer == Some(201) {
            ledger.acknowledged.fetch_add(1, Ordering::Relaxed);
            let mut names = ledger.names.lock().expect("no writer panics");
            names.insert(name, Written { possible: vec![seed], acknowledged: true });
        }
    }
}

/// The process that runs with this service's configuration now.
fn pid_of(data: &Path, service: &str) -> Option<u32> {
    let config = data.join("run").join(format!("{service}.toml")).display().to_string();
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).into_owned();
        line.split('\0').any(|word| word == config).then_some(pid)
    })
}

fn answers(url: &str, ca: &Path) -> bool {
    get(url, ca, &["X-Nothing: 1".to_owned()], "/healthcheck").is_some_and(|(status, _)| status == 200)
}

#[test]
fn acknowledged_writes_survive_two_hundred_kills() {
    let kills = std::env::var("REPONO_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let mut system = System::start(PROGRAM, &[]).expect("up");
    let ticket = system.ticket(&["--life", "1h"]).expect("a ticket");
    let ca = PathBuf::from(system.fact("ca"));
    let mut services: Vec<(String, String)> = system
        .heads()
        .iter()
        .enumerate()
        .map(|(n, url)| (format!("head-{}", n + 1), (*url).to_owned()))
        .collect();
    let heads: Vec<String> = services.iter().map(|(_, url)| url.clone()).collect();
    services.push(("vending".into(), system.fact("vending").into()));
    services.push(("balancer".into(), system.balancer().into()));
    let urls: Vec<String> = heads.iter().cloned().chain(vec![system.balancer().to_owned(); 4]).collect();

    let ledger = Arc::new(Ledger::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let (urls, ca, ticket, ledger) = (urls.clone(), ca.clone(), ticket.clone(), Arc::clone(&ledger));
            std::thread::spawn(move || write(number, &urls, &ca, &ticket, &ledger))
        })
        .collect();

    let mut random = StdRng::seed_from_u64(2026);
    let (mut hits, mut backs) = (0, Vec::new());
    for _ in 0..kills {
        let (service, url) = &services[random.random_range(0..services.len())];
        let _ = wait::until("a write is under way", Duration::from_secs(5), || {
            (ledger.in_flight.load(Ordering::SeqCst) > 0).then_some(())
        });
        let pid = wait::until("the service runs", Duration::from_secs(10), || pid_of(system.data(), service));
        hits += usize::from(ledger.in_flight.load(Ordering::SeqCst) > 0);
        send(pid.expect("a process"), Signal::KILL).expect("killed");
        let begun = Instant::now();
        wait::until(service, Duration::from_secs(10), || answers(url, &ca).then_some(()))
            .expect("it is back");
        backs.push(begun.elapsed());
    }
    ledger.stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().expect("a writer");
    }
    backs.sort();
    let (median, slowest) = (backs[backs.len() / 2], backs[backs.len() - 1]);
    let acknowledged = ledger.acknowledged.load(Ordering::Relaxed);
    println!("{kills} kills, {hits} with a write under way, {acknowledged} writes acknowledged");
    println!("back after {median:?} (median), {slowest:?} (slowest)");
    assert!(hits * 100 >= kills * IN_FLIGHT_MIN_PERCENT, "only {hits} of {kills} kills hit a write");
    assert!(median <= Duration::from_secs(1), "back after {median:?}");
    assert!(slowest <= Duration::from_secs(3), "once back after {slowest:?}");

    let names = ledger.names.lock().expect("no writer panicked").clone();
    verify(&heads, &ca, &ticket, &names);
    system.stop(Signal::TERM).expect("an end");
    nothing_remains(&system.data().join("store"));
}

/// Every name reads the same at every head, and as one of the contents that may
/// be there; an acknowledged one is there.
fn verify(heads: &[String], ca: &Path, ticket: &[String], names: &BTreeMap<String, Written>) {
    let fields = ticket.join("\r\n");
    let mut wires: Vec<Wire> = heads.iter().map(|head| Wire::connect(head, ca).expect("a head")).collect();
    for (name, written) in names {
        let request = format!("GET /v1/demo/files/{name} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n");
        let mut bodies = wires.iter_mut().map(|wire| {
            wire.send(request.as_bytes()).expect("sent");
            let response = wire.response("GET").expect("an answer");
            // The body of a refusal holds the request's own id.
            (response.status, if response.status == 200 { response.body } else { Vec::new() })
        });
        let first = bodies.next().expect("a head");
        assert!(bodies.all(|other| other == first), "{name} differs between heads");
        let (status, body) = first;
        match status {
            200 => {
                let known = written.possible.iter().any(|seed| content(*seed) == body);
                assert!(known, "{name} holds what nobody wrote");
            }
            404 => assert!(!written.acknowledged, "{name} was acknowledged and is gone"),
            other => panic!("{name}: {other}"),
        }
    }
}

/// After the collector has run there is no blob that no object refers to, and no
/// temporary file.
fn nothing_remains(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::open(StoreConfig::new(directory)).expect("the store opens");
        let later = Timestamp::now().plus(Duration::from_secs(3600));
        while store.collect_garbage(later).await.expect("collected") > 0 {}
        store.collect_orphans(later, Duration::ZERO).await.expect("collected");
        let mut blobs = Vec::new();
        for folder in std::fs::read_dir(directory.join("blobs")).expect("blobs").flatten() {
            for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                let name = file.file_name().to_string_lossy().into_owned();
                blobs.push(
                    repono_core::id::BlobId::parse(&name).unwrap_or_else(|| panic!("{name} is no blob")),
                );
            }
        }
        let referenced = store.meta().blobs_referenced(&blobs).await.expect("looked up");
        let unknown = blobs.iter().filter(|blob| !referenced.contains(blob)).count();
        assert_eq!(unknown, 0, "of {} blobs nobody refers to {unknown}", blobs.len());
        println!("{} blobs, all referred to", blobs.len());
    });
}
