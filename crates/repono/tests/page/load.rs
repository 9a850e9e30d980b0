//! Callers that keep a system busy: each on one connection, as fast as it is answered up
//! to a rate.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use repono_testkit::system::System;
use repono_testkit::wire::Wire;

const CALLERS: usize = 3;
/// Between two requests of a caller: some 60 requests a second in all.
const PAUSE: Duration = Duration::from_millis(50);
/// So many requests go over one connection, so that there are new ones too.
const REQUESTS_MAX: usize = 100;

/// The callers, until they are ended.
pub(crate) struct Load {
    ends: Arc<AtomicBool>,
    callers: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl Load {
    pub(crate) fn start(system: &System) -> Self {
        let file = system.path("loaded");
        std::fs::write(&file, [7; 1_000]).expect("written");
        system.ok(&["put", &file.display().to_string(), "demo/files/loaded"]).expect("put");
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        let request = format!("GET /v1/demo/files/loaded HTTP/1.1\r\nHost: h\r\n{ticket}\r\n\r\n");
        let (url, ca) = (system.balancer().to_owned(), PathBuf::from(system.fact("ca")));
        let ends = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS).map(|_| {
            let (url, ca, request, ends) = (url.clone(), ca.clone(), request.clone(), Arc::clone(&ends));
            thread::spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    let mut wire = Wire::connect(&url, &ca)?;
                    for _ in 0..REQUESTS_MAX {
                        if ends.load(Ordering::Relaxed) {
                            break;
                        }
                        wire.send(request.as_bytes())?;
                        anyhow::ensure!(wire.response("GET")?.status == 200, "the object is there");
                        thread::sleep(PAUSE);
                    }
                }
                Ok(())
            })
        });
        Self { callers: callers.collect(), ends }
    }

    /// Ends it; all that was asked must have been answered.
    pub(crate) fn end(self) {
        self.ends.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().expect("no panic").expect("all is answered");
        }
    }
}

/// Connections that rest, and whose next request then takes long: its body comes late.
/// A new connection's request is quick.
pub(crate) struct Sleepers(Vec<JoinHandle<anyhow::Result<()>>>);

const SLEEPERS: usize = 6;
const REST: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_millis(1_500);

impl Sleepers {
    pub(crate) fn start(system: &System) -> Self {
        let ticket = system.ticket(&[]).expect("a ticket").join("\r\n");
        let (url, ca) = (system.balancer().to_owned(), PathBuf::from(system.fact("ca")));
        let sleepers = (0..SLEEPERS).map(|number| {
            let (url, ca, ticket) = (url.clone(), ca.clone(), ticket.clone());
            thread::spawn(move || {
                let mut wire = Wire::connect(&url, &ca)?;
                let name = format!("late-{number}");
                let head = |method: &str, more: &str| {
                    format!("{method} /v1/demo/files/{name} HTTP/1.1\r\nHost: h\r\n{ticket}\r\n{more}\r\n")
                };
                wire.send(format!("{}x", head("PUT", "Content-Length: 1\r\n")).as_bytes())?;
                anyhow::ensure!(wire.response("PUT")?.status == 201, "it is put");
                thread::sleep(REST);
                wire.send(head("PUT", "Content-Length: 1\r\n").as_bytes())?;
                thread::sleep(LATE);
                wire.send(b"y")?;
                anyhow::ensure!(wire.response("PUT")?.status == 201, "it is put again");
                Ok(())
            })
        });
        Self(sleepers.collect())
    }

    /// Waits until each has been late once.
    pub(crate) fn end(self) {
        for sleeper in self.0 {
            sleeper.join().expect("no panic").expect("all is answered");
        }
    }
}
