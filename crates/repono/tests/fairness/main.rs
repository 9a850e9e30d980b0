//! What one user, or one source, can take from the others: nothing but its share.

mod stand;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use repono_net::descriptors;
use repono_net::proxy_v2::{ProxyKey, encode_local};
use repono_testkit::wait;
use repono_testkit::wire::Wire;

use stand::{OwnHead, SMALL, Stand, from_address, get, head};

/// Longer than a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_flood_fails_no_request_of_another() {
    let stand = Stand::start().expect("a stand");
    let (stop, flooded) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| flood(&stand, &stop, &flooded).expect("the flood is answered, too"));
        }
        wait::until("the flood is there", PATIENCE, || (flooded.load(Ordering::Relaxed) > 500).then_some(()))
            .expect("a flood");
        let answered = (0..300).map(|number| other(&stand, number)).filter(Result::is_ok).count();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(answered, 300);
    });
}

/// Twenty connections with a request under way on each, again and again.
fn flood(stand: &Stand, stop: &AtomicBool, flooded: &AtomicUsize) -> Result<()> {
    let url = stand.head();
    let mut wires = (0..20).map(|_| stand.wire(&url)).collect::<Result<Vec<_>>>()?;
    while !stop.load(Ordering::Relaxed) {
        for wire in &mut wires {
            wire.send(head("GET", SMALL, &stand.busy, 0).as_bytes())?;
        }
        for wire in &mut wires {
            ensure!(wire.response("GET")?.status == 200);
            flooded.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// One request of the other user, each third on a new connection of its own.
fn other(stand: &Stand, number: usize) -> Result<()> {
    let mut wire = stand.wire(&stand.head())?;
    for _ in 0..=number % 3 {
        let response = get(&mut wire, &stand.other)?;
        ensure!(response.status == 200, "{}", response.text());
    }
    Ok(())
}

#[test]
fn a_rate_is_kept_by_each_user() {
    let stand = Stand::start().expect("a stand");
    let own = stand.own_head(&[("user_requests_per_s", 5)]).expect("a head");
    let mut wire = stand.wire(&own.url).expect("a connection");
    let refused = wait::until("the rate is used up", PATIENCE, || {
        let response = get(&mut wire, &stand.busy).expect("an answer");
        (response.status != 200).then_some(response)
    })
    .expect("a refusal");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let mut others = stand.wire(&own.url).expect("a connection");
    assert_eq!(get(&mut others, &stand.other).expect("an answer").status, 200);
    wait::until("a request is earned", PATIENCE, || {
        (get(&mut wire, &stand.busy).expect("the connection was kept").status == 200).then_some(())
    })
    .expect("an answer");
}

#[test]
fn a_source_has_its_share_of_the_connections() {
    let stand = Stand::start().expect("a stand");
    let own = stand.own_head(&[("connections_max", 8)]).expect("a head");
    let connect = || {
        let mut wire = stand.wire(&own.url)?;
        ensure!(get(&mut wire, &stand.busy)?.status == 200);
        Ok(wire)
    };
    let mut held: Vec<Wire> = (0..4).map(|_| connect().expect("within the share")).collect();
    assert!(connect().is_err(), "half of eight is the share");
    let tcp = from_address(2, &own.url).expect("another source");
    let mut elsewhere = Wire::over(tcp, &stand.ca()).expect("a connection");
    assert_eq!(get(&mut elsewhere, &stand.busy).expect("an answer").status, 200);
    drop(elsewhere);
    held.truncate(2);
    wait::until("the place is free again", PATIENCE, || connect().ok()).expect("a connection");
    let counted = counts(&stand, &own).expect("counts");
    assert!(counted.contains("connections-refused "), "{counted}");
    assert!(!counted.contains("connections-refused 0\n"), "{counted}");
    let journal = "\"closed_by\":\"us\",\"manner\":\"rst\",\"phase\":\"connect\"";
    wait::until("the journal says so", PATIENCE, || in_journal(&stand, journal)).expect("a record");
}

#[test]
fn who_fills_its_places_leaves_the_rest_and_is_shed_by_age() {
    let stand = Stand::start().expect("a stand");
    let own = stand.own_head(&[("requests_max", 8)]).expect("a head");
    let mut uploads: Vec<Wire> =
        (0..4).map(|n| stand.upload(&own.url, &format!("slow-{n}")).expect("an upload")).collect();
    // Until the head has read the four heads, a fifth request is within the share.
    let mut fifth = stand.wire(&own.url).expect("a connection");
    let shed = wait::until("the places are taken", PATIENCE, || {
        let response = get(&mut fifth, &stand.busy).expect("an answer");
        (response.status != 200).then_some(response)
    })
    .expect("a refusal");
    assert_eq!((shed.status, shed.header("retry-after")), (503, Some("1")));
    assert!(shed.text().contains("SlowDown"), "{}", shed.text());
    let mut others = stand.wire(&own.url).expect("a connection");
    assert_eq!(get(&mut others, &stand.other).expect("an answer").status, 200);
    let counted = counts(&stand, &own).expect("counts");
    assert!(counted.contains("requests-shed-by-age 1\n"), "{counted}");
    wait::until("the journal says so", PATIENCE, || in_journal(&stand, "\"code\":\"SlowDown\""))
        .expect("a record");

    let mut first = uploads.remove(0);
    first.send(b"body").expect("sent");
    assert_eq!(first.response("PUT").expect("an answer").status, 201);
    assert_eq!(get(&mut fifth, &stand.busy).expect("the connection was kept").status, 200);
}

/// What the head tells the balancer about what it refused.
fn counts(stand: &Stand, own: &OwnHead) -> Result<String> {
    let key = fs::read_to_string(stand.system.data().join("secrets/proxy.key"))?;
    let key: [u8; 32] = data_encoding::HEXLOWER.decode(key.trim_end().as_bytes())?.as_slice().try_into()?;
    let mut tcp = TcpStream::connect(own.balanced)?;
    tcp.write_all(&encode_local(&ProxyKey::new(&key)))?;
    let mut wire = Wire::over(tcp, &stand.ca())?;
    wire.send(b"GET /healthcheck HTTP/1.1\r\nHost: h\r\n\r\n")?;
    let told = wire.response("GET")?.text();
    ensure!(told.contains("\nlimit idle-close-s 650\n"), "the balancer is told the limits: {told}");
    let mut stranger = stand.wire(&own.url).context("a stranger")?;
    stranger.send(b"GET /healthcheck HTTP/1.1\r\nHost: h\r\n\r\n")?;
    ensure!(stranger.response("GET")?.text() == "OK\n", "a stranger is told no counts");
    Ok(told)
}

fn in_journal(stand: &Stand, text: &str) -> Option<()> {
    let files = fs::read_dir(stand.system.fact("journal")).ok()?;
    files.flatten().find(|file| fs::read_to_string(file.path()).is_ok_and(|t| t.contains(text))).map(|_| ())
}

/// Connections that are slow in every way.
const SLOW_HEADS: usize = 900;
const SLOW_BODIES: usize = 1000;
const SLOW_READS: usize = 100;
/// What a connection may cost a head, whatever it does.
const CONNECTION_BYTES_MAX: u64 = 256 * 1024;
/// More than the kernel takes of a reply that nobody reads.
const LARGE: &str = "/v1/demo/files/large";
const LARGE_BYTES: usize = 16 << 20;

#[test]
fn two_thousand_slow_connections_stop_nobody() {
    descriptors::raise_limit().expect("more files");
    let stand = Stand::start().expect("a stand");
    stand.put(LARGE, &vec![7; LARGE_BYTES]).expect("stored");
    let before = resident(&stand).expect("memory");
    let url = stand.head();
    let done = AtomicBool::new(false);
    let slow: Vec<Wire> = thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut answered = 0;
            while !done.load(Ordering::Relaxed) || answered < 100 {
                other(&stand, answered).expect("others go on");
                answered += 1;
            }
        });
        let mut slow = Vec::new();
        for number in 0..SLOW_BODIES {
            slow.push(stand.upload(&url, &format!("slow/{number}")).expect("a slow body"));
        }
        for _ in 0..SLOW_READS {
            let mut wire = stand.wire(&url).expect("a connection");
            wire.send(head("GET", LARGE, &stand.busy, 0).as_bytes()).expect("a slow read");
            slow.push(wire);
        }
        for _ in 0..SLOW_HEADS {
            let mut wire = stand.wire(&url).expect("a connection");
            wire.send(b"GET / HTTP/1.1\r\nX: ").expect("a slow head");
            slow.push(wire);
        }
        done.store(true, Ordering::Relaxed);
        others.join().expect("others go on");
        slow
    });
    let grown = resident(&stand).expect("memory").saturating_sub(before);
    assert!(grown < slow.len() as u64 * CONNECTION_BYTES_MAX, "{grown} bytes");
}

/// Bytes that the head has in memory.
fn resident(stand: &Stand) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", stand.system.pid("head-1")))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
