//! The dashboard for Grafana: there is none to be had here, so its structure is checked,
//! and its expressions are asked of a real Prometheus.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("the dashboard")).expect("JSON")
}

/// Every expression, with values in the places of Grafana's variables.
pub(crate) fn expressions(path: &Path) -> Vec<String> {
    let dashboard = read(path);
    let targets = dashboard["panels"].as_array().expect("panels").iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let annotations = dashboard["annotations"]["list"].as_array().expect("annotations").iter();
    let expressions =
        targets.chain(annotations).map(|target| target["expr"].as_str().expect("an expression"));
    expressions
        .map(|expression| {
            let filled = expression
                .replace("$__rate_interval", "1m")
                .replace("$__range", "1h")
                .replace("$job", "repono")
                .replace("$instance", ".*");
            assert!(!filled.contains('$'), "an unknown variable in {expression}");
            filled
        })
        .collect()
}

/// Titles, places and references.
pub(crate) fn check(path: &Path) {
    let dashboard = read(path);
    assert_eq!((&dashboard["uid"], &dashboard["title"]), (&"repono".into(), &"Repono".into()));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: BTreeSet<&str> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(names, BTreeSet::from(["datasource", "instance", "job"]));
    let panels = dashboard["panels"].as_array().expect("panels");
    let (mut ids, mut titles, mut taken) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(titles.insert(title) && ids.insert(panel["id"].as_u64().expect("an id")), "{title} twice");
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title}");
        assert!(
            ["timeseries", "stat", "heatmap"].contains(&panel["type"].as_str().expect("a type")),
            "{title}"
        );
        let place = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{title}");
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(taken.insert(cell), "{title} lies over another");
        }
        let mut letters = BTreeSet::new();
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            assert!(letters.insert(target["refId"].as_str().expect("a letter")), "{title}");
        }
    }
}
