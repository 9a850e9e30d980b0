//! The committed vectors: made from a fixed key and fixed claims, compared byte for
//! byte with `vectors/*.json`, then read back and checked one by one.
//!
//! `REPONO_BLESS=1 cargo test -p repono-ticket --test vectors` writes the files
//! anew; review the difference.

#![expect(clippy::expect_used, reason = "a test or measurement that cannot begin must end")]

mod vectors {
    pub(crate) mod preauth;
    pub(crate) mod refused;
    pub(crate) mod ticket;
}

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The file of this name, after comparing it with what it must hold.
fn file<T: Serialize + DeserializeOwned>(name: &str, expected: &T) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let text = serde_json::to_string_pretty(expected).expect("JSON") + "\n";
    if std::env::var_os("REPONO_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let kept = std::fs::read_to_string(&path).expect("the vector file");
    assert!(kept == text, "{name} differs from what the code makes; see REPONO_BLESS in this file");
    serde_json::from_str(&kept).expect("JSON")
}

#[test]
fn tickets() {
    vectors::ticket::check(&file("ticket.json", &vectors::ticket::document()));
}

#[test]
fn preauths() {
    vectors::preauth::check(&file("preauth.json", &vectors::preauth::document()));
}
