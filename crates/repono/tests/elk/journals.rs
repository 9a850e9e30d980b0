//! A running system, its load, and what it has written.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use repono_testkit::system::{System, send, stop};
use rustix::process::Signal;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");

/// A line that is no JSON, as a crash may leave one.
pub(crate) const UNREADABLE: &str = "{\"@timestamp\":\"2026-";
/// Good lines beside the bad ones.
pub(crate) const PLANTED_GOOD: usize = 1;

/// What tells a record from all others: instance, process, sequence, instant.
pub(crate) type Key = (String, u64, u64, u64);

/// What the test asks of a record.
pub(crate) struct Record {
    pub(crate) dataset: String,
    pub(crate) side: String,
    pub(crate) duration_ns: f64,
    pub(crate) ended_ns: u64,
    pub(crate) key: Key,
}

impl Record {
    pub(crate) fn of(line: &Value) -> Self {
        let duration = &line["event"]["duration"];
        Self {
            dataset: line["event"]["dataset"].as_str().expect("a dataset").to_owned(),
            side: line["repono"]["side"].as_str().unwrap_or_default().to_owned(),
            duration_ns: duration.as_f64().unwrap_or_default(),
            ended_ns: line["repono"]["wall_ns"].as_u64().expect("a number")
                + duration.as_u64().unwrap_or_default(),
            key: key(line),
        }
    }
}

pub(crate) fn key(record: &Value) -> Key {
    let number = |value: &Value| value.as_u64().expect("a number");
    (
        record["service"]["node"]["name"].as_str().expect("an instance").to_owned(),
        number(&record["process"]["pid"]),
        number(&record["event"]["sequence"]),
        number(&record["repono"]["mono_ns"]["end"]),
    )
}

/// The system; its commands write the client's journal beside those of the services.
pub(crate) struct Journals {
    system: System,
    loads: Cell<u32>,
}

impl Journals {
    pub(crate) fn start() -> Self {
        let system = System::start(PROGRAM, &["--heads", "2"]).expect("it starts");
        // So that there are turns too.
        system.ok(&["admin", "head", "trace", "127.0.0.0/8"]).expect("it is traced");
        Self { system, loads: Cell::new(0) }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.system.data().join("journal")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.system.path(name)
    }

    /// Some work for all of them; gives the name of its last object, which is in the
    /// journals.
    pub(crate) fn load(&self) -> String {
        const OBJECTS: u32 = 6;
        let load = self.loads.replace(self.loads.get() + 1);
        let (file, journal) = (self.system.path("object"), self.dir());
        let (file, journal) = (file.display().to_string(), journal.display().to_string());
        let mut name = String::new();
        for object in 0..OBJECTS {
            fs::write(&file, format!("{load} {object}")).expect("written");
            name = format!("object-{load}-{object}");
            let at = format!("demo/files/{name}");
            self.system.ok(&["put", "--journal", &journal, &file, &at]).expect("it is put");
            self.system.ok(&["stat", "--journal", &journal, &at]).expect("it is there");
        }
        self.system.ticket(&[]).expect("a ticket");
        name
    }

    /// Moves every file on, as the journal does with a full one: its writer sees that its
    /// file has another name, and begins a new one.
    pub(crate) fn rotate(&self) {
        let mut names: Vec<PathBuf> =
            fs::read_dir(self.dir()).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
        // The oldest first: `.1` makes room for the current one.
        names.sort_by(|a, b| b.cmp(a));
        for path in names {
            let (base, number) = match path.extension().and_then(|e| e.to_str()?.parse::<u32>().ok()) {
                Some(number) => (path.with_extension(""), number),
                None => (path.clone(), 0),
            };
            let to = format!("{}.{}", base.display(), number + 1);
            fs::rename(&path, to).expect("renamed");
        }
    }

    /// So many requests that p99 is none of the slowest few.
    pub(crate) fn crowd(&self) {
        const OBJECTS: u32 = 100;
        const READS: u32 = 3;
        let (objects, journal) = (self.system.path("objects"), self.dir());
        fs::create_dir_all(&objects).expect("a folder");
        for object in 0..OBJECTS {
            fs::write(objects.join(object.to_string()), "small").expect("written");
        }
        let (objects, journal) = (objects.display().to_string(), journal.display().to_string());
        self.system.ok(&["put", "-r", "--journal", &journal, &objects, "demo/files/"]).expect("they are put");
        for read in 0..READS {
            let copies = self.system.path(&format!("copies-{read}")).display().to_string();
            let from = "demo/files/objects";
            self.system.ok(&["get", "-r", "--journal", &journal, from, &copies]).expect("they are read");
        }
    }

    /// Heads are asked nothing more until [`Self::go_on`]: the balancer's checks are
    /// requests too.
    pub(crate) fn hold_still(&self) {
        stop(self.system.pid("balancer")).expect("it stands still");
    }

    pub(crate) fn go_on(&self) {
        send(self.system.pid("balancer"), Signal::CONT).expect("it goes on");
    }

    /// What the monitor answers.
    pub(crate) fn monitored(&self, path: &str) -> Value {
        let text = self.system.monitored(path).expect("the monitor answers");
        serde_json::from_str(&text.expect("200")).expect("JSON")
    }

    /// Ends the system, so that nothing more is written, and reads all of it.
    pub(crate) fn whole(&mut self) -> Vec<Record> {
        self.system.stop(Signal::TERM).expect("it ends");
        self.records()
    }

    /// What is written so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for entry in fs::read_dir(self.dir()).expect("a folder") {
            let text = fs::read_to_string(entry.expect("a file").path()).expect("text");
            // The last line may not be whole yet.
            let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
            let lines = whole.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            records.extend(lines.map(|line: Value| Record::of(&line)));
        }
        records
    }

    /// A journal with a word where an address belongs, with a field that the mapping does
    /// not know, with a torn line, and with a good one after them.
    pub(crate) fn plant(&self) {
        let text = fs::read_to_string(self.dir().join("vending.jsonl")).expect("a journal");
        let good: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        let mut lines = String::new();
        for (sequence, change) in [
            (1, serde_json::json!({"ip": "nowhere", "port": 1})),
            (2, serde_json::json!({"ip": "127.0.0.1", "port": 1, "surprise": 1})),
            (3, serde_json::json!({"ip": "127.0.0.1", "port": 1})),
        ] {
            let mut line = good.clone();
            line["service"]["node"]["name"] = "planted".into();
            line["event"]["sequence"] = sequence.into();
            line["source"] = change;
            lines.push_str(&format!("{line}\n"));
            if sequence == 2 {
                lines.push_str(&format!("{UNREADABLE}\n"));
            }
        }
        let path = self.dir().join("planted.jsonl");
        let mut file = OpenOptions::new().append(true).create(true).open(path).expect("a file");
        file.write_all(lines.as_bytes()).expect("written");
    }
}
