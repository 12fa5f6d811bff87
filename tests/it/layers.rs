//! The layer picture of `src/lib.rs`, enforced: a module names only those below it, and one has all the code that is unsafe. And what
//! `Cargo.toml` must say for the rest to hold.

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

/// The words of a line of code that the compiler would have to allow. A comment begins the line, or follows a space.
fn unsafe_words(line: &str) -> bool {
    // In parts, or this file would be found.
    const WORDS: [&str; 2] = [concat!("un", "safe"), concat!("un", "safe_code")];
    let comment = line.match_indices("//").map(|(at, _)| at).find(|&at| line[..at].chars().all(char::is_whitespace));
    let code = &line[..comment.or_else(|| line.find(" //")).unwrap_or(line.len())];
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| WORDS.contains(&word))
}

#[test]
fn code_that_is_unsafe_is_in_sys_alone() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sys = root.join("src/sys");
    let mut files = Vec::new();
    ["src", "tests"].iter().for_each(|folder| rust_files(&root.join(folder), &mut files));
    assert!(!root.join("build.rs").exists(), "nobody looks into it");
    let mut wrong = Vec::new();
    let mut found = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, _) in (1..).zip(text.lines()).filter(|(_, line)| unsafe_words(line)) {
            if file.starts_with(&sys) {
                found += 1;
            } else {
                wrong.push(format!("{}:{number}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "outside of src/sys there is such code, or leave for it:\n{}", wrong.join("\n"));
    assert!(found > 10, "it is not found where it is");
}

#[test]
fn the_scanner_knows_code_that_is_unsafe() {
    let word = concat!("un", "safe");
    for code in [
        format!("let x = {word} {{ *p }};"),
        format!("{word}{{f()}}"),
        format!("pub {word} fn f() {{}} // why"),
        format!("#![allow({word}_code)]"),
        format!("    #[expect(dead_code, {word}_code, reason = \"http://x\")]"),
    ] {
        assert!(unsafe_words(&code), "{code}");
    }
    for code in [format!("//! {word}"), format!("    // {word}"), format!("x(); // {word}"), format!("{word}ty()")] {
        assert!(!unsafe_words(&code), "{code}");
    }
}

/// The lines of a section of `Cargo.toml`, without comments.
fn section<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim()).filter(|line| !line.is_empty());
    lines.skip_while(|line| *line != name).skip(1).take_while(|line| !line.starts_with('[')).collect()
}

/// Nothing else would tell: releases would count on, wrong.
#[test]
fn releases_check_for_overflow_and_no_code_may_be_unsafe_unasked() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    let has = |name: &str, line: &str| section(&text, name).contains(&line);
    assert!(has("[profile.release]", "overflow-checks = true"), "releases do not check for overflow");
    assert!(!text.contains("overflow-checks = false"), "a profile takes the checks away");
    assert!(has("[lints.rust]", concat!("un", "safe_code = \"deny\"")), "the compiler allows it");
}
