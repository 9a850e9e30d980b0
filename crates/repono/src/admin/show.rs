//! Answers of the administrators' interface as text: tables for lists, lines for
//! single things.

use serde_json::{Map, Value};

/// The answer for people.
pub(super) fn text(answer: &Value) -> String {
    match answer {
        Value::Null => String::new(),
        Value::Array(items) => table(items),
        Value::Object(fields) => lines(fields),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => format!("{}\n", cell(answer)),
    }
}

fn lines(fields: &Map<String, Value>) -> String {
    if let [(_, Value::Array(items))] = fields.iter().collect::<Vec<_>>().as_slice() {
        return table(items);
    }
    let width = fields.keys().map(String::len).max().unwrap_or_default();
    fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", cell(value))).collect()
}

fn table(items: &[Value]) -> String {
    let Some(Value::Object(first)) = items.first() else {
        return items.iter().map(|item| format!("{}\n", cell(item))).collect();
    };
    let names: Vec<&String> = first.keys().collect();
    let mut rows = vec![names.iter().map(|name| (*name).clone()).collect::<Vec<_>>()];
    rows.extend(items.iter().map(|item| names.iter().map(|name| cell(&item[name.as_str()])).collect()));
    let width =
        |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.len())).max().unwrap_or_default();
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(cell).collect::<Vec<_>>().join(",")
        }
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn lists_are_tables_and_things_are_lines() {
        let list = json!([{"name": "head-1", "state": "ready"}, {"name": "b", "state": "down"}]);
        assert_eq!(text(&list), "name    state\nhead-1  ready\nb       down\n");
        assert_eq!(text(&json!({"user": "demo:a", "groups": ["x", "y"]})), "groups  x,y\nuser    demo:a\n");
        assert_eq!(text(&json!(null)), "");
    }
}
