//! The saved objects for Kibana, checked by their structure: no Kibana is at hand.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

/// Kibana's own name for "the documents themselves".
const RECORDS: &str = "___records___";

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn deployed(name: &str) -> String {
    fs::read_to_string(crate::root().join("deploy/elk").join(name)).expect("a file")
}

/// The names of all fields of the mapping.
fn mapped(prefix: &str, properties: &Value, into: &mut BTreeSet<String>) {
    for (name, entry) in properties.as_object().expect("properties") {
        let path = format!("{prefix}{name}");
        match &entry["properties"] {
            Value::Null => _ = into.insert(path),
            inner => mapped(&format!("{path}."), inner, into),
        }
    }
}

/// The fields that a query in Kibana's language asks for: what stands before a comparison.
fn asked(query: &str) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = query.split(' ').collect();
    let pairs = words.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>();
    pairs.into_iter().filter(|(_, next)| matches!(*next, ":" | ">" | "<")).map(|(field, _)| field)
}

#[test]
fn the_dashboard_holds_together_and_asks_for_fields_that_are_mapped() {
    let mut fields = BTreeSet::new();
    mapped("", &json(&deployed("mappings.json"))["template"]["mappings"]["properties"], &mut fields);
    let text = deployed("kibana.ndjson");
    let objects: Vec<Value> = text.lines().map(json).collect();
    let id = |object: &Value| (object["type"].clone(), object["id"].clone());
    let there: Vec<_> = objects.iter().map(id).collect();

    let (mut charts, mut panels) = (0, 0);
    for object in &objects {
        let references = object["references"].as_array().expect("references");
        for reference in references {
            assert!(there.contains(&id(reference)), "{reference} leads nowhere");
        }
        let names: Vec<&Value> = references.iter().map(|reference| &reference["name"]).collect();
        let attributes = &object["attributes"];
        match object["type"].as_str().expect("a type") {
            "index-pattern" => {
                assert!(fields.contains(attributes["timeFieldName"].as_str().expect("a field")));
                let formats = json(attributes["fieldFormatMap"].as_str().expect("JSON in a string"));
                assert!(formats.as_object().expect("an object").keys().all(|name| fields.contains(name)));
            }
            "lens" => {
                charts += 1;
                chart(&attributes["state"], &names, &fields);
            }
            "dashboard" => {
                for name in ["panelsJSON", "optionsJSON"] {
                    json(attributes[name].as_str().expect("JSON in a string"));
                }
                let source = &attributes["kibanaSavedObjectMeta"]["searchSourceJSON"];
                json(source.as_str().expect("JSON in a string"));
                let shown = json(attributes["panelsJSON"].as_str().expect("JSON in a string"));
                for panel in shown.as_array().expect("panels") {
                    panels += 1;
                    let (index, name) = (&panel["panelIndex"], &panel["panelRefName"]);
                    let name = format!("{}:{}", index.as_str().expect("one"), name.as_str().expect("one"));
                    assert!(names.contains(&&Value::from(name.as_str())), "{name} leads nowhere");
                    let grid = &panel["gridData"];
                    let right = grid["x"].as_u64().zip(grid["w"].as_u64()).map(|(x, w)| x + w);
                    assert!(right.is_some_and(|right| right <= 48), "{grid} is wider than the page");
                }
            }
            other => panic!("an object of type {other}"),
        }
    }
    assert_eq!((charts, panels), (4, 4));
}

/// A chart's layers name columns that are there, and these name fields that are mapped.
fn chart(state: &Value, names: &[&Value], fields: &BTreeSet<String>) {
    for field in asked(state["query"]["query"].as_str().expect("a query")) {
        assert!(fields.contains(field), "{field} is not mapped");
    }
    let layers = state["datasourceStates"]["formBased"]["layers"].as_object().expect("layers");
    for (layer, content) in layers {
        let reference = Value::from(format!("indexpattern-datasource-layer-{layer}"));
        assert!(names.contains(&&reference), "{reference} leads nowhere");
        let columns = content["columns"].as_object().expect("columns");
        for column in columns.values() {
            if let Some(field) = column["sourceField"].as_str() {
                assert!(field == RECORDS || fields.contains(field), "{field} is not mapped");
            }
            if let Some(by) = column["params"]["orderBy"]["columnId"].as_str() {
                assert!(columns.contains_key(by), "{by} is no column");
            }
        }
        let ordered = content["columnOrder"].as_array().expect("an order");
        assert_eq!(ordered.len(), columns.len());
        let drawn = state["visualization"]["layers"].as_array().expect("layers");
        let drawn = drawn.iter().find(|drawn| drawn["layerId"] == layer.as_str()).expect("it is drawn");
        let accessors = drawn["accessors"].as_array().expect("columns").iter();
        let more = [&drawn["xAccessor"], &drawn["splitAccessor"]].into_iter().filter(|name| !name.is_null());
        for name in ordered.iter().chain(accessors).chain(more) {
            assert!(columns.contains_key(name.as_str().expect("a name")), "{name} is no column");
        }
    }
}
