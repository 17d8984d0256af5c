//! Prints answers: JSON as asked, or tables and sentences for people.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::exit;
use crate::admin::{AdminErrorClass, Reply};

/// Columns left out of tables; `show` has them.
const DETAILS: &[&str] =
    &["message_octets_max", "pop3_delete_to_trash", "highest_modseq", "unicode", "origin", "envid"];

/// Prints an answer; tells the exit code.
pub fn print(reply: Reply, json: bool) -> u8 {
    match reply {
        Ok(value) if json => say(&format!("{value}\n")),
        Ok(value) => say(&text(&value)),
        Err(error) => {
            if json {
                // Standard output holds the answer and nothing else.
                println!("{}", serde_json::json!({ "error": error }));
            } else {
                eprintln!("yubin: {}", error.message);
            }
            match error.class {
                AdminErrorClass::NotFound => exit::NOT_FOUND,
                AdminErrorClass::Unreachable => exit::UNREACHABLE,
                AdminErrorClass::Refused | AdminErrorClass::Failed => exit::FAILED,
            }
        }
    }
}

fn say(text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => exit::OK,
        // `yubin … | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
        Err(_) => exit::FAILED,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Array(rows) => table(rows),
        Value::Object(fields) => {
            // An answer around one list: figures first, then the list.
            let list = fields.iter().find_map(|(k, v)| v.as_array().filter(|a| is_rows(a)).map(|a| (k, a)));
            let rest: Map<String, Value> = fields
                .iter()
                .filter(|(k, _)| list.is_none_or(|(name, _)| name != *k))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            let mut out = facts(&rest);
            if let Some((name, rows)) = list {
                out.push_str(&format!("\n{name}:\n{}", table(rows)));
            }
            out
        }
        other => format!("{}\n", cell(other)),
    }
}

/// The lives of messages: one after the other, a line for each thing that happened.
pub fn print_histories(reply: Reply, json: bool) -> u8 {
    match reply {
        Ok(Value::Array(found)) if !json => say(&found.iter().map(history).collect::<Vec<_>>().join("\n")),
        reply => print(reply, json),
    }
}

fn history(history: &Value) -> String {
    let of =
        |value: &Value, name: &str| value.get(name).map(cell).filter(|text| text != "-").unwrap_or_default();
    let mut out = format!("{}\n", of(history, "id"));
    for note in history.get("notes").and_then(Value::as_array).into_iter().flatten() {
        let address = of(note, "address");
        let address = if address.is_empty() { "<>".to_owned() } else { address };
        let id = of(note, "message_id");
        let id = if id.is_empty() { id } else { format!("  Message-ID {id}") };
        let line =
            format!("  {}  {:<12}  {address}  {}{id}", of(note, "time"), of(note, "what"), of(note, "text"));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn is_rows(list: &[Value]) -> bool {
    list.first().is_some_and(Value::is_object)
}

fn facts(fields: &Map<String, Value>) -> String {
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let mut out = String::new();
    for (name, value) in fields.iter().filter(|(_, v)| !v.is_null()) {
        match value {
            Value::Array(list) if !list.is_empty() => {
                out.push_str(&format!("{:width$}\n", words(name)));
                for item in list {
                    out.push_str(&format!("  {}\n", cell(item)));
                }
            }
            value => out.push_str(&format!("{:width$}  {}\n", words(name), cell(value))),
        }
    }
    out
}

fn table(rows: &[Value]) -> String {
    let Some(first) = rows.first().and_then(Value::as_object) else {
        return if rows.is_empty() {
            "none\n".to_owned()
        } else {
            rows.iter().map(|r| format!("{}\n", cell(r))).collect()
        };
    };
    // A column that is empty in every row says nothing.
    let columns: Vec<&String> = first
        .keys()
        .filter(|k| !DETAILS.contains(&k.as_str()))
        .filter(|k| rows.iter().any(|r| r.get(k.as_str()).is_some_and(|v| !v.is_null() && v != "")))
        .collect();
    let mut grid: Vec<Vec<String>> = vec![columns.iter().map(|c| words(c).to_uppercase()).collect()];
    for row in rows {
        grid.push(columns.iter().map(|c| row.get(c.as_str()).map(cell).unwrap_or_default()).collect());
    }
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| grid.iter().filter_map(|r| r.get(at)).map(|c| c.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(c, w)| format!("{c:w$}", w = *w)).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    grid.iter().map(line).collect()
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        // What came from outside must not reach the terminal raw.
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Value::Array(list) => list.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            // A recipient: its address and state.
            match (fields.get("address"), fields.get("state")) {
                (Some(address), Some(state)) => format!("{} ({})", cell(address), cell(state)),
                _ => fields
                    .iter()
                    .filter(|(_, v)| !v.is_null())
                    .map(|(k, v)| format!("{k}={}", cell(v)))
                    .collect::<Vec<_>>()
                    .join(" "),
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_tables_without_empty_columns() {
        let rows = json!([
            { "name": "ann@example.test", "quota_octets": null, "messages": 3 },
            { "name": "bob@example.test", "quota_octets": null, "messages": 12 },
        ]);
        assert_eq!(text(&rows), "NAME              MESSAGES\nann@example.test  3\nbob@example.test  12\n");
        assert_eq!(text(&json!([])), "none\n");
    }

    #[test]
    fn a_life_is_told_line_by_line() {
        let told = json!({ "id": "01", "notes": [
            { "time": "T1", "what": "accepted", "address": "", "message_id": "a@b", "text": "by smtp" },
            { "time": "T2", "what": "sent", "address": "bob@far.test", "message_id": null, "text": "mx: 250 ok\u{1b}" },
        ]});
        let expected = "01\n  T1  accepted      <>  by smtp  Message-ID a@b\n  T2  sent          bob@far.test  mx: 250 ok\u{fffd}\n";
        assert_eq!(history(&told), expected);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(cell(&json!("a\u{1b}[31mb")), "a\u{fffd}[31mb");
    }
}
