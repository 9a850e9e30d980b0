//! A running system, a balancer of the test's own in front of its heads, and what the
//! clients fetch through it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use repono_testkit::port;
use repono_testkit::system::{System, send};
use repono_testkit::wait;
use rustix::process::Signal;
use serde_json::Value;
use toml::Table;

use crate::client::Object;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_repono");
pub(crate) const HEADS: [&str; 3] = ["head-1", "head-2", "head-3"];
/// How long a state may take, with all clients at work on two cores.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Heads under a supervisor, and a balancer that the test may reload and replace.
pub(crate) struct Stand {
    pub(crate) system: System,
    pub(crate) object: Object,
    config: PathBuf,
    /// The newest last.
    balancers: Mutex<Vec<Child>>,
}

/// Changes keys of a configuration file.
fn change(path: &Path, keys: &[(&str, i64)]) -> Table {
    let mut table: Table = fs::read_to_string(path).expect("written").parse().expect("TOML");
    table.extend(keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())));
    fs::write(path, toml::to_string(&table).expect("TOML")).expect("written");
    table
}

impl Stand {
    /// With these keys in the configuration of each head, and of the balancer.
    pub(crate) fn new(of_heads: &[(&str, i64)], of_balancer: &[(&str, i64)]) -> Self {
        let system = System::start(PROGRAM, &["--heads", "3"]).expect("up");
        let object = Object::put(&system);
        let config = system.path("second.toml");
        fs::copy(system.data().join("run/balancer.toml"), &config).expect("written");
        let mut table = change(&config, of_balancer);
        table.insert("name".into(), "second".into());
        table.insert("listen".into(), port::free().expect("a port").to_string().into());
        table.insert("admin_socket".into(), system.path("second.sock").display().to_string().into());
        fs::write(&config, toml::to_string(&table).expect("TOML")).expect("written");
        let object = object.at(&format!("https://{}", table["listen"].as_str().expect("text")));
        let stand = Self { system, object, config, balancers: Mutex::default() };
        if !of_heads.is_empty() {
            for head in HEADS {
                change(&stand.system.data().join(format!("run/{head}.toml")), of_heads);
                stand.restart(head);
            }
        }
        stand.balance(&[]);
        HEADS.iter().for_each(|head| stand.is(head, "ready"));
        stand
    }

    fn balance(&self, further: &[&str]) {
        let mut command = Command::new(PROGRAM);
        command.args(["balancer", "--config"]).arg(&self.config).args(further);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
        let out = child.stdout.take().expect("piped");
        let line = BufReader::new(out).lines().next().expect("ready before the end").expect("text");
        assert_eq!(line, "{\"ready\":true}");
        self.balancers.lock().expect("no panic").push(child);
    }

    /// A successor takes the listener; the old balancer ends with its connections.
    pub(crate) fn take_over(&self) {
        self.balance(&["--take-over"]);
        HEADS.iter().for_each(|head| self.is(head, "ready"));
    }

    /// The balancer reads its configuration again.
    pub(crate) fn reload(&self) {
        let balancers = self.balancers.lock().expect("no panic");
        send(balancers.last().expect("one").id(), Signal::HUP).expect("sent");
    }

    /// A head announces the end in every reply, and ends when its connections have; the
    /// supervisor starts it again.
    pub(crate) fn restart(&self, head: &str) {
        let pid = self.pid(head).expect("it runs");
        send(pid, Signal::TERM).expect("sent");
        let gone = || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(());
        wait::until(&format!("{head} ends"), LIMIT, gone).expect("in time");
        self.comes_back(head);
    }

    /// The process of a head, which may be another one than at the start.
    pub(crate) fn pid(&self, head: &str) -> Option<u32> {
        let config = self.system.data().join(format!("run/{head}.toml")).display().to_string();
        let processes = fs::read_dir("/proc").expect("there").flatten();
        let mut ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        ids.find(|id: &u32| {
            let arguments = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|argument| argument == config.as_bytes())
        })
    }

    /// Waits until the supervisor's own balancer finds a head again.
    pub(crate) fn comes_back(&self, head: &str) {
        self.until(&[], head, "ready");
    }

    /// The operator takes a head out of use and gives it back.
    pub(crate) fn drain(&self, head: &str) {
        self.admin(&["drain", head]);
        self.is(head, "draining");
        self.admin(&["ready", head]);
        self.is(head, "ready");
    }

    /// Waits until the clients' balancer says so of a head.
    pub(crate) fn is(&self, head: &str, wanted: &str) {
        let socket = self.system.path("second.sock").display().to_string();
        self.until(&["--socket", &socket], head, wanted);
    }

    fn until(&self, socket: &[&str], head: &str, wanted: &str) {
        let arguments = [&["--json", "admin"], socket, &["head", "list"]].concat();
        let is_so = || {
            let text = self.system.ok(&arguments).ok()?;
            let heads: Value = serde_json::from_str(&text).ok()?;
            heads.as_array()?.iter().find(|h| h["name"] == head && h["state"] == wanted).map(|_| ())
        };
        wait::until(&format!("{head} is {wanted}"), LIMIT, is_so).expect("in time");
    }

    fn admin(&self, arguments: &[&str]) {
        let socket = self.system.path("second.sock").display().to_string();
        let all = [&["admin", "--socket", &socket, "head"], arguments].concat();
        self.system.ok(&all).expect("obeyed");
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        for balancer in self.balancers.get_mut().into_iter().flatten() {
            let _ = balancer.kill();
            let _ = balancer.wait();
        }
    }
}
