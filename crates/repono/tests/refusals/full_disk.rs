//! No room: uploads are refused, everything else goes on, nothing that was
//! acknowledged is lost, and nothing is half there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use repono_core::time::Timestamp;
use repono_store::store::{GARBAGE_GRACE, Store, StoreConfig};
use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;
use tempfile::TempDir;

use crate::attack::{Ask, Attack, MARKER};
use crate::stage::{IN_FORCE, KNOWN, KNOWN_BLOB, PROGRAM, Route, Stage, play_on};

/// The whole file system under the data directory.
const ROOM: &str = "size=64m";
/// Large ones first, then whatever still fits; the last are kept in the metadata.
const SIZES: [usize; 4] = [1 << 20, 64 << 10, 20 << 10, 1000];
/// More than fit of any size.
const UPLOADS_MAX: usize = 2000;
/// Several at once, so that the last room is raced for.
const WRITERS: usize = 4;

/// A small file system in memory; gone when dropped.
struct Room(TempDir);

impl Room {
    /// *Errors*: why there is none, mostly for want of privilege.
    fn mount() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", ROOM, "tmpfs"])
            .arg(directory.path())
            .output()?;
        ensure!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
        Ok(Self(directory))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Lazily: the killed services may hold files for a moment longer.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// What became of an upload.
#[derive(PartialEq, Eq)]
enum Uploaded {
    Stored,
    Refused,
}

/// Bytes that are different for every key.
fn content(key: &str, size: usize) -> Vec<u8> {
    key.bytes().cycle().take(size).collect()
}

/// Uploads as a careful client does: the body follows `100 Continue`.
fn upload(stage: &Stage, url: &str, key: &str, size: usize) -> Result<Uploaded> {
    let ask = Ask::new("PUT", format!("/v1/demo/files/{key}")).ticket(&stage.owner);
    let ask = ask.line("Expect: 100-continue").line(format!("Content-Length: {size}"));
    let mut wire = stage.connect(url)?;
    wire.send(&ask.bytes())?;
    let mut response = wire.response("PUT")?;
    if response.status == 100 {
        // If the room is gone by now, the reply must still survive what is sent.
        wire.send(&content(key, size))?;
        response = wire.response("PUT")?;
    }
    match response.status {
        201 => Ok(Uploaded::Stored),
        507 => Ok(Uploaded::Refused),
        other => bail!("{key}: {other}: {}", response.text()),
    }
}

/// What was acknowledged, by key, and the keys that were refused.
#[derive(Default)]
struct Outcome {
    stored: BTreeMap<String, usize>,
    refused: Vec<String>,
}

/// Uploads over one route until nothing of any size is taken.
fn fill(stage: &Stage, route: &Route, writer: usize) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for size in SIZES {
        for number in 0..UPLOADS_MAX {
            let key = format!("fill-{writer}-{size}-{number}");
            match upload(stage, &route.url, &key, size).with_context(|| route.name)? {
                Uploaded::Stored => _ = outcome.stored.insert(key, size),
                Uploaded::Refused => {
                    outcome.refused.push(key);
                    break;
                }
            }
        }
    }
    ensure!(outcome.refused.len() == SIZES.len(), "the disk did not fill");
    Ok(outcome)
}

fn fill_at_once(stage: &Stage) -> Result<Outcome> {
    let routes = stage.routes();
    let all = thread::scope(|scope| {
        let writer = |(number, route)| scope.spawn(move || fill(stage, route, number));
        let writers: Vec<_> = routes.iter().cycle().take(WRITERS).enumerate().map(writer).collect();
        let ended = writers.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|writer| writer.unwrap_or_else(|_| bail!("a writer panicked"))).collect::<Result<Vec<_>>>()
    })?;
    Ok(all.into_iter().fold(Outcome::default(), |mut sum, one| {
        sum.stored.extend(one.stored);
        sum.refused.extend(one.refused);
        sum
    }))
}

/// Exactly what was acknowledged is there, byte for byte, at every head.
fn all_there(stage: &Stage, outcome: &Outcome) -> Result<()> {
    let mut routes = stage.system.heads();
    routes.push(stage.system.balancer());
    for url in routes {
        let mut wire = stage.connect(url)?;
        for (key, size) in &outcome.stored {
            wire.send(&Ask::new("GET", format!("/v1/demo/files/{key}")).ticket(&stage.owner).bytes())?;
            let response = wire.response("GET")?;
            ensure!(response.status == 200 && response.body == content(key, *size), "{key} at {url}: lost");
        }
        for key in &outcome.refused {
            wire.send(&Ask::new("GET", format!("/v1/demo/files/{key}")).ticket(&stage.owner).bytes())?;
            ensure!(wire.response("GET")?.status == 404, "{key} at {url}: half there");
        }
        stage.is_served(&mut wire)?;
    }
    let listing = stage.once(&Ask::new("GET", "/v1/demo/files?format=json").ticket(&stage.owner), 200)?;
    let listing: Vec<Value> = serde_json::from_slice(&listing.body)?;
    let listed = listing.iter().filter_map(|item| item["name"].as_str());
    let mut expected: Vec<&str> = outcome.stored.keys().map(String::as_str).collect();
    expected.extend(["known", "known-blob"]);
    expected.sort_unstable();
    ensure!(listed.eq(expected), "the listing is another");
    Ok(())
}

