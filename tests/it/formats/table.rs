//! docs/reference/formats.md against the tables of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spindle::container::CONTAINERS;
use spindle::export::TARGETS;
use spindle::image::FORMATS;

/// The ids in the table below `heading`.
fn documented(text: &str, heading: &str) -> BTreeSet<String> {
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.filter_map(|row| row.split('|').nth(2)?.trim().strip_prefix('`')?.strip_suffix('`').map(str::to_owned))
        .collect()
}

#[test]
fn every_format_has_its_row_and_every_row_its_format() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/formats.md")).unwrap();
    let formats: BTreeSet<_> = FORMATS.iter().map(|format| format.info().id.to_owned()).collect();
    let containers: BTreeSet<_> = CONTAINERS.iter().map(|container| container.info().id.to_owned()).collect();
    assert_eq!(documented(&text, "Images"), formats);
    assert_eq!(documented(&text, "Containers"), containers);
    let targets: BTreeSet<_> = TARGETS.iter().map(|target| target.info().id.to_owned()).collect();
    assert_eq!(documented(&text, "Targets"), targets);
}
