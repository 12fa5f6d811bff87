//! `spindle formats`.

use serde_json::Value;
use spindle::container::CONTAINERS;
use spindle::export::TARGETS;
use spindle::image::FORMATS;

use super::{spindle, stdout};

#[test]
fn every_row_of_the_tables_is_listed() {
    let output = spindle(&["formats", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(rows.len(), FORMATS.len() + CONTAINERS.len() + TARGETS.len());
    let iso = rows.iter().find(|row| row["id"] == "iso").unwrap();
    assert_eq!(iso["kind"], "image");
    assert!(iso["extensions"].as_array().unwrap().contains(&"iso".into()));
    let text = stdout(&spindle(&["formats"]));
    assert_eq!(text.lines().count(), rows.len());
    for row in &rows {
        assert!(text.contains(row["name"].as_str().unwrap()), "{row}");
    }
}
