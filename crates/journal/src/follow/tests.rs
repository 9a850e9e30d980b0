//! A follower against a writer that appends, rotates and vanishes.

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

use super::{Follower, Limits, Position, Rest, Start};

const SMALL: Limits = Limits { turn_bytes_max: 256, journal_bytes_max: 96, line_bytes_max: 64 };

fn small(mut follower: Follower) -> Follower {
    follower.limits = SMALL;
    follower
}

fn following(dir: &Path, start: Start) -> Follower {
    small(Follower::new(vec![dir.to_owned()], start))
}

/// All that can be had now.
fn taken(follower: &mut Follower) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let batch = follower.poll();
        lines.extend(batch.lines().map(|line| String::from_utf8(line.to_vec()).unwrap()));
        assert!(batch.text.len() <= SMALL.turn_bytes_max + SMALL.journal_bytes_max + SMALL.line_bytes_max);
        if batch.rest == Rest::Nothing {
            return lines;
        }
    }
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Moves the files of a journal on, as the writer does; the last of so many is lost.
fn rotate(path: &Path, files_max: u32) {
    let numbered = |number: u32| match number {
        0 => path.to_owned(),
        number => PathBuf::from(format!("{}.{number}", path.display())),
    };
    for number in (0..files_max - 1).rev() {
        if numbered(number).exists() {
            fs::rename(numbered(number), numbered(number + 1)).unwrap();
        }
    }
}

#[test]
fn a_rotated_file_is_gone_on_with_and_the_new_one_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("head-1.jsonl");
    append(&path, "a1\na2\n");
    let mut follower = following(dir.path(), Start::Beginning);
    assert_eq!(taken(&mut follower), ["a1", "a2"]);
    append(&path, "a3\n");
    rotate(&path, 3);
    append(&path, "b1\n");
    assert_eq!(taken(&mut follower), ["a3", "b1"]);
    rotate(&path, 3);
    rotate(&path, 3);
    append(&path, "d1\n");
    assert_eq!(taken(&mut follower), ["d1"]);
    assert_eq!(follower.counts().unreadable, 0);
}

/// A listing that misses a file which is being renamed would give its lines last.
#[test]
fn files_that_are_rotated_while_they_are_listed_keep_their_order() {
    const FILES: u32 = 60;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("head-1.jsonl");
    append(&path, "00\n");
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            for number in 1..FILES {
                rotate(&path, FILES);
                append(&path, &format!("{number:02}\n"));
            }
        });
        while !writer.is_finished() {
            let mut follower = Follower::new(vec![dir.path().to_owned()], Start::Beginning);
            let batch = follower.poll();
            let lines: Vec<&[u8]> = batch.lines().collect();
            assert!(lines.is_sorted() && lines.first().is_none_or(|line| line == b"00"), "{lines:?}");
        }
    });
}

#[test]
fn half_a_line_waits_for_its_rest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    let mut follower = following(dir.path(), Start::Beginning);
    append(&path, "whole\nha");
    assert_eq!(taken(&mut follower), ["whole"]);
    append(&path, "l");
    assert_eq!(taken(&mut follower), [""; 0]);
    append(&path, "f\n");
    assert_eq!(taken(&mut follower), ["half"]);
}

#[test]
fn from_the_end_means_from_now_on_and_old_files_may_be_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    append(&path, "before\nunder ");
    append(&dir.path().join("j.jsonl.1"), "long before\n");
    let mut follower = following(dir.path(), Start::End);
    let long_ago = SystemTime::UNIX_EPOCH;
    let mut all = following(dir.path(), Start::WrittenSince(long_ago));
    let mut none = following(dir.path(), Start::WrittenSince(SystemTime::now() + super::POLL_EVERY * 1000));
    assert_eq!(taken(&mut follower), [""; 0]);
    assert_eq!(taken(&mut all), ["long before", "before"]);
    assert_eq!(taken(&mut none), [""; 0]);
    append(&path, "way\n");
    append(&dir.path().join("late.jsonl"), "late\n");
    for follower in [&mut follower, &mut all, &mut none] {
        let mut lines = taken(follower);
        lines.sort();
        assert_eq!(lines, ["late", "under way"]);
    }
}

#[test]
fn a_folder_may_come_later_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let later = dir.path().join("journal");
    let mut follower = following(&later, Start::End);
    assert_eq!(taken(&mut follower), [""; 0]);
    fs::create_dir(&later).unwrap();
    append(&later.join("j.jsonl"), "first\n");
    assert_eq!(taken(&mut follower), ["first"]);
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&later, &elsewhere).unwrap();
    for _ in 0..=super::UNLISTED_MAX {
        assert_eq!(taken(&mut follower), [""; 0]);
    }
    assert_eq!(follower.counts().unreadable, 0);
    fs::rename(&elsewhere, &later).unwrap();
    assert_eq!(taken(&mut follower), [""; 0], "a folder that is back is not read again");
    fs::remove_file(later.join("j.jsonl")).unwrap();
    for _ in 0..super::UNLISTED_MAX {
        follower.poll();
    }
    assert!(follower.positions().is_empty(), "a file that is gone is forgotten");
}

#[test]
fn what_is_cut_or_written_anew_is_read_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    append(&path, "one\ntwo\n");
    let mut follower = following(dir.path(), Start::Beginning);
    assert_eq!(taken(&mut follower), ["one", "two"]);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    append(&path, "tri\n");
    assert_eq!(taken(&mut follower), ["tri"]);
    // No shorter than what was read: told by how it begins.
    fs::write(&path, "anew\nand longer\n").unwrap();
    assert_eq!(taken(&mut follower), ["anew", "and longer"]);
    assert_eq!(follower.counts().begun_anew, 2);
}

