//! Records of the journals, found by the connection.

use std::fs;
use std::net::SocketAddr;

use repono_testkit::system::System;
use repono_testkit::wait;
use serde_json::Value;

use crate::LIMIT;

/// Waits for the record of a connection's end that `side` wrote about the peer at
/// `source`; gives what is in `repono.connection`.
pub(crate) fn ended(system: &System, side: &str, source: SocketAddr) -> Value {
    let found = wait::until("the connection's record", LIMIT * 2, || {
        records(system).into_iter().find(|record| {
            record["event"]["dataset"] == "repono.connection"
                && record["repono"]["side"] == side
                && record["source"]["port"] == source.port()
                && record["source"]["ip"] == source.ip().to_string()
        })
    });
    found.expect("in time")["repono"]["connection"].clone()
}

fn records(system: &System) -> Vec<Value> {
    let folder = fs::read_dir(system.data().join("journal")).expect("a journal");
    let texts = folder.flatten().map(|file| fs::read_to_string(file.path()).unwrap_or_default());
    // The last line may be under way.
    texts.flat_map(|t| t.lines().filter_map(|l| serde_json::from_str(l).ok()).collect::<Vec<_>>()).collect()
}
