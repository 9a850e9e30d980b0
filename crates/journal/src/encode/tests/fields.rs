//! Every field that is ever written, held against the table of them: the mapping for
//! Elasticsearch, which is strict and refuses whatever is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{leaves, lines};

const MAPPINGS: &str = include_str!("../../../../../deploy/elk/mappings.json");

/// The fields of the mapping, by their full names.
fn table() -> BTreeMap<String, String> {
    let mappings: Value = serde_json::from_str(MAPPINGS).unwrap();
    let mut fields = BTreeMap::new();
    entries("", &mappings["template"]["mappings"]["properties"], &mut fields);
    fields
}

fn entries(prefix: &str, properties: &Value, into: &mut BTreeMap<String, String>) {
    for (name, entry) in properties.as_object().unwrap() {
        let path = format!("{prefix}{name}");
        match entry["type"].as_str() {
            Some(kind) => _ = into.insert(path, kind.to_owned()),
            None => entries(&format!("{path}."), &entry["properties"], into),
        }
    }
}

fn agrees(kind: &str, value: &Value) -> bool {
    match kind {
        "date" => value.as_str().is_some_and(|s| s.len() == 30 && s.ends_with('Z')),
        "ip" => value.as_str().is_some_and(|s| s.parse::<std::net::IpAddr>().is_ok()),
        // What Elasticsearch holds in a long has a sign.
        "long" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "keyword" | "wildcard" => {
            value.is_string() || value.as_array().is_some_and(|a| a.iter().all(Value::is_string))
        }
        _ => false,
    }
}

#[test]
fn every_field_is_in_the_table_with_its_type_and_every_entry_is_used() {
    let table = table();
    let mut unused: BTreeSet<&String> = table.keys().collect();
    let text = String::from_utf8(lines()).unwrap();
    assert_eq!(text.lines().count(), 5);
    for line in text.lines() {
        let mut found = BTreeMap::new();
        leaves("", &serde_json::from_str(line).unwrap(), &mut found);
        for (name, value) in found {
            let kind = table.get(&name).unwrap_or_else(|| panic!("{name} is not in the table"));
            assert!(agrees(kind, &value), "{name}: {value} is no {kind}");
            unused.remove(&name);
        }
    }
    assert_eq!(unused, BTreeSet::new());
}

/// Where a copy of ECS lies beside the repository, its `ecs_flat.yml`.
///
/// Each field stands there under its full name at the margin, and its type below, two
/// spaces in.
#[test]
fn what_is_not_ours_is_a_field_of_ecs_with_its_type_there() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ecs_flat.yml");
    let Ok(text) = fs::read_to_string(path) else { return };
    let mut ecs = BTreeMap::new();
    let mut field = "";
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("  type: ") {
            ecs.insert(field, kind);
        } else if !line.is_empty() && !line.starts_with(' ') {
            field = line.trim_end_matches(':').trim_matches('\'');
        }
    }
    for (name, kind) in table().iter().filter(|(name, _)| !name.starts_with("repono.")) {
        assert_eq!(ecs.get(name.as_str()), Some(&kind.as_str()), "{name}");
    }
}
