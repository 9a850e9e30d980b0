use std::fs;

use repono_core::id::ConnectionId;
use serde_json::Value;

use super::{Journal, JournalConfig, JournalError, prepare, recorder};
use crate::change::ChangeRecord;
use crate::connection::ConnectionRecord;
use crate::request::{RequestRecord, Reuse, Side};
use crate::stamp::Stamp;
use crate::writer::Round;

fn config(dir: &tempfile::TempDir) -> JournalConfig {
    JournalConfig::new(dir.path().join("journal"), "head", "head-1")
}

fn read(dir: &tempfile::TempDir) -> Vec<Value> {
    let text = fs::read_to_string(dir.path().join("journal/head-1.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ordinary(mono_ns: u64) -> RequestRecord {
    let address = ([127, 0, 0, 1], 7).into();
    let id = ConnectionId::from_bytes([5; 12]);
    let mut record =
        RequestRecord::new(Side::Head, id, Stamp { wall_ns: mono_ns, mono_ns }, address, address);
    record.status = Some(200);
    record.reuse = Reuse::Reused { idle_before_ns: 0, requests_before: 1 };
    record
}

#[test]
fn what_is_recorded_before_a_flush_is_in_the_file_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(config(&dir)).unwrap();
    let (mut one, shared) = (journal.recorder(), journal.shared());
    for n in 1..=3 {
        one.request(&ordinary(n));
        shared.change(ChangeRecord {
            at: Stamp::now(),
            who: "uid 0",
            what: "only",
            from: "off",
            to: "head-1",
        });
        journal.flush();
        assert_eq!(read(&dir).len(), 2 * usize::try_from(n).unwrap());
    }
    let last = read(&dir).pop().unwrap();
    assert_eq!(last["service"]["node"]["name"], "head-1");
    assert_eq!(last["process"]["pid"], std::process::id());
}

#[test]
fn closing_writes_what_the_rings_hold() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(config(&dir)).unwrap();
    let mut recorder = journal.recorder();
    let thread = std::thread::spawn(move || (0..1000).for_each(|n| recorder.request(&ordinary(n))));
    thread.join().unwrap();
    journal.close();
    assert_eq!(read(&dir).len(), 1000);
}

#[test]
fn a_full_ring_drops_counts_and_says_so_in_later_records() {
    let dir = tempfile::tempdir().unwrap();
    let (shared, mut writer) = prepare(&JournalConfig { ring_records: 4, ..config(&dir) }).unwrap();
    let mut recorder = recorder(&shared, 4);
    (0..10).for_each(|n| recorder.request(&ordinary(n)));
    assert_eq!(shared.dropped(), 6);
    assert_eq!(writer.round(), Round::Busy);
    recorder.request(&ordinary(11));
    writer.round();
    let lines = read(&dir);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[4]["repono"]["journal"]["dropped"], 6);
    assert_eq!(writer.round(), Round::Quiet);
}

#[test]
fn sampling_leaves_out_counts_and_returns_the_last_request_of_a_connection() {
    let dir = tempfile::tempdir().unwrap();
    let (shared, mut writer) = prepare(&JournalConfig { sample_above_per_s: 10, ..config(&dir) }).unwrap();
    let mut recorder = recorder(&shared, 4096);
    (0..1001).for_each(|n| recorder.request(&ordinary(n)));
    let address = ([127, 0, 0, 1], 7).into();
    let id = ConnectionId::from_bytes([5; 12]);
    recorder.connection(&ConnectionRecord::new(Side::Head, id, Stamp::default(), address, address));
    writer.round();
    let lines = read(&dir);
    assert!(lines.len() < 80, "{}", lines.len());
    assert_eq!(lines[lines.len() - 1]["event"]["action"], "connection");
    assert_eq!(lines[lines.len() - 2]["repono"]["mono_ns"]["start"], 1000);
    assert_eq!(u64::try_from(lines.len()).unwrap() + shared.sampled_out(), 1002);
    assert!(lines.iter().any(|line| line["repono"]["sample"]["one_in"].as_u64() > Some(50)));
}

#[test]
fn a_disk_that_refuses_costs_records_not_the_service() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("journal")).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join("journal/head-1.jsonl")).unwrap();
    let journal = Journal::open(config(&dir)).unwrap();
    let mut recorder = journal.recorder();
    (0..3).for_each(|n| recorder.request(&ordinary(n)));
    journal.flush();
    assert_eq!(journal.dropped(), 3);
}

#[test]
fn names_that_are_no_file_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for bad in ["", "../x", "a/b", ".hidden", "head 1", &"x".repeat(65)] {
        let config = JournalConfig { instance: bad.to_owned(), ..config(&dir) };
        assert!(matches!(Journal::open(config), Err(JournalError::Instance)), "{bad}");
    }
    let blocked = dir.path().join("file");
    fs::write(&blocked, "").unwrap();
    let refused = Journal::open(JournalConfig { dir: blocked.join("journal"), ..config(&dir) });
    assert!(matches!(refused, Err(JournalError::Directory { .. })));
    fs::create_dir_all(dir.path().join("journal/head-1.jsonl")).unwrap();
    assert!(matches!(Journal::open(config(&dir)), Err(JournalError::File { .. })));
}

#[test]
fn a_recorder_moves_between_threads() {
    fn sendable<T: Send>() {}
    sendable::<crate::Recorder>();
    sendable::<crate::SharedRecorder>();
}