#[test]
fn an_endless_line_is_passed_over_and_counted_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    append(&path, "a\n");
    append(&path, &"x".repeat(1000));
    let mut follower = following(dir.path(), Start::Beginning);
    let first = follower.poll();
    assert_eq!((first.lines().count(), first.rest), (1, Rest::More), "not all of it in one turn");
    assert_eq!(taken(&mut follower), [""; 0]);
    append(&path, "y\nb\n");
    assert_eq!(taken(&mut follower), ["b"]);
    assert_eq!(follower.counts().overlong, 1);
}

#[test]
fn a_busy_journal_does_not_keep_others_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let busy = format!("{}\n", "b".repeat(30)).repeat(100);
    append(&dir.path().join("a.jsonl"), &busy);
    append(&dir.path().join("c.jsonl"), &busy);
    append(&dir.path().join("quiet.jsonl"), "quiet\n");
    let mut follower = following(dir.path(), Start::Beginning);
    let first: Vec<u8> = (0..2).flat_map(|_| follower.poll().text.to_vec()).collect();
    let first = String::from_utf8(first).unwrap();
    assert!(first.contains("quiet"), "{first}");
    assert_eq!(first.lines().count() + taken(&mut follower).len(), 201, "and nothing is left out");
}

#[test]
fn another_file_with_the_inode_of_a_known_one_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j.jsonl");
    append(&path, "one\n");
    let mut follower = following(dir.path(), Start::Beginning);
    assert_eq!(taken(&mut follower), ["one"]);
    let mut positions = follower.positions();
    fs::remove_file(&path).unwrap();
    append(&path, "two\nthree\n");
    positions[0].inode = fs::metadata(&path).unwrap().ino();
    let mut resumed = small(Follower::resume(vec![dir.path().to_owned()], positions));
    assert_eq!(taken(&mut resumed), ["two", "three"]);
}

#[test]
fn what_other_programs_wrote_as_positions_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    append(&dir.path().join("j.jsonl"), "one\n");
    let odd = r#"[{"folder":"/elsewhere","inode":1,"offset":18446744073709551615,"beginning":""}]"#;
    let positions: Vec<Position> = serde_json::from_str(odd).unwrap();
    let mut follower = small(Follower::resume(vec![dir.path().to_owned()], positions));
    assert_eq!(taken(&mut follower), ["one"]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Some bytes of what is to be written, to one of two journals.
    Write {
        journal: usize,
        bytes: usize,
    },
    Rotate {
        journal: usize,
    },
    Poll,
    /// As after a restart: from the saved positions.
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 1..80_usize).prop_map(|(journal, bytes)| Step::Write { journal, bytes }),
        1 => (0..2_usize).prop_map(|journal| Step::Rotate { journal }),
        3 => Just(Step::Poll),
        1 => any::<()>().prop_map(|()| Step::Resume),
    ]
}

/// A journal that is written in pieces that end anywhere; a file ends with a line.
struct Journal {
    path: PathBuf,
    text: VecDeque<u8>,
    lines: Vec<String>,
    rotations: u32,
}

const FILES_MAX: u32 = 4;

impl Journal {
    fn write(&mut self, bytes: usize, name: usize) {
        while self.text.len() < bytes {
            let line = format!("{name}-{} {}", self.lines.len(), "x".repeat(self.lines.len() % 17));
            self.text.extend(line.bytes().chain([b'\n']));
            self.lines.push(line);
        }
        let piece: Vec<u8> = self.text.drain(..bytes).collect();
        append(&self.path, &String::from_utf8(piece).unwrap());
    }

    fn end_line(&mut self) {
        let end = self.text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let piece: Vec<u8> = self.text.drain(..end).collect();
        append(&self.path, &String::from_utf8(piece).unwrap());
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_repeated_or_disordered(steps in proptest::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut journals = ["a", "b"].map(|name| Journal {
            path: dir.path().join(format!("{name}.jsonl")),
            text: VecDeque::new(),
            lines: Vec::new(),
            rotations: 0,
        });
        let mut follower = following(dir.path(), Start::Beginning);
        let mut read = Vec::new();
        for step in steps {
            match step {
                Step::Write { journal, bytes } => journals[journal].write(bytes, journal),
                Step::Rotate { journal } => {
                    let journal = &mut journals[journal];
                    if !journal.path.exists() {
                        continue;
                    }
                    // A file is lost with its lines when it was never looked at.
                    journal.rotations += 1;
                    if journal.rotations >= FILES_MAX {
                        read.extend(taken(&mut follower));
                        journal.rotations = 1;
                    }
                    journal.end_line();
                    rotate(&journal.path, FILES_MAX);
                }
                Step::Poll => {
                    let batch = follower.poll();
                    read.extend(batch.lines().map(|line| String::from_utf8(line.to_vec()).unwrap()));
                }
                Step::Resume => {
                    let saved = serde_json::to_string(&follower.positions()).unwrap();
                    let folders = vec![dir.path().to_owned()];
                    follower = small(Follower::resume(folders, serde_json::from_str(&saved).unwrap()));
                }
            }
        }
        for journal in &mut journals {
            if !journal.text.is_empty() {
                journal.end_line();
            }
        }
        read.extend(taken(&mut follower));
        for (number, journal) in journals.iter().enumerate() {
            let prefix = format!("{number}-");
            let of_journal: Vec<_> = read.iter().filter(|line| line.starts_with(&prefix)).collect();
            proptest::prop_assert_eq!(of_journal, journal.lines.iter().collect::<Vec<_>>());
        }
    }
}
