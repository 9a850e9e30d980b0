//! The collector over journals that grow, through kills and restarts.

use std::path::Path;

use repono_core::id::ConnectionId;
use repono_journal::follow::{Follower, Rest, Start};
use repono_journal::{Journal, JournalConfig, Recorder, RequestRecord, Reuse, Side, Stamp, UrlPath};

use super::state::CountsFile;
use super::{Collector, SharedBoard, Work};
use crate::board::{Board, Step, View};
use crate::diagnosis::SharedWindow;

fn journal(dir: &Path, instance: &str) -> Journal {
    let config = JournalConfig { file_bytes_max: 40_000, ..JournalConfig::new(dir, "head", instance) };
    Journal::open(config).unwrap()
}

fn write(recorder: &mut Recorder, count: u64) {
    let address = ([127, 0, 0, 1], 7).into();
    for _ in 0..count {
        let id = ConnectionId::from_bytes([5; 12]);
        let mut record = RequestRecord::new(Side::Head, id, Stamp::now(), address, address);
        record.reuse = Reuse::Reused { idle_before_ns: 0, requests_before: 1 };
        record.path = UrlPath::of_target(b"/v1/demo/files/x");
        record.status = Some(200);
        recorder.request(&record);
    }
}

/// As after a start, without the thread.
fn started(journals: &Path, state: &Path) -> Work {
    let file = CountsFile::in_dir(state).unwrap();
    let board = SharedBoard::default();
    let follower = match file.read() {
        Some(state) => {
            *board.lock() = Board::resumed(state.board);
            Follower::resume(vec![journals.to_owned()], state.positions)
        }
        None => Follower::new(vec![journals.to_owned()], Start::Beginning),
    };
    let window = SharedWindow::default();
    Work { follower, board, listener: None, window, file: Some(file), kept_mono_ns: 0 }
}

fn read_on(work: &mut Work) {
    while work.read(Stamp::now()) == Rest::More {}
}

fn counted(board: &SharedBoard) -> u64 {
    let now_s = Stamp::now().wall_ns / 1_000_000_000;
    let board = board.lock();
    let points = board.latency(View::Head).points(Step::Hour, 0, u64::MAX, now_s);
    let by_hour = points.iter().map(|point| point.count).sum();
    assert_eq!(by_hour, board.totals().requests.values().sum::<u64>());
    by_hour
}

#[test]
fn a_kill_counts_nothing_twice_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journals, state) = (dir.path().join("journal"), dir.path().join("state"));
    let journal = journal(&journals, "head-1");
    let mut recorder = journal.recorder();
    let mut written = 0;
    let mut more = |count| {
        write(&mut recorder, count);
        journal.flush();
        written += count;
        written
    };
    let mut work = started(&journals, &state);
    more(50);
    read_on(&mut work);
    work.keep();
    let so_far = more(60);
    read_on(&mut work);
    assert_eq!(counted(&work.board), so_far);
    // Killed: what was counted since the state was written is forgotten with its places.
    drop(work);
    let so_far = more(35);
    let mut work = started(&journals, &state);
    assert_eq!(counted(&work.board), 50);
    read_on(&mut work);
    assert_eq!(counted(&work.board), so_far, "through rotations");
    work.keep();
    let mut again = started(&journals, &state);
    read_on(&mut again);
    assert_eq!(counted(&again.board), so_far);
    assert_eq!(again.board.lock().lines().damaged, 0);
}

#[test]
fn a_state_that_cannot_be_used_is_counted_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (journals, state) = (dir.path().join("journal"), dir.path().join("state"));
    let journal = journal(&journals, "head-1");
    write(&mut journal.recorder(), 5);
    journal.flush();
    std::fs::create_dir(&state).unwrap();
    for damaged in ["", "{", r#"{"version":9}"#] {
        std::fs::write(state.join("counts.json"), damaged).unwrap();
        let mut work = started(&journals, &state);
        read_on(&mut work);
        assert_eq!(counted(&work.board), 5, "{damaged}");
    }
}

#[test]
fn the_thread_ends_with_its_owner_and_leaves_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let (journals, state) = (dir.path().join("journal"), dir.path().join("state"));
    let journal = journal(&journals, "head-1");
    write(&mut journal.recorder(), 5);
    journal.flush();
    let board = SharedBoard::default();
    let collector = Collector::start(
        vec![journals.clone()],
        Some(state.clone()),
        board.clone(),
        None,
        SharedWindow::default(),
    )
    .unwrap();
    // It reads before it first looks whether it is to end.
    drop(collector);
    assert_eq!(counted(&board), 5);
    assert_eq!(counted(&started(&journals, &state).board), 5);
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(Collector::start(vec![journals], Some(file), board, None, SharedWindow::default()).is_err());
}
