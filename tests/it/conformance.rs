//! The tables of `docs/conformance` name only tests that exist; `mmc-6.md` has every command of MMC that the drive has.

use std::fs;
use std::path::Path;

use spindle::drive::COMMANDS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The cells of every row of every table, header rows and rules left out.
fn rows(document: &str) -> Vec<Vec<&str>> {
    let lines = document.lines().filter(|line| line.starts_with('|'));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells.filter(|cells| !cells[0].starts_with("---") && cells.last() != Some(&"Test")).collect()
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs/conformance").join(name)).unwrap()
}

/// Documents, the folder of `tests/it` that their tests are in, and rows that they have at least.
const TABLES: &[(&str, &str, usize)] = &[
    ("mmc-6.md", "drive", 51),
    ("spc.md", "drive", 30),
    ("virtio-scsi.md", "virtio", 19),
    ("vhost-user.md", "vhost_user", 16),
    ("el-torito.md", "fs", 9),
    ("iso9660.md", "fs", 17),
    ("udf.md", "fs", 16),
];

/// Everything under `src`.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(path).unwrap() }).collect()
}

#[test]
fn every_row_names_tests_that_exist() {
    for (table, folder, least) in TABLES {
        let document = document(table);
        let rows = rows(&document);
        assert!(rows.len() >= *least, "{table}: {} rows", rows.len());
        for row in rows {
            let mut file = "";
            for test in row.last().unwrap().split(", ") {
                let (text, test) = match test.strip_prefix("unit test ") {
                    Some(test) => (sources(&root().join("src")), test.trim_matches('`')),
                    None => {
                        // A name without a file is in the one named before.
                        let test = test.trim_matches('`');
                        let (named, name) = test.split_once("::").unwrap_or((file, test));
                        file = named;
                        let folder = if file.contains('/') { "" } else { folder };
                        let path = root().join("tests/it").join(folder).join(format!("{file}.rs"));
                        (fs::read_to_string(path).unwrap_or_default(), name)
                    }
                };
                let found = text.lines().zip(text.lines().skip(1)).any(|(attribute, function)| {
                    attribute.trim() == "#[test]" && function.trim() == format!("fn {test}() {{")
                });
                assert!(found, "{table}: {file}::{test} in the row of {}", row[0]);
            }
        }
    }
}

#[test]
fn every_command_of_mmc_has_a_row() {
    let document = document("mmc-6.md");
    let first: Vec<_> = rows(&document).iter().map(|row| row[0].to_owned()).collect();
    for command in COMMANDS.iter().filter(|command| command.standard.starts_with("MMC")) {
        let name = command.name;
        assert!(first.iter().any(|cell| cell.contains(name)), "{name} has no row in docs/conformance/mmc-6.md");
    }
}
