//! The layer picture of `src/lib.rs`, enforced: a module names only those below it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top. Modules on one line may not name each other.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["vhost_user", "control"],
    &["virtio"],
    &["drive"],
    &["scsi", "sound"],
    &["export"],
    &["image"],
    &["container"],
    &["fs"],
    &["disc"],
    &["source", "sandbox"],
    &["sys"],
];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The top-level modules that a line of code names after `crate::`, in a brace group too.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or("");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    code.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &code[at + found.len()..];
            match rest.strip_prefix('{') {
                Some(group) => group.split(',').map(|part| word(part.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .collect()
}

#[test]
fn no_module_names_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = 0;
    let mut wrong = Vec::new();
    for module in LAYERS.iter().copied().flatten().copied() {
        let mut files = Vec::new();
        let folder = src.join(module);
        assert!(folder.is_dir(), "{} is in LAYERS but not in src", folder.display());
        rust_files(&folder, &mut files);
        modules += 1;
        let own = layer(module).unwrap();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in (1..).zip(text.lines()) {
                for name in named(line) {
                    let Some(other) = layer(&name) else { continue };
                    if name != module && other <= own {
                        wrong.push(format!("{}:{number}: {module} must not name {name}", file.display()));
                    }
                }
            }
        }
    }
    let folders = fs::read_dir(&src).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(modules, folders - 1, "every folder of src but bin must be in LAYERS");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scanner_sees_what_it_must_see() {
    assert_eq!(named("use crate::scsi::Sense;"), ["scsi"]);
    assert_eq!(named("use crate::{drive::Drive, scsi};"), ["drive", "scsi"]);
    assert_eq!(named("let x = crate::fs::open(crate::disc::Lba(0)); // crate::cli"), ["fs", "disc"]);
}