/// Files of the blob store.
fn blobs(data: &Path) -> Result<usize> {
    let mut count = 0;
    for part in fs::read_dir(data.join("store/blobs"))? {
        count += fs::read_dir(part?.path())?.count();
    }
    Ok(count)
}

fn refusals(stage: &Stage) -> Vec<Attack> {
    let put = |target: &str| Ask::new("PUT", target).ticket(&stage.owner);
    let fresh = format!("/v1/demo/files/{MARKER}");
    let full = |name: &str, ask: Ask| ask.keeps(name, 507, "InsufficientStorage");
    let asked_first = put(&fresh).line("Expect: 100-continue").line("Content-Length: 1000000");
    vec![
        full("a small upload", put(&fresh).body(MARKER)),
        full("an upload over an object", put(KNOWN).body(MARKER)),
        full("an upload over a blob", put(KNOWN_BLOB).body(MARKER.repeat(2000))),
        put(&fresh).chunked(MARKER.repeat(2000)).closes("chunks", 507, "InsufficientStorage"),
        asked_first.closes("a large upload that asks first", 507, "InsufficientStorage"),
    ]
}

/// Deletes what the first half of the writers stored, and all small objects.
fn delete_some(stage: &Stage, outcome: &mut Outcome) -> Result<usize> {
    let wanted = |key: &String| key < &format!("fill-{}", WRITERS / 2) || key.contains("-1000-");
    let deleted: Vec<String> = outcome.stored.keys().filter(|key| wanted(key)).cloned().collect();
    let mut large = 0;
    for (key, route) in deleted.into_iter().zip(stage.routes().iter().cycle()) {
        let ask = Ask::new("DELETE", format!("/v1/demo/files/{key}")).ticket(&stage.owner);
        let response = stage.fetch(&route.url, &ask)?;
        ensure!(response.status == 204, "DELETE of {key}: {}: {}", response.status, response.text());
        large += usize::from(outcome.stored.remove(&key).is_some_and(|size| size > 16 * 1024));
        outcome.refused.push(key);
    }
    Ok(large)
}

/// What the heads' collector does once the grace is over.
fn collect_after_grace(data: &Path) -> Result<u64> {
    let store = Store::open(StoreConfig::new(data.join("store")))?;
    let later = Timestamp::now().plus(GARBAGE_GRACE + Duration::from_secs(60));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(store.collect_garbage(later))?)
}

#[test]
fn a_full_disk_refuses_uploads_and_nothing_else() {
    let room = match Room::mount() {
        Ok(room) => room,
        Err(error) => {
            println!("skipped: a file system of {ROOM} cannot be mounted: {error:#}");
            return;
        }
    };
    let data = room.0.path().join("data");
    let system = System::start_with_data(PROGRAM, &["--heads", "2"], &data);
    play_on(system.and_then(Stage::on), |stage| refuses_uploads_and_nothing_else(stage, &data));
}

fn refuses_uploads_and_nothing_else(stage: &mut Stage, data: &Path) -> Result<()> {
    let mut outcome = fill_at_once(stage)?;
    println!("{} stored, {} refused", outcome.stored.len(), outcome.refused.len());
    all_there(stage, &outcome).context("when the disk was full")?;
    let large = outcome.stored.values().filter(|size| **size > 16 * 1024).count();
    ensure!(blobs(data)? == large + 1, "{} blobs for {large} objects and one", blobs(data)?);
    stage.repel(&refusals(stage))?;
    stage.once(&Ask::new("GET", "/healthcheck"), 200)?;

    let deleted = delete_some(stage, &mut outcome)?;
    all_there(stage, &outcome).context("after deletions")?;
    stage.system.restart().context("on a full disk")?;
    all_there(stage, &outcome).context("after a restart on a full disk")?;

    ensure!(collect_after_grace(data)? == deleted as u64, "not as many blobs collected as deleted");
    wait::until("there is room again", IN_FORCE, || {
        let stored = upload(stage, stage.system.balancer(), "again", SIZES[0]).ok()?;
        (stored == Uploaded::Stored).then_some(())
    })?;
    outcome.stored.insert("again".to_owned(), SIZES[0]);
    all_there(stage, &outcome).context("with room again")
}
